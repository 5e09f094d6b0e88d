<?php
require __DIR__ . '/daemon.inc';
require __DIR__ . '/web.inc';
[$daemon, $web] = [new Daemon, new Web];
$ways = [
    'exit' => 'exit("left ");',
    'exception' => 'throw new LogicException("thrown");',
    'fatal error' => 'trigger_error("fatal", E_USER_ERROR);',
    'time limit' => 'set_time_limit(1); while (true);',
    'stop' => 'return 0;',
];
foreach ($ways as $name => $way) {
    $child = run_php(<<<PHP
        \$curl = curl_init('$web->url/ok');
        curl_setopt(\$curl, CURLOPT_WRITEFUNCTION, function (\$curl, \$bytes) { $way });
        \$job = Spanmill\Tracer::start('job');
        try {
            curl_exec(\$curl);
        } catch (LogicException \$exception) {
            echo \$exception->getMessage(), ' ';
        }
        echo 'on ';
        PHP, ['spanmill.socket' => $daemon->path, 'display_errors' => '0'], ['curl']);
    $spans = $daemon->spans();
    $tags = $spans['GET']['tags'];
    echo "$name: ", $child['out'], $tags['error.type'] ?? 'fine', ', job ', $spans['job']['tags']['error.type'] ?? 'fine', ', exit status ', $child['status'], "\n";
}
?>
