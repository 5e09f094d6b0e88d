<?php
require __DIR__ . '/daemon.inc';
$daemon = new Daemon;
$child = run_php(<<<'PHP'
    use Spanmill\Tracer;
    $outer = Tracer::start('outer');
    Tracer::current()->tag('seen', true);
    function work() {
        $inner = Tracer::start('inner');
        Tracer::current()->log('working');
    }
    work();
    // In the wrong order: what is below keeps its parent.
    $first = Tracer::start('first');
    $second = Tracer::start('second');
    $first->end();
    $third = Tracer::start('third');
    $third->end();
    $second->end();
    $outer->end();
    // A thousand spans may be open; the rest is counted.
    $open = [];
    for ($i = 0; $i < 1005; $i++) {
        $open[] = Tracer::start('deep');
    }
    echo Tracer::stats()['over_limit'], "\n";
    try {
        new Spanmill\Span;
    } catch (Throwable) {
        echo "only Tracer::start() makes spans\n";
    }
    PHP, ['spanmill.socket' => $daemon->path]);
$spans = $daemon->spans();
$parent = fn($name) => array_column($spans, 'name', 'id')[$spans[$name]['parent']] ?? '-';
echo json_encode([$spans['outer']['tags'], $spans['inner']['tags'], $spans['inner']['logs']]), "\n";
echo json_encode(array_map($parent, ['inner', 'first', 'second', 'third'])), "\n";
echo $child['out'], $child['error'];
?>
