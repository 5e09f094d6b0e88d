--TEST--
A job of a worker is a trace of its own, sent when it ends, whatever happens in it
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$daemon = new Daemon;
$child = run_php(<<<'PHP'
    use Spanmill\{Provider, Span, Tracer};
    $worker = Tracer::start('worker');
    echo Tracer::unit('pay', fn() => 'returned ' . strlen(Tracer::traceId()), ['queue' => 'payments']), "\n";
    echo Tracer::stats()['sent'], " sent\n";
    try {
        Tracer::unit('refund', function () {
            $GLOBALS['open'] = [Tracer::start('left open'), Provider::call('bank', 'refund')];
            throw new DomainException('card 4111111111111111');
        });
    } catch (DomainException $exception) {
        echo get_class($exception), "\n";
    }
    $context = Tracer::extract(['Traceparent' => ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01']]);
    Tracer::unit('of a message', function () {
        $headers = ['X-Own' => 1, 'TraceParent' => 'stale'];
        Tracer::inject($headers);
        echo json_encode(array_map(fn($value) => $value === Tracer::traceparent() ? 'ours' : $value, $headers)), "\n";
    }, [], $context);
    echo $context->traceId(), ' ', $context->spanId(), ' ', $context->traceparent(), "\n";
    var_dump(Tracer::extract(['HTTP_TRACEPARENT' => 'nonsense']), Tracer::extract([]), Tracer::extract($_SERVER));
    var_dump(Tracer::extract(['HTTP_TRACEPARENT' => $context->traceparent()])->spanId());
    Tracer::start('below', [], Span::CONSUMER, $context)->end();
    Tracer::unit('that exits', function () { exit("left\n"); });
    PHP, ['spanmill.socket' => $daemon->path]);
echo $child['out'], $child['error'];
$spans = $daemon->list();
foreach ($spans as $span) {
    $of = $span['trace'] === '0af7651916cd43dd8448eb211c80319c' ? 'the message' : ($span['parent'] === '' ? 'itself' : 'another');
    echo "{$span['name']} {$span['kind']} {$span['status']} of $of ", json_encode($span['tags']), "\n";
}
echo count(array_unique(array_column($spans, 'trace'))), " traces\n";
?>
--EXPECT--
returned 32
1 sent
DomainException
{"X-Own":1,"traceparent":"ours"}
0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
NULL
NULL
NULL
string(16) "b7ad6b7169203331"
left
pay 5 0 of itself {"queue":"payments"}
bank refund 3 2 of another {"spanmill.provider":"bank","service.peer.name":"bank","peer.service":"bank","spanmill.operation":"refund","spanmill.outcome":"cancelled","error.type":"aborted"}
left open 1 2 of another {"error.type":"aborted"}
refund 5 2 of itself {"error.type":"DomainException"}
of a message 5 0 of the message []
below 5 0 of the message []
that exits 5 0 of itself []
worker 1 0 of itself {"spanmill.auto_end":true}
5 traces
