--TEST--
Functions of the application that spanmill.hook_user names are spans
--SKIPIF--
<?php require __DIR__ . '/skip.inc'; ?>
--FILE--
<?php
require __DIR__ . '/daemon.inc';
$daemon = new Daemon;
$child = run_php(<<<'PHP'
    namespace Shop;
    class Cart {
        public function total(int $depth): int { return $depth ? $this->total($depth - 1) + 1 : unseen(); }
        public static function fail(): void { throw new \RangeException('card 4111111111111111'); }
        public function leave(): void { exit("left\n"); }
    }
    function unseen(): int { return seen(); }
    function seen(): int { \Spanmill\Tracer::tag('inside', true); return 1; }
    echo (new Cart)->total(1), "\n";
    try { Cart::fail(); } catch (\RangeException) { }
    (new Cart)->leave();
    PHP, ['spanmill.socket' => $daemon->path, 'spanmill.hook_user' => '"Shop\Cart::total, shop\SEEN;Shop\Cart::fail Shop\Cart::leave"']);
echo $child['out'], $child['error'];
$spans = $daemon->list();
$names = array_column($spans, 'name', 'id');
foreach ($spans as $span) {
    echo $span['name'], ' in ', $names[$span['parent']] ?? 'nothing', ' ', json_encode($span['tags']), "\n";
}
?>
--EXPECT--
2
left
Shop\seen in Shop\Cart::total {"inside":true}
Shop\Cart::total in Shop\Cart::total []
Shop\Cart::total in nothing []
Shop\Cart::fail in nothing {"error.type":"RangeException"}
Shop\Cart::leave in nothing []
