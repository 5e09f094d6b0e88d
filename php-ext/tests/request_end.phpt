--TEST--
What exit, an exception or a fatal error leaves open is closed as aborted
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$ends = [
    'exit' => 'exit(3);',
    'exception' => 'throw new Exception("uncaught");',
    'fatal' => 'trigger_error("fatal", E_USER_ERROR);',
    'time' => 'set_time_limit(1); while (true);',
    'memory' => 'ini_set("memory_limit", "4M"); str_repeat("x", 1 << 30);',
];
foreach ($ends as $name => $end) {
    $daemon = new Daemon;
    $child = run_php(<<<PHP
        use Spanmill\{Provider, Tracer};
        function work() {
            // In an array, so that not even the end of the function lets go of them.
            \$GLOBALS['kept'] = [Tracer::start('checkout'), Provider::call('bank', 'pay')];
            $end
        }
        work();
        PHP, ['spanmill.socket' => $daemon->path, 'log_errors' => '0', 'display_errors' => '0']);
    $spans = $daemon->spans();
    echo "$name: ", $child['status'], ' ';
    foreach ($spans as $name => $span) {
        echo "$name ", $span['tags']['spanmill.outcome'] ?? '-', ' ', $span['tags']['error.type'] ?? '-', '; ';
    }
    echo "\n";
}
?>
--EXPECT--
exit: 3 bank pay cancelled aborted; checkout - aborted; 
exception: 255 bank pay cancelled aborted; checkout - aborted; 
fatal: 255 bank pay cancelled aborted; checkout - aborted; 
time: 255 bank pay cancelled aborted; checkout - aborted; 
memory: 255 bank pay cancelled aborted; checkout - aborted; 
