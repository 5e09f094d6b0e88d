<?php

namespace Spanmill\Log;

use Psr\Log\AbstractLogger;
use Psr\Log\LoggerInterface;
use Spanmill\Tracer;

/**
 * Any PSR-3 logger, whose records are logs of the current span as well: who looks at a trace sees what the
 * application said, at the moment when it said it.
 *
 *     $logger = new Spanmill\Log\Logger($logger);
 */
final class Logger extends AbstractLogger
{
    public function __construct(private ?LoggerInterface $next = null)
    {
    }

    public function log($level, $message, array $context = []): void
    {
        Tracer::log((string) $message, ['level' => (string) $level] + $context);
        $this->next?->log($level, $message, $context);
    }
}
