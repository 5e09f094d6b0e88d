<?php
// A shop that takes three payments: one goes through, one is declined, one times out.
//
//     spanmill run                        # the daemon, in another terminal
//     php-ext/install                     # once
//     SPANMILL_SERVICE=shop php examples/php-basic/pay.php
//
// The calls appear on the daemon's page under `acme-bank`, their logs masked.

use Spanmill\Provider;
use Spanmill\Span;
use Spanmill\Tracer;

if (!extension_loaded('spanmill')) {
    fwrite(STDERR, "The extension spanmill is not loaded; php-ext/install installs it.\n");
    exit(1);
}

/** What the bank's API would answer: a code and a body, or null when it does not answer in time. */
function post(string $card): ?array
{
    usleep(30_000);
    return match ($card) {
        '4111111111111111' => [0, "<ok card=\"$card\"/>"],
        '5555555555554444' => [5, "<declined card=\"$card\"/>"],
        default => null,
    };
}

function authorize(string $card): void
{
    $call = Provider::call('acme-bank', 'authorize', ['payment.scheme' => $card[0] === '4' ? 'visa' : 'mastercard']);
    $answer = post($card);
    if ($answer === null) {
        $call->timeout();
        return;
    }
    [$code, $body] = $answer;
    $call->log('response', ['code' => $code, 'body' => $body]);
    $code === 0 ? $call->ok() : $call->declined('insufficient funds');
}

foreach (['4111111111111111', '5555555555554444', '4000000000000002'] as $card) {
    $request = Tracer::start('POST /checkout', ['cart.items' => 3], Span::SERVER);
    authorize($card);
    $request->end();
}

Tracer::flush();        // the end of the script does the same
$stats = Tracer::stats();
printf("%d spans sent, %d dropped\n", $stats['sent'], array_sum($stats['dropped']));
