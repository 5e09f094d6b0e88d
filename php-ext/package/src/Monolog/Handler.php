<?php

namespace Spanmill\Monolog;

use Monolog\Handler\HandlerInterface;
use Monolog\Logger;
use Spanmill\Tracer;

/**
 * Monolog's records as logs of the current span. Works with Monolog 2 and 3.
 *
 *     $logger->pushHandler(new Spanmill\Monolog\Handler);
 */
final class Handler implements HandlerInterface
{
    private int $level;

    /** @param int|string|\Monolog\Level $level the least level that is recorded */
    public function __construct(mixed $level = 'info')
    {
        $level = Logger::toMonologLevel($level);
        $this->level = \is_object($level) ? $level->value : $level;
    }

    public function isHandling($record): bool
    {
        return $record['level'] >= $this->level;
    }

    public function handle($record): bool
    {
        if ($this->isHandling($record)) {
            $fields = ['level' => \strtolower($record['level_name']), 'channel' => $record['channel']];
            Tracer::log($record['message'], $fields + $record['context']);
        }
        return false;
    }

    public function handleBatch(array $records): void
    {
        \array_walk($records, fn($record) => $this->handle($record));
    }

    public function close(): void
    {
    }
}
