<?php
// What a span costs: start, three tags, end, encoded and masked. Run by `php-ext/benches/run`.

require __DIR__ . '/measure.php';

/** What pure PHP would do: an object with an id and tags, not encoded, not masked. */
final class PlainSpan
{
    public string $id;
    public array $tags = [];
    public float $start;
    public float $end;

    public function __construct(public string $name)
    {
        $this->id = bin2hex(random_bytes(8));
        $this->start = microtime(true);
    }

    public function tag(string $key, mixed $value): void
    {
        $this->tags[$key] = $value;
    }

    public function end(): void
    {
        $this->end = microtime(true);
    }
}

$cases = [
    'a span in plain PHP, with 3 tags, neither encoded nor masked' => function (int $calls) {
        for ($i = 0; $i < $calls; $i++) {
            $span = new PlainSpan('authorize');
            $span->tag('payment.scheme', 'visa');
            $span->tag('amount', $i);
            $span->tag('currency', 'EUR');
            $span->end();
        }
    },
];
if (extension_loaded('spanmill')) {
    $cases += [
        'Tracer::start() with 3 tags, end()' => function (int $calls) {
            for ($i = 0; $i < $calls; $i++) {
                Spanmill\Tracer::start('authorize', ['payment.scheme' => 'visa', 'amount' => $i, 'currency' => 'EUR'])->end();
            }
        },
        'Provider::call() with 3 tags, ok()' => function (int $calls) {
            for ($i = 0; $i < $calls; $i++) {
                Spanmill\Provider::call('acme-bank', 'authorize', ['payment.scheme' => 'visa', 'amount' => $i, 'currency' => 'EUR'])->ok();
            }
        },
        'Provider::verdict()' => function (int $calls) {
            for ($i = 0; $i < $calls; $i++) {
                Spanmill\Provider::verdict('acme-bank');
            }
        },
    ];
}
foreach ($cases as $name => $work) {
    printf("%-64s %7.0f ns\n", $name, cost($work, 200_000));
}
