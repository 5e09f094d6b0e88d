/** From OTLP/JSON to the rows of a waterfall. What a sender may get wrong (lost parents, loops, clocks) costs a row its place, never the view. */
import type { AnyValue, KeyValue, OtlpSpan, TraceAnswer } from "../api/types";

export interface Tag {
  key: string;
  value: string;
}

export interface Log {
  /** From the start of the trace. */
  at_ms: number;
  name: string;
  tags: Tag[];
}

export interface SpanRow {
  id: string;
  name: string;
  service: string;
  kind: string;
  depth: number;
  start_ms: number;
  duration_ms: number;
  failed: boolean;
  status: string | null;
  /** It names a parent that is not among the spans at hand. */
  orphan: boolean;
  tags: Tag[];
  resource: Tag[];
  logs: Log[];
}

export interface Waterfall {
  rows: SpanRow[];
  duration_ms: number;
  started: string | null;
  services: string[];
  /** Spans that were left out of `rows`. */
  omitted: number;
}

/** A browser draws this many rows without stutter; what is more is counted. */
export const ROWS_MAX = 2_000;

const KINDS = ["", "internal", "server", "client", "producer", "consumer"];

function kindOf(kind: number | string | undefined): string {
  if (typeof kind === "number") return KINDS[kind] ?? "";
  return kind?.replace(/^SPAN_KIND_/, "").toLowerCase() ?? "";
}

function nanos(time: string | number | undefined): bigint {
  try {
    return BigInt(time ?? 0);
  } catch {
    return 0n;
  }
}

const msBetween = (from: bigint, to: bigint) => Number(to - from) / 1e6;

export function valueText(value: AnyValue | undefined): string {
  if (!value) return "";
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.arrayValue) return `[${(value.arrayValue.values ?? []).map(valueText).join(", ")}]`;
  if (value.kvlistValue)
    return `{${tagsOf(value.kvlistValue.values)
      .map(({ key, value }) => `${key}: ${value}`)
      .join(", ")}}`;
  return String(value.intValue ?? value.doubleValue ?? value.boolValue ?? value.bytesValue ?? "");
}

function tagsOf(attributes: KeyValue[] | undefined): Tag[] {
  return (attributes ?? []).map(({ key, value }) => ({ key, value: valueText(value) }));
}

interface Found {
  span: OtlpSpan;
  resource: Tag[];
  start: bigint;
}

function find(answer: TraceAnswer): Found[] {
  const found = new Map<string, Found>();
  for (const { resource, scopeSpans } of answer.resourceSpans ?? []) {
    const tags = tagsOf(resource?.attributes);
    for (const span of (scopeSpans ?? []).flatMap(({ spans }) => spans ?? [])) {
      // Delivery is at least once: the same span may be there twice.
      if (!found.has(span.spanId)) found.set(span.spanId, { span, resource: tags, start: nanos(span.startTimeUnixNano) });
    }
  }
  return [...found.values()].sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}

export function waterfall(answer: TraceAnswer): Waterfall {
  const found = find(answer);
  const start = found[0]?.start ?? 0n;
  const children = new Map<string, Found[]>();
  const known = new Set(found.map(({ span }) => span.spanId));
  const roots: Found[] = [];
  for (const one of found) {
    const parent = one.span.parentSpanId;
    if (!parent || !known.has(parent)) roots.push(one);
    else children.set(parent, [...(children.get(parent) ?? []), one]);
  }
  const rows: SpanRow[] = [];
  const seen = new Set<string>();
  const walk = (from: Found[]) => {
    const stack = from.map((one) => ({ one, depth: 0 })).reverse();
    for (let next = stack.pop(); next; next = stack.pop()) {
      const { one, depth } = next;
      if (seen.has(one.span.spanId)) continue;
      seen.add(one.span.spanId);
      if (rows.length < ROWS_MAX) rows.push(row(one, depth, start, known));
      for (const child of (children.get(one.span.spanId) ?? []).reverse()) stack.push({ one: child, depth: depth + 1 });
    }
  };
  walk(roots);
  // Spans that name each other as parents hang on no root.
  for (const one of found) if (!seen.has(one.span.spanId)) walk([one]);
  const end = found.reduce(
    (latest, { span }) => (nanos(span.endTimeUnixNano) > latest ? nanos(span.endTimeUnixNano) : latest),
    start,
  );
  return {
    rows,
    duration_ms: msBetween(start, end),
    started: start > 0n ? new Date(Number(start / 1_000_000n)).toISOString() : null,
    services: [...new Set(rows.map(({ service }) => service))],
    omitted: found.length - rows.length,
  };
}

function row({ span, resource, start }: Found, depth: number, traceStart: bigint, known: Set<string>): SpanRow {
  const code = span.status?.code;
  return {
    id: span.spanId,
    name: span.name ?? "",
    service: resource.find(({ key }) => key === "service.name")?.value ?? "unknown service",
    kind: kindOf(span.kind),
    depth,
    start_ms: msBetween(traceStart, start),
    duration_ms: Math.max(0, msBetween(start, nanos(span.endTimeUnixNano))),
    failed: code === 2 || code === "STATUS_CODE_ERROR",
    status: span.status?.message || null,
    orphan: Boolean(span.parentSpanId) && !known.has(span.parentSpanId ?? ""),
    tags: tagsOf(span.attributes),
    resource,
    logs: (span.events ?? []).map((event) => ({
      at_ms: msBetween(traceStart, nanos(event.timeUnixNano)),
      name: event.name ?? "",
      tags: tagsOf(event.attributes),
    })),
  };
}

/** Splits a text at what was masked in it, so that it can be shown as masked and not as odd data. */
export function maskedParts(text: string): { text: string; masked: boolean }[] {
  const parts = text.split(/(\[masked\]|\d{0,6}\*{4,}\d{0,4})/);
  return parts.map((part, i) => ({ text: part, masked: i % 2 === 1 })).filter((part) => part.text !== "");
}
