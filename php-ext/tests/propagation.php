<?php
require __DIR__ . '/daemon.inc';
require __DIR__ . '/web.inc';
[$daemon, $web] = [new Daemon, new Web];
$code = <<<PHP
    use Spanmill\Tracer;
    function shown(string|bool \$answer): string {
        \$headers = json_decode(\$answer, true);
        return (\$headers['x-own'] ?? '-') . ' ' . (\$headers['traceparent'] ?? '-');
    }
    \$job = Tracer::start('job');
    \$curl = curl_init('$web->url/echo');
    curl_setopt(\$curl, CURLOPT_RETURNTRANSFER, true);
    echo shown(curl_exec(\$curl)), "\n";
    curl_setopt(\$curl, CURLOPT_HTTPHEADER, ['X-Own: 1']);
    echo shown(curl_exec(\$curl)), "\n";
    curl_setopt_array(\$curl, [CURLOPT_HTTPHEADER => ['X-Own: 2', 'traceparent: mine']]);
    \$copy = curl_copy_handle(\$curl);
    echo shown(curl_exec(\$curl)), "\n", shown(curl_exec(\$copy)), "\n";
    curl_reset(\$curl);
    curl_setopt_array(\$curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_URL => 'http://localhost:$web->port/echo']);
    echo shown(curl_exec(\$curl)), "\n";
    \$set = curl_multi_init();
    curl_multi_add_handle(\$set, \$copy);
    do { curl_multi_exec(\$set, \$running); \$running && curl_multi_select(\$set); } while (\$running);
    echo shown(curl_multi_getcontent(\$copy)), "\n";
    curl_multi_remove_handle(\$set, \$copy);
    PHP;
foreach (['', '127.0.0.1, *.shop.example'] as $hosts) {
    $child = run_php($code, ['spanmill.socket' => $daemon->path, 'spanmill.propagate_hosts' => "\"$hosts\""], ['curl']);
    echo "to '$hosts':\n", $child['error'];
    $parents = array_map(fn($span) => "00-{$span['trace']}-{$span['id']}-01", array_filter($daemon->list(), fn($span) => $span['kind'] === 3));
    echo preg_replace_callback('/00-\S+/', fn($found) => in_array($found[0], $parents) ? 'its span' : 'no span of ours', $child['out']);
}
?>
