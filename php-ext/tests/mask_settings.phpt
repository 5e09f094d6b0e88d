--TEST--
More can be masked by settings and at run time, never less
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$daemon = new Daemon;
$code = <<<'PHP'
    use Spanmill\{Mask, Tracer};
    $tags = ['passport' => '4510 123456', 'note' => 'card 4111111111111111, client TX-998877'];
    Tracer::start('before', $tags)->end();
    var_dump(Mask::add('TX-[0-9]+'), Mask::add('TX-[0-9]+'), @Mask::add('(unclosed'));
    Tracer::start('after', $tags)->end();
    echo strtok(error_get_last()['message'], "\n");
    PHP;
foreach ([[], ['spanmill.mask_keys' => 'passport', 'spanmill.mask_pan' => 'last4'], ['spanmill.mask_pan' => 'nonsense']] as $ini) {
    $child = run_php($code, ['spanmill.socket' => $daemon->path] + $ini);
    echo $child['out'], "\n", trim($child['error']), "\n";
    foreach ($daemon->spans() as $span) {
        echo "{$span['name']}: {$span['tags']['passport']}, {$span['tags']['note']}\n";
    }
}
?>
--EXPECTF--
bool(true)
bool(true)
bool(false)
Spanmill\Mask::add(): %s

before: 4510 123456, card 411111******1111, client TX-998877
after: 4510 123456, card 411111******1111, client %s
bool(true)
bool(true)
bool(false)
Spanmill\Mask::add(): %s

before: [masked], card ************1111, client TX-998877
after: [masked], card ************1111, client %s
bool(true)
bool(true)
bool(false)
Spanmill\Mask::add(): %s
Warning: PHP Startup: spanmill.mask_pan: 'nonsense' is none of first6_last4, last4 and full; taking full in Unknown on line 0
before: 4510 123456, card ****************, client TX-998877
after: 4510 123456, card ****************, client %s
