--TEST--
A bug in the extension, in whatever callback, ends the tracing and nothing else
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
require __DIR__ . '/web.inc';
[$daemon, $web] = [new Daemon, new Web];
$code = <<<PHP
    use Spanmill\{Provider, Tracer};
    \$span = Tracer::start('span', ['a' => 1]);
    \$call = Provider::call('bank', 'pay');
    \$curl = curl_init('$web->url/ok');
    curl_setopt(\$curl, CURLOPT_RETURNTRANSFER, true);
    echo curl_exec(\$curl), ' ', file_get_contents('$web->url/ok'), ' ';
    \$call->ok();
    \$span->end();
    echo Tracer::unit('unit', fn() => 'unit '), Tracer::flush() ? '' : '', ' ';
    \$later = Tracer::start('later');
    echo Tracer::traceId() === '' ? 'tracing is off' : 'tracing is on';
    PHP;
// A debug build breaks where this variable says.
foreach (['begin_request', 'start', 'before', 'after', 'open', 'end', 'flush', 'end_request'] as $where) {
    putenv("SPANMILL_TEST_PANIC=$where");
    $child = run_php($code, ['spanmill.socket' => $daemon->path], ['curl']);
    echo "$where: {$child['out']} {$child['error']}{$child['status']}\n";
}
putenv('SPANMILL_TEST_PANIC');
?>
--EXPECT--
begin_request: answer answer unit  tracing is off 0
start: answer answer unit  tracing is off 0
before: answer answer unit  tracing is off 0
after: answer answer unit  tracing is off 0
open: answer answer unit  tracing is off 0
end: answer answer unit  tracing is off 0
flush: answer answer unit  tracing is off 0
end_request: answer answer unit  tracing is on 0
