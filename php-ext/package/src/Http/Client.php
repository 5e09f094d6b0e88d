<?php

namespace Spanmill\Http;

use Psr\Http\Client\ClientInterface;
use Psr\Http\Message\RequestInterface;
use Psr\Http\Message\ResponseInterface;
use Spanmill\Provider;

/**
 * Any PSR-18 client, whose requests are calls of one provider.
 *
 *     $bank = new Spanmill\Http\Client($client, 'acme-bank', fn($request) => trim($request->getUri()->getPath(), '/'));
 */
final class Client implements ClientInterface
{
    private \Closure $operation;

    /** @param ?callable(RequestInterface): string $operation one of few names; without it the method */
    public function __construct(private ClientInterface $next, private string $provider, ?callable $operation = null)
    {
        $this->operation = $operation === null ? static fn(RequestInterface $request) => $request->getMethod() : $operation(...);
    }

    public function sendRequest(RequestInterface $request): ResponseInterface
    {
        $call = Provider::call($this->provider, ($this->operation)($request));
        try {
            $response = $this->next->sendRequest($request);
        } catch (\Throwable $exception) {
            $call->failed($exception);
            throw $exception;
        }
        $call->tag('http.response.status_code', $response->getStatusCode());
        $call->end();
        return $response;
    }
}
