<?php
// The extension's classes for a PHP that does not have it: everything is there and does nothing.

namespace Spanmill;

if (\extension_loaded('spanmill')) {
    return;
}

enum Verdict: string
{
    case Unknown = 'unknown';
    case Learning = 'learning';
    case Ok = 'ok';
    case Slow = 'slow';
    case Failing = 'failing';
    case Hung = 'hung';
    case Declining = 'declining';
    case Silent = 'silent';
}

final class Tracer
{
    private function __construct()
    {
    }

    public static function start(string $name, ?array $tags = null, ?int $kind = null, ?Context $parent = null): Span
    {
        return new Span;
    }

    public static function unit(string $name, callable $work, ?array $tags = null, ?Context $parent = null): mixed
    {
        return $work();
    }

    public static function current(): ?Span
    {
        return null;
    }

    public static function traceparent(): ?string
    {
        return null;
    }

    public static function inject(mixed &$headers): void
    {
    }

    public static function extract(array $headers): ?Context
    {
        return null;
    }

    public static function traceId(): string
    {
        return '';
    }

    public static function tag(string $key, mixed $value): void
    {
    }

    public static function log(string $name, ?array $fields = null): void
    {
    }

    public static function flush(): bool
    {
        return true;
    }

    public static function stats(): array
    {
        return [];
    }
}

final class Span
{
    public const INTERNAL = 1;
    public const SERVER = 2;
    public const CLIENT = 3;
    public const PRODUCER = 4;
    public const CONSUMER = 5;

    public function tag(string $key, mixed $value): void
    {
    }

    public function tags(array $tags): void
    {
    }

    public function log(string $name, ?array $fields = null): void
    {
    }

    public function failed(mixed $error): void
    {
    }

    public function end(): void
    {
    }
}

final class Provider
{
    private function __construct()
    {
    }

    public static function call(string $provider, string $operation, ?array $tags = null): Call
    {
        return new Call;
    }

    public static function verdict(string $provider): Verdict
    {
        return Verdict::Unknown;
    }
}

final class Call
{
    public function tag(string $key, mixed $value): void
    {
    }

    public function log(string $name, ?array $fields = null): void
    {
    }

    public function ok(): void
    {
    }

    public function declined(?string $reason = null): void
    {
    }

    public function failed(mixed $error = null): void
    {
    }

    public function timeout(): void
    {
    }

    public function end(): void
    {
    }
}

final class Context
{
    private function __construct()
    {
    }

    public function traceId(): string
    {
        return '';
    }

    public function spanId(): string
    {
        return '';
    }

    public function traceparent(): string
    {
        return '';
    }
}

final class Mask
{
    private function __construct()
    {
    }

    public static function add(string $pattern): bool
    {
        return true;
    }
}
