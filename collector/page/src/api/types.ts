/** The answers of the daemon on 4316, as its API description promises them. Durations are milliseconds unless the name says otherwise. */

export type Verdict = "ok" | "slow" | "failing" | "hung" | "declining" | "silent" | "learning" | "unknown";

export interface OutcomeCounts {
  count: number;
  ok: number;
  declined: number;
  client_fault: number;
  failed: number;
  timeout: number;
  connect: number;
  cancelled: number;
}

export interface Baseline {
  p95_ms: number | null;
  failure_ratio: number | null;
  calls_per_s: number | null;
}

export interface Provider extends OutcomeCounts {
  name: string;
  calls_per_s: number;
  attempts: number;
  failure_ratio: number | null;
  conversion: Partial<Record<"5m" | "10m" | "15m", number | null>> | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  max_ms: number | null;
  sum_ms: number | null;
  failed_p95_ms: number | null;
  in_flight: number | null;
  oldest_in_flight_ms: number | null;
  baseline: Baseline | null;
  verdict: Verdict;
  since: string | null;
  scope: string | null;
  evidence: string | null;
  last_success: string | null;
  owner: string | null;
  runbook: string | null;
  status_page: string | null;
  muted: boolean;
}

export interface ProvidersAnswer {
  at: string;
  window_s: number;
  providers: Provider[];
}

export interface SeriesPoint extends OutcomeCounts {
  t: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  max_ms: number | null;
  sum_ms: number | null;
  in_flight: number | null;
  oldest_in_flight_ms: number | null;
}

export interface Annotation {
  id: number;
  t: number;
  at: string;
  text: string;
  tags: string[];
}

/** A verdict that held from `from` to `to`, unix seconds; `to` is null while it holds. */
export interface Held {
  from: number;
  to: number | null;
  verdict: string;
  scope: string;
}

export interface SeriesAnswer {
  name: string;
  step_s: number;
  points: SeriesPoint[];
  annotations?: Annotation[];
  verdicts?: Held[];
}

export interface Alert {
  id: string;
  /** `*` where one alert stands for many providers at once. */
  provider: string;
  kind: string;
  scope: string;
  started: string;
  detected: string;
  resolved: string | null;
  detected_after_s: number | null;
  evidence: string;
  exemplars: string[];
  severity: string;
  muted: boolean;
}

export interface AlertsAnswer {
  alerts: Alert[];
}

export type Dimension = "operation" | "host" | "service" | "endpoint";

export interface BreakdownFigures {
  count: number;
  share: number | null;
  failure_ratio: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export interface BreakdownAnswer {
  by: Dimension;
  rows: (BreakdownFigures & { key: string })[];
  other: BreakdownFigures | null;
  lost_keys: number;
}

export interface Exemplar {
  trace_id: string;
  span_id: string;
  at: string;
  operation: string | null;
  service: string | null;
  host: string | null;
  ms: number;
  outcome: string;
  jaeger_url: string | null;
}

export interface ExemplarsAnswer {
  exemplars: Exemplar[];
}

export interface HeatmapAnswer {
  step_s: number;
  bounds_ms: number[];
  columns: { t: number; counts: number[]; timeout: number; failed: number }[];
}

export interface UnmappedAnswer {
  peers: { peer: string; count: number; services: string[]; rule: string }[];
}

export interface Destination {
  forwarded: number;
  duplicates: number;
  not_for_forwarding: number;
  rejected_by_destination: number;
  dropped: Record<string, number>;
  queued: number;
  lag_s: number | null;
}

export interface Stats {
  received: number;
  rejected: Record<string, number>;
  masked: Record<string, number>;
  rolled_up: number;
  late: Record<string, number>;
  journal: { position: number; bytes: number; oldest_s: number | null; corrupt_records: number };
  destinations: Record<string, Destination>;
}

/** OTLP/JSON keeps 64-bit numbers as text, and enums as numbers or names. */
export interface AnyValue {
  stringValue?: string;
  intValue?: string | number;
  doubleValue?: number;
  boolValue?: boolean;
  bytesValue?: string;
  arrayValue?: { values?: AnyValue[] };
  kvlistValue?: { values?: KeyValue[] };
}

export interface KeyValue {
  key: string;
  value?: AnyValue;
}

export interface OtlpEvent {
  timeUnixNano?: string | number;
  name?: string;
  attributes?: KeyValue[];
}

export interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name?: string;
  kind?: number | string;
  startTimeUnixNano?: string | number;
  endTimeUnixNano?: string | number;
  attributes?: KeyValue[];
  events?: OtlpEvent[];
  status?: { code?: number | string; message?: string };
}

export interface TraceAnswer {
  complete?: boolean;
  resourceSpans?: {
    resource?: { attributes?: KeyValue[] };
    scopeSpans?: { spans?: OtlpSpan[] }[];
  }[];
}
