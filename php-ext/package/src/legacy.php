<?php
// The names of jaeger-client-php-ext for applications that were written for it. Loaded by those who want it:
//
//     require 'vendor/spanmill/spanmill/src/legacy.php';

use Spanmill\Context;
use Spanmill\Span;
use Spanmill\Tracer as Spanmill;

if (!class_exists(Tracer::class, false)) {
    final class Tracer
    {
        /** Settings come from php.ini and the environment. */
        public static function init(string $name = '', array $options = []): void
        {
        }

        /** The parent is the current span, or a context in `childOf` or `followsFrom`. */
        public static function startSpan(string $name, array $options = []): JaegerSpan
        {
            $parent = $options['childOf'] ?? $options['followsFrom'] ?? null;
            return new JaegerSpan(Spanmill::start($name, [], null, $parent instanceof Context ? $parent : null));
        }

        public static function finishSpan(?JaegerSpan $span = null): void
        {
            $span === null ? Spanmill::current()?->end() : $span->finish();
        }

        public static function getCurrentSpan(): ?JaegerSpan
        {
            $span = Spanmill::current();
            return $span === null ? null : new JaegerSpan($span);
        }

        public static function getCurrentTraceId(): string
        {
            return Spanmill::traceId();
        }

        public static function addTags(array $tags): void
        {
            Spanmill::current()?->tags($tags);
        }

        public static function addLogs(array $logs): void
        {
            Spanmill::current()?->log((string) ($logs['event'] ?? 'log'), $logs);
        }

        /** Into an array of headers. */
        public static function inject(mixed $context, string $format, mixed &$carrier): void
        {
            Spanmill::inject($carrier);
        }

        public static function extract(string $format, array $carrier): ?Context
        {
            return Spanmill::extract($carrier);
        }

        public static function flush(): void
        {
            Spanmill::flush();
        }
    }

    final class JaegerSpan
    {
        public function __construct(private Span $span)
        {
        }

        public function addTags(array $tags): void
        {
            $this->span->tags($tags);
        }

        public function addLogs(array $logs): void
        {
            $this->span->log((string) ($logs['event'] ?? 'log'), $logs);
        }

        public function finish(): void
        {
            $this->span->end();
        }
    }
}
