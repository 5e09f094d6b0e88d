<?php
// A queue worker: a long-running script in which each job is a trace of its own.
//
//     SHOP_PROVIDERS=providers.json php worker.php 10

use Spanmill\Provider;
use Spanmill\Tracer;

require __DIR__ . '/shop.php';

$shop = Shop::fromEnvironment();
for ($job = 1; $job <= (int) ($argv[1] ?? 1); $job++) {
    $done = Tracer::unit('pay out', function () use ($shop, $job) {
        // A call by hand gives it a name and an outcome; the HTTP request inside is its attempt.
        $call = Provider::call('tyrell-payouts', 'transfer', ['payout.number' => $job]);
        $status = $shop->ask('tyrell-payouts', 10);
        $call->log('answer', ['status' => $status, 'account' => 'DE89370400440532013000', 'card' => '4111111111111111']);
        $status === 200 ? $call->ok() : $call->failed("status $status");
        return $status;
    }, ['queue' => 'payouts']);
    echo "job $job: $done\n";
}
