/** Which row of a breakdown the eye should find first: one that is clearly worse than the others, or none. */
import type { BreakdownFigures } from "../api/types";

/** Fewer calls than this make any percentile. */
const CALLS_MIN = 20;
const FAILED_MIN = 0.05;
const TIMES = 2;

function rest(row: BreakdownFigures, rows: readonly BreakdownFigures[], of: (row: BreakdownFigures) => number | null): number {
  let [sum, weight] = [0, 0];
  for (const other of rows) {
    const value = of(other);
    if (other === row || value === null) continue;
    sum += value * other.count;
    weight += other.count;
  }
  return weight > 0 ? sum / weight : Number.POSITIVE_INFINITY;
}

/** Against the mean of the others, weighted by their calls. */
export function standsOut(row: BreakdownFigures, rows: readonly BreakdownFigures[]): "failed" | "slow" | null {
  if (row.count < CALLS_MIN) return null;
  const failed = row.failure_ratio ?? 0;
  if (failed >= FAILED_MIN && failed >= TIMES * rest(row, rows, (one) => one.failure_ratio)) return "failed";
  if ((row.p95_ms ?? 0) >= TIMES * rest(row, rows, (one) => one.p95_ms)) return "slow";
  return null;
}
