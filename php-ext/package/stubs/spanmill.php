<?php
// Made by generate.php out of the extension; not loaded when the extension is.

namespace Spanmill;

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

    public function traceId(): string
    {
    }

    public function spanId(): string
    {
    }

    public function traceparent(): string
    {
    }
}

final class Mask
{

    public static function add(string $pattern): bool
    {
    }
}

final class Provider
{

    public static function call(string $provider, string $operation, ?array $tags = null): \Spanmill\Call
    {
    }

    public static function verdict(string $provider): \Spanmill\Verdict
    {
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

final class Tracer
{

    public static function start(string $name, ?array $tags = null, ?int $kind = null, ?\Spanmill\Context $parent = null): \Spanmill\Span
    {
    }

    public static function unit(string $name, callable $work, ?array $tags = null, ?\Spanmill\Context $parent = null): mixed
    {
    }

    public static function current(): ?\Spanmill\Span
    {
    }

    public static function traceparent(): ?string
    {
    }

    public static function inject(mixed &$headers): void
    {
    }

    public static function extract(array $headers): ?\Spanmill\Context
    {
    }

    public static function traceId(): string
    {
    }

    public static function tag(string $key, mixed $value): void
    {
    }

    public static function log(string $name, ?array $fields = null): void
    {
    }

    public static function flush(): bool
    {
    }

    public static function stats(): array
    {
    }
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
