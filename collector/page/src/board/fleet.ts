/** All providers in a few numbers, and the words of the filter box. */
import type { Provider } from "../api/types";
import { declineRatio, failureRatio } from "../live/ratio";
import { meaning } from "../ui/verdict";

export interface Fleet {
  providers: number;
  calls_per_s: number;
  failure_ratio: number | null;
  decline_ratio: number | null;
  /** null when no provider has in-flight data. */
  in_flight: number | null;
  /** Worst first, only those that occur. */
  verdicts: { verdict: string; count: number }[];
}

const OUTCOMES = ["count", "ok", "declined", "client_fault", "failed", "timeout", "connect", "cancelled"] as const;

export function fleet(providers: readonly Provider[]): Fleet {
  const sum = { count: 0, ok: 0, declined: 0, client_fault: 0, failed: 0, timeout: 0, connect: 0, cancelled: 0 };
  const verdicts = new Map<string, number>();
  let calls = 0;
  let inFlight: number | null = null;
  for (const provider of providers) {
    for (const outcome of OUTCOMES) sum[outcome] += provider[outcome];
    calls += provider.calls_per_s;
    if (provider.in_flight !== null) inFlight = (inFlight ?? 0) + provider.in_flight;
    verdicts.set(provider.verdict, (verdicts.get(provider.verdict) ?? 0) + 1);
  }
  return {
    providers: providers.length,
    calls_per_s: calls,
    failure_ratio: failureRatio(sum),
    decline_ratio: declineRatio(sum),
    in_flight: inFlight,
    verdicts: [...verdicts]
      .map(([verdict, count]) => ({ verdict, count }))
      .sort((a, b) => meaning(a.verdict).rank - meaning(b.verdict).rank),
  };
}

/** Every word must occur in the name, the verdict, the scope or the owner. */
export function matches(provider: Provider, filter: string): boolean {
  const text =
    `${provider.name} ${meaning(provider.verdict).label} ${provider.scope ?? ""} ${provider.owner ?? ""}`.toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** What the browser's tab says: trouble is seen without opening it. */
export function tabTitle(providers: readonly Provider[]): string {
  const worst = fleet(providers.filter((provider) => !provider.muted)).verdicts.filter(
    ({ verdict }) => meaning(verdict).rank < 5,
  );
  if (worst.length === 0) return "spanmill";
  return `${worst.map(({ verdict, count }) => `${count} ${meaning(verdict).label.toLowerCase()}`).join(", ")} · spanmill`;
}
