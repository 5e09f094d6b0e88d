<?php
require __DIR__ . '/daemon.inc';
$daemon = new Daemon;
$child = run_php(<<<'PHP'
    use Spanmill\{Provider, Tracer};
    Tracer::start('before')->end();
    $span = Tracer::start('parent');
    if (pcntl_fork() === 0) {
        Provider::call('bank', 'child')->ok();
        echo Tracer::stats()['recorded'], "\n";
        exit;
    }
    pcntl_wait($status);
    $span->end();
    PHP, ['spanmill.socket' => $daemon->path]);
$names = [];
foreach ($daemon->packets() as $packet) {
    foreach (fields($packet)[1] as $resourceSpans) {
        foreach (fields(fields($resourceSpans)[2][0])[2] as $bytes) {
            $span = span($bytes, []);
            $names[] = $span['name'];
            $spans[$span['name']] = $span;
        }
    }
}
sort($names);
echo json_encode($names), "\n";
var_dump($spans['bank child']['parent'] === $spans['parent']['id']);
var_dump($spans['bank child']['trace'] === $spans['parent']['trace']);
var_dump(count(array_unique(array_column($spans, 'id'))));
echo $child['out'], $child['error'];
?>
