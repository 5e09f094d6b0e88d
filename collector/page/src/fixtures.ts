/** Well-behaved answers for tests to deviate from. */
import type { Provider, SeriesPoint } from "./api/types";

export function provider(change: Partial<Provider> = {}): Provider {
  return {
    name: "sberbank",
    calls_per_s: 41.2,
    count: 2472,
    attempts: 2490,
    ok: 2332,
    declined: 140,
    client_fault: 0,
    failed: 0,
    timeout: 0,
    connect: 0,
    cancelled: 0,
    failure_ratio: 0,
    conversion: null,
    p50_ms: 212,
    p95_ms: 803.1,
    p99_ms: 1071,
    max_ms: 2003,
    sum_ms: 610_233,
    failed_p95_ms: null,
    in_flight: null,
    oldest_in_flight_ms: null,
    baseline: null,
    verdict: "ok",
    since: null,
    scope: null,
    evidence: null,
    last_success: null,
    owner: null,
    runbook: null,
    status_page: null,
    muted: false,
    ...change,
  };
}

export function seriesPoint(change: Partial<SeriesPoint> = {}): SeriesPoint {
  return {
    t: 0,
    count: 0,
    ok: 0,
    declined: 0,
    client_fault: 0,
    failed: 0,
    timeout: 0,
    connect: 0,
    cancelled: 0,
    p50_ms: null,
    p95_ms: null,
    p99_ms: null,
    max_ms: null,
    sum_ms: null,
    in_flight: null,
    oldest_in_flight_ms: null,
    ...change,
  };
}
