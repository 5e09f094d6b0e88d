<?php

namespace Spanmill\Guzzle;

use GuzzleHttp\Promise\Create;
use Psr\Http\Message\RequestInterface;
use Psr\Http\Message\ResponseInterface;
use Spanmill\Provider;

/**
 * Names the provider and the operation of Guzzle's requests. The extension sees them without it, by host; with it
 * the call has the name that the business uses, and each retry counts as its attempt.
 *
 *     $stack->push(Spanmill\Guzzle\Middleware::provider('acme-bank'));
 *     $client->post('/v2/pay', ['spanmill_operation' => 'authorize']);
 */
final class Middleware
{
    /** The operation of a request is its option `spanmill_operation`, else the method. */
    public static function provider(string $provider): callable
    {
        return static fn(callable $next): callable => static function (RequestInterface $request, array $options) use ($provider, $next) {
            $call = Provider::call($provider, $options['spanmill_operation'] ?? $request->getMethod());
            return $next($request, $options)->then(
                static function (ResponseInterface $response) use ($call) {
                    // The daemon reads the outcome from the status.
                    $call->tag('http.response.status_code', $response->getStatusCode());
                    $call->end();
                    return $response;
                },
                static function (mixed $reason) use ($call) {
                    $call->failed($reason instanceof \Throwable ? $reason : 'rejected');
                    return Create::rejectionFor($reason);
                },
            );
        };
    }
}
