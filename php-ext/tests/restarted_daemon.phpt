--TEST--
A daemon that was restarted is found again, and a broken connection costs nothing
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$first = new Daemon;
$second = null;
$code = <<<'PHP'
    use Spanmill\Tracer;
    Tracer::start('first')->end();
    Tracer::flush();
    echo "go\n";
    fgets(STDIN);
    Tracer::start('second')->end();
    PHP;
$command = [PHP_BINARY, '-n', '-d', 'extension=' . getenv('SPANMILL_SO'), '-d', "spanmill.socket=$first->path", '-r', $code];
$process = proc_open($command, [0 => ['pipe', 'r'], 1 => ['pipe', 'w']], $pipes);
fgets($pipes[1]);
echo json_encode(array_keys($first->spans())), "\n";
// The same path, another daemon.
$path = $first->path;
$first = null;
gc_collect_cycles();
$second = new Daemon($path);
fwrite($pipes[0], "go\n");
stream_get_contents($pipes[1]);
proc_close($process);
echo json_encode(array_keys($second->spans())), "\n";
?>
--EXPECT--
["first"]
["second"]
