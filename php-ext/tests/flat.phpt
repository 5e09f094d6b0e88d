--TEST--
Memory, descriptors and threads of a worker stay as they are, over many spans and many daemons
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$daemon = new Daemon;
// SPANMILL_TEST_SPANS=2000000 for the long form.
$child = run_php(<<<'PHP'
    use Spanmill\{Provider, Tracer};
    function resident(): int { return (int) explode(' ', file_get_contents('/proc/self/statm'))[1] * 4; }
    function open(): int { return count(scandir('/proc/self/fd')); }
    $work = function (int $spans) {
        for ($i = 0; $i < $spans; $i++) {
            $call = Provider::call('bank', 'authorize', ['scheme' => 'visa', 'amount' => $i, 'card' => '4111111111111111']);
            $call->log('response', ['code' => 5]);
            $i % 3 ? $call->ok() : $call->declined('no');
        }
    };
    $work(20000);
    $before = [resident(), open()];
    $work((int) (getenv('SPANMILL_TEST_SPANS') ?: 100000));
    echo resident() - $before[0] < 512 ? 'flat' : 'grew by ' . (resident() - $before[0]) . ' KiB', ' ';
    echo open() - $before[1], ' more descriptors, ', count(scandir('/proc/self/task')) - 2, " thread\n";
    PHP, ['spanmill.socket' => $daemon->path]);
echo $child['out'], $child['error'];

$here = __DIR__;
// A daemon that goes and comes back a thousand times while a worker lives: the worker is its own daemon.
$worker = run_php(<<<PHP
    require '{$here}/daemon.inc';
    \$open = fn() => count(scandir('/proc/self/fd'));
    \$path = ini_get('spanmill.socket');
    \$connected = 0;
    for (\$i = 0; \$i < 1000; \$i++) {
        \$daemon = new Daemon(\$path);
        Spanmill\Tracer::unit('job', fn() => null);
        \$connected += count(\$daemon->list());
        unset(\$daemon);
        \$i === 10 && \$before = \$open();
    }
    echo \$open() - \$before, ' more descriptors, ', \$connected > 0 ? 'connected' : 'never connected', "\n";
    PHP, ['spanmill.socket' => $daemon->path . '.2'], ['sockets']);
echo $worker['out'], $worker['error'];
?>
--EXPECT--
flat 0 more descriptors, 1 thread
0 more descriptors, connected
