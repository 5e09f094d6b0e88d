--TEST--
Switched off, nothing is recorded and nothing throws
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--INI--
spanmill.enabled=0
--FILE--
<?php
use Spanmill\{Provider, Span, Tracer};
$span = Tracer::start('checkout', ['a' => 1], Span::SERVER);
$span->tag('b', 2);
$span->tags(['c' => 3]);
$span->log('log', ['d' => 4]);
$span->failed(new Exception('e'));
$call = Provider::call('bank', 'authorize');
$call->tag('f', 5);
$call->log('log');
$call->ok();
Tracer::tag('g', 6);
Tracer::log('log');
var_dump(Tracer::current(), Tracer::traceparent(), Tracer::traceId(), Tracer::flush());
$span->end();
var_dump(Tracer::stats()['recorded']);
?>
--EXPECT--
NULL
NULL
string(0) ""
bool(false)
int(0)
