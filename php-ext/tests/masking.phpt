--TEST--
No secret leaves the process, wherever it stands
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$daemon = new Daemon;
$child = run_php(<<<'PHP'
    use Spanmill\{Provider, Tracer};
    const PAN = '4111111111111111';
    $span = Tracer::start('pay ' . PAN, ['url' => 'https://shop.example/?card=' . PAN . '&n=1']);
    $span->tags(['int' => (int) PAN, 'float' => (float) PAN, 'bytes' => "\xff " . PAN, 'list' => [PAN, (int) PAN]]);
    $span->tag('card', ['number' => PAN, 'cvv' => '7391', 'password' => 'hunter2-secret', 'n' => ['pin' => 7391]]);
    $span->tag(PAN, 1);
    $span->log(PAN, ['body' => '<pan>' . PAN . '</pan>', 'authorization' => 'Basic hunter2']);
    $call = Provider::call('bank ' . PAN, 'pay ' . PAN);
    $call->failed(new Exception('refused ' . PAN));
    $span->end();
    echo Tracer::stats()['masked'] >= 14 ? "counted\n" : Tracer::stats()['masked'];
    PHP, ['spanmill.socket' => $daemon->path, 'spanmill.service' => 'shop 4111111111111111']);
$bytes = implode($daemon->packets());
foreach (['4111111111111111', '411111111111', 'hunter2', '7391', pack('d', 4111111111111111.0)] as $secret) {
    var_dump(str_contains($bytes, $secret));
}
var_dump(str_contains($bytes, 'https://shop.example/?card=411111******1111&n=1'));
echo $child['out'], $child['error'];
?>
--EXPECT--
bool(false)
bool(false)
bool(false)
bool(false)
bool(false)
bool(true)
counted
