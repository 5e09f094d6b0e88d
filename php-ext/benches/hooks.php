<?php
// What the extension costs code that it does not hook, and what it costs a hooked curl_exec(), which fails here at
// connecting to a closed port. Run with and without it by `php-ext/benches/run`.

require __DIR__ . '/measure.php';

function nothing(int $i): int
{
    return $i;
}

final class Thing
{
    public function nothing(int $i): int
    {
        return $i;
    }
}

$thing = new Thing;
$curl = curl_init('http://127.0.0.1:1/pay?order=7');
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
$cases = [
    'user function' => [1_000_000, function (int $calls) { for ($i = 0; $i < $calls; $i++) { nothing($i); } }],
    'method' => [1_000_000, function (int $calls) use ($thing) { for ($i = 0; $i < $calls; $i++) { $thing->nothing($i); } }],
    'internal function' => [1_000_000, function (int $calls) { for ($i = 0; $i < $calls; $i++) { abs($i); } }],
    'curl_exec' => [5_000, function (int $calls) use ($curl) { for ($i = 0; $i < $calls; $i++) { curl_exec($curl); } }],
];
foreach ($cases as $name => [$calls, $work]) {
    printf("%s\t%.1f\n", $name, cost($work, $calls));
}
