--TEST--
A span and the call below it arrive with their tags, logs and outcome
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$daemon = new Daemon;
$child = run_php(<<<'PHP'
    use Spanmill\{Provider, Span, Tracer};
    $span = Tracer::start('checkout', ['cart.items' => 3], Span::SERVER);
    $call = Provider::call('sberbank', 'authorize', ['payment.scheme' => 'visa', 'amount' => 12.5, '3ds' => true]);
    $call->log('response', ['code' => 5, 'body' => '<declined/>']);
    Tracer::tag('tagged', 'the call, which is current');
    $attempt = Tracer::start('POST', [], Span::CLIENT);
    $attempt->end();
    $call->declined('insufficient funds');
    Tracer::tag('order', ['id' => 7, 'lines' => ['a', 'b'], 'nothing' => null, 'at' => new DateTime]);
    echo Tracer::traceId(), ' ', Tracer::traceparent();
    $span->end();
    var_dump(Tracer::current());
    PHP, ['spanmill.socket' => $daemon->path, 'spanmill.service' => 'shop']);
$spans = $daemon->spans();
['checkout' => $span, 'sberbank authorize' => $call, 'POST' => $attempt] = $spans;
echo count($spans), " spans of ", $span['resource']['service.name'], ' in ', $span['resource']['telemetry.sdk.language'], "\n";
var_dump($child['out'] === "{$span['trace']} 00-{$span['trace']}-{$span['id']}-01NULL\n");
var_dump($span['parent'] === '' && $call['parent'] === $span['id'] && $attempt['parent'] === $call['id']);
var_dump($call['trace'] === $span['trace'] && $call['start'] >= $span['start'] && $call['end'] <= $span['end']);
var_dump(abs($span['start'] / 1e9 - time()) < 60);
echo json_encode([$span['kind'], $span['tags']]), "\n";
echo json_encode([$call['kind'], $call['tags'], $call['logs']]), "\n";
echo json_encode([$attempt['kind'], $attempt['tags']]), "\n";
echo $child['error'];
?>
--EXPECT--
3 spans of shop in php
bool(true)
bool(true)
bool(true)
bool(true)
[2,{"cart.items":3,"order.id":7,"order.lines":["a","b"],"order.at":"DateTime"}]
[3,{"spanmill.provider":"sberbank","service.peer.name":"sberbank","peer.service":"sberbank","spanmill.operation":"authorize","payment.scheme":"visa","amount":12.5,"3ds":true,"tagged":"the call, which is current","spanmill.outcome":"declined","spanmill.decline_reason":"insufficient funds"},[["response",{"code":5,"body":"<declined\/>"}]]]
[3,{"spanmill.provider":"sberbank","service.peer.name":"sberbank","peer.service":"sberbank","spanmill.attempt":true}]
