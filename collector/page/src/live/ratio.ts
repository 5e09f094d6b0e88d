/** The shares of the contract: the caller's own faults and cancellations are not held against a provider; 0/0 is null. */
import type { OutcomeCounts } from "../api/types";

const over = (part: number, whole: number): number | null => (whole > 0 ? part / whole : null);
const judged = (counts: OutcomeCounts) => counts.count - counts.cancelled - counts.client_fault;

export function failureRatio(counts: OutcomeCounts): number | null {
  return over(counts.failed + counts.timeout + counts.connect, judged(counts));
}

export function declineRatio(counts: OutcomeCounts): number | null {
  return over(counts.declined, judged(counts));
}
