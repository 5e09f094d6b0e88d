--TEST--
Each kind of hook can be switched off, hosts can be left out or bare, and a disabled function stays disabled
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
require __DIR__ . '/web.inc';
[$daemon, $web] = [new Daemon, new Web];
$code = <<<PHP
    foreach (['127.0.0.1', 'localhost'] as \$host) {
        file_get_contents("http://\$host:$web->port/ok?stream");
        if (!function_exists('curl_exec')) {
            echo 'no curl_exec ';
            continue;
        }
        \$curl = curl_init("http://\$host:$web->port/ok?curl");
        curl_setopt(\$curl, CURLOPT_RETURNTRANSFER, true);
        curl_exec(\$curl);
    }
    PHP;
$cases = [
    'all' => [],
    'curl' => ['spanmill.hook' => 'curl'],
    'none' => ['spanmill.hook' => ''],
    'unknown' => ['spanmill.hook' => 'curl,redis'],
    'ignored' => ['spanmill.ignore_hosts' => 'LOCALHOST'],
    'bare' => ['spanmill.bare_hosts' => 'localhost,127.0.0.*'],
    'disabled' => ['disable_functions' => 'curl_exec,curl_errno'],
    'getinfo disabled' => ['disable_functions' => 'curl_getinfo'],
    'off' => ['spanmill.enabled' => '0'],
    'off for scripts' => ['spanmill.cli' => '0'],
];
foreach ($cases as $name => $ini) {
    $child = run_php($code, ['spanmill.socket' => $daemon->path] + array_map(fn($value) => "\"$value\"", $ini), ['curl']);
    $seen = array_map(fn($span) => $span['tags']['server.address'] . (isset($span['tags']['url.full']) ? strrchr($span['tags']['url.full'], '?') : ''), $daemon->list());
    echo "$name: ", implode(' ', $seen), ' ', $child['out'], trim($child['error']), "\n";
}
?>
--EXPECT--
all: 127.0.0.1?stream 127.0.0.1?curl localhost?stream localhost?curl 
curl: 127.0.0.1?curl localhost?curl 
none:  
unknown: 127.0.0.1?curl localhost?curl Warning: PHP Startup: spanmill.hook: there is no hook 'redis'; there are curl, stream, soap, pcntl in Unknown on line 0
ignored: 127.0.0.1?stream 127.0.0.1?curl 
bare: 127.0.0.1?stream 127.0.0.1?curl localhost localhost 
disabled: 127.0.0.1?stream localhost?stream no curl_exec no curl_exec 
getinfo disabled: 127.0.0.1?stream localhost?stream 
off:  
off for scripts:  
