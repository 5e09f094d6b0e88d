/**
 * Worst first, but calm: a row moves when something happened, not because a figure breathes. Verdicts decide; among equals (and
 * while normal is not known yet) a coarse badness does, held until it has clearly changed; then the name.
 */
import type { Provider } from "../api/types";
import { meaning, VERDICTS } from "../ui/verdict";

/** Badness counts doublings. A row keeps its place until it has become one and a half times as bad, or as good. */
const HOLD = 0.6;

/** Where each kind of trouble begins to count, in the absence of a verdict. */
const FAILURES_FROM = 0.01;
const P95_FROM_MS = 1_000;
const OLDEST_FROM_MS = 5_000;

const doublings = (value: number | null | undefined, from: number) => (value && value > from ? Math.log2(value / from) : 0);

export function badness(provider: Provider): number {
  const normal = provider.baseline?.p95_ms;
  return Math.max(
    doublings(provider.failure_ratio, FAILURES_FROM),
    normal ? doublings(provider.p95_ms, 1.5 * normal) : doublings(provider.p95_ms, P95_FROM_MS),
    doublings(provider.oldest_in_flight_ms, OLDEST_FROM_MS),
  );
}

/** Muted rows are known trouble: below what is unknown, above what is well. */
function rank(provider: Provider): number {
  const { rank } = meaning(provider.verdict);
  return provider.muted ? Math.max(rank, VERDICTS.unknown.rank + 0.5) : rank;
}

export type SortKey = "worst" | "name" | "calls" | "failed" | "declined" | "p50" | "p95" | "p99" | "in_flight" | "conversion";

/** Every column but the name starts with its worst end up; what is null goes last. */
const COLUMNS: Record<Exclude<SortKey, "worst" | "name">, (provider: Provider) => number | null> = {
  calls: (p) => p.calls_per_s,
  failed: (p) => p.failure_ratio,
  declined: (p) => p.declined / Math.max(1, p.count - p.cancelled - p.client_fault),
  p50: (p) => p.p50_ms,
  p95: (p) => p.p95_ms,
  p99: (p) => p.p99_ms,
  in_flight: (p) => p.in_flight,
  conversion: (p) => (p.conversion?.["5m"] == null ? null : -p.conversion["5m"]),
};

const byName = (a: Provider, b: Provider) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

export class Order {
  private held = new Map<string, number>();
  private places = new Map<string, number>();

  /** With `hold` (somebody points into the table) known rows keep their places, so that nobody clicks the wrong one. */
  arrange(providers: readonly Provider[], key: SortKey, hold: boolean): Provider[] {
    this.observe(providers);
    const compare = hold && this.places.size > 0 ? this.byPlace(key) : this.by(key);
    const sorted = [...providers].sort(compare);
    this.places = new Map(sorted.map(({ name }, place) => [name, place]));
    return sorted;
  }

  private observe(providers: readonly Provider[]): void {
    const next = new Map<string, number>();
    for (const provider of providers) {
      const now = badness(provider);
      const before = this.held.get(provider.name);
      next.set(provider.name, before !== undefined && Math.abs(now - before) < HOLD ? before : now);
    }
    this.held = next;
  }

  private by(key: SortKey): (a: Provider, b: Provider) => number {
    if (key === "name") return byName;
    if (key === "worst") {
      const held = (provider: Provider) => this.held.get(provider.name) ?? 0;
      return (a, b) => rank(a) - rank(b) || held(b) - held(a) || byName(a, b);
    }
    const value = (provider: Provider) => COLUMNS[key](provider) ?? Number.NEGATIVE_INFINITY;
    return (a, b) => (value(a) === value(b) ? byName(a, b) : value(b) > value(a) ? 1 : -1);
  }

  private byPlace(key: SortKey): (a: Provider, b: Provider) => number {
    const place = (provider: Provider) => this.places.get(provider.name) ?? Number.MAX_SAFE_INTEGER;
    const otherwise = this.by(key);
    return (a, b) => place(a) - place(b) || otherwise(a, b);
  }
}
