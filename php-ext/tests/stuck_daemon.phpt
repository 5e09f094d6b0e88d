--TEST--
A daemon that takes nothing blocks nobody, and every span is accounted for
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$daemon = new Daemon;
$child = run_php(<<<'PHP'
    use Spanmill\{Provider, Tracer};
    $text = str_repeat('x', 4000);
    for ($i = 0; $i < 2000; $i++) {
        Provider::call('bank', 'authorize', ['text' => $text])->ok();
    }
    $stats = Tracer::stats();
    var_dump(Tracer::flush(), $stats['recorded'], $stats['sent'] > 0, $stats['dropped']['send'] > 0);
    var_dump($stats['sent'] + $stats['queued'] + array_sum($stats['dropped']));
    // Waiting is bounded: five packets of at most 16 spans.
    var_dump($stats['queued'] <= 80);
    PHP, ['spanmill.socket' => $daemon->path]);
echo $child['out'], $child['error'];
?>
--EXPECT--
bool(false)
int(2000)
bool(true)
bool(true)
int(2000)
bool(true)
