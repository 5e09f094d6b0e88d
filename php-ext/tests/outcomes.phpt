--TEST--
Each end of a call has its outcome
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$daemon = new Daemon;
$child = run_php(<<<'PHP'
    use Spanmill\Provider;
    Provider::call('bank', 'ok')->ok();
    Provider::call('bank', 'declined')->declined();
    Provider::call('bank', 'failed')->failed('no route to host');
    Provider::call('bank', 'thrown')->failed(new DomainException('of its own class'));
    Provider::call('bank', 'timeout')->timeout();
    Provider::call('bank', 'end')->end();
    Provider::call('bank', 'dropped');
    $twice = Provider::call('bank', 'twice');
    $twice->ok();
    $twice->failed('too late');
    $twice->tag('too', 'late');
    try {
        $call = Provider::call('bank', 'interrupted');
        throw new Exception;
    } catch (Exception) {
        unset($call);
    }
    PHP, ['spanmill.socket' => $daemon->path]);
foreach ($daemon->spans() as $name => $span) {
    echo "$name: ", $span['tags']['spanmill.outcome'] ?? '-', ' ', $span['tags']['error.type'] ?? '-', ' ',
        $span['status'], ' ', $span['message'], "\n";
}
echo $child['out'], $child['error'];
?>
--EXPECT--
bank ok: ok - 1 
bank declined: declined - 0 
bank failed: failed _OTHER 2 no route to host
bank thrown: failed DomainException 2 of its own class
bank timeout: timeout timeout 2 no answer in time
bank end: - - 0 
bank dropped: cancelled cancelled 2 dropped without an outcome
bank twice: ok - 1 
bank interrupted: cancelled cancelled 2 dropped without an outcome
