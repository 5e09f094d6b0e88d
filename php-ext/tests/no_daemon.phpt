--TEST--
Without a daemon spans are counted and the application goes on
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--INI--
spanmill.socket=/nonexistent/spanmill.sock
--FILE--
<?php
use Spanmill\{Provider, Tracer};
for ($i = 0; $i < 5000; $i++) {
    Provider::call('bank', 'authorize', ['i' => $i])->ok();
}
var_dump(Tracer::flush());
$stats = Tracer::stats();
var_dump($stats['recorded'], $stats['sent'], $stats['queued'], $stats['dropped']['no_daemon']);
?>
--EXPECT--
bool(true)
int(5000)
int(0)
int(0)
int(5000)
