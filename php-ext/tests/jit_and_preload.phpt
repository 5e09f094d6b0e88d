--TEST--
With opcache, its JIT and preloading calls are seen as without them
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
require __DIR__ . '/web.inc';
[$daemon, $web] = [new Daemon, new Web];
$preload = tempnam(sys_get_temp_dir(), 'spanmill-preload-');
file_put_contents($preload, "<?php function get(string \$url): string { \$curl = curl_init(\$url); curl_setopt(\$curl, CURLOPT_RETURNTRANSFER, true); return curl_exec(\$curl); }\n");
$script = tempnam(sys_get_temp_dir(), 'spanmill-script-');
file_put_contents($script, <<<PHP
    <?php
    function_exists('get') || require '$preload';
    for (\$i = 0, \$sum = 0; \$i < 20000; \$i++) { \$sum += abs(-\$i); }
    for (\$i = 0; \$i < 3; \$i++) { Spanmill\Tracer::unit('job', fn() => get('$web->url/ok')); }
    echo \$sum, ' ', opcache_get_status(false)['jit']['on'] ?? false ? 'JIT' : 'no JIT', isset(opcache_get_status()['preload_statistics']) ? ' preloaded' : '';
    PHP);
$user = trim(shell_exec('id -un'));
foreach ([
    'opcache' => [],
    'function JIT' => ['opcache.jit' => 'function', 'opcache.jit_buffer_size' => '16M'],
    'tracing JIT' => ['opcache.jit' => 'tracing', 'opcache.jit_buffer_size' => '16M'],
    'preload' => ['opcache.preload' => $preload, 'opcache.preload_user' => $user],
] as $name => $ini) {
    foreach ([true, false] as $ours_first) {
        $command = [PHP_BINARY, '-n'];
        $extensions = ['extension=' . getenv('SPANMILL_SO'), 'zend_extension=opcache', 'extension=curl'];
        foreach ($ours_first ? $extensions : array_reverse($extensions) as $extension) {
            array_push($command, '-d', $extension);
        }
        foreach (['opcache.enable_cli' => 1, 'spanmill.socket' => $daemon->path, ...$ini] as $key => $value) {
            array_push($command, '-d', "$key=$value");
        }
        exec(implode(' ', array_map('escapeshellarg', [...$command, $script])) . ' 2>/dev/null', $out, $status);
        echo "$name: ", implode(' ', $out), ' ', $status, ' ', implode(' ', array_column($daemon->list(), 'name')), "\n";
        $out = [];
    }
}
unlink($preload);
unlink($script);
?>
--EXPECT--
opcache: 199990000 no JIT 0 GET job GET job GET job
opcache: 199990000 no JIT 0 GET job GET job GET job
function JIT: 199990000 JIT 0 GET job GET job GET job
function JIT: 199990000 JIT 0 GET job GET job GET job
tracing JIT: 199990000 JIT 0 GET job GET job GET job
tracing JIT: 199990000 JIT 0 GET job GET job GET job
preload: 199990000 no JIT preloaded 0 GET job GET job GET job
preload: 199990000 no JIT preloaded 0 GET job GET job GET job
