/** From the points of a series to what the charts draw. */
import type { SeriesPoint } from "../api/types";

/** From the bottom up: what is wrong stands on the axis, where its height can be read. */
export const OUTCOMES = ["connect", "timeout", "failed", "declined", "client_fault", "cancelled", "ok"] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const OUTCOME_LABELS: Record<Outcome, string> = {
  connect: "no connection",
  timeout: "timed out",
  failed: "failed",
  declined: "declined",
  client_fault: "our fault",
  cancelled: "cancelled",
  ok: "ok",
};

export interface Rates {
  t: number[];
  /** Calls per second of each outcome, in the order of `OUTCOMES`. */
  each: number[][];
  /** The same, each on top of those before it. */
  stacked: number[][];
}

export function rates(points: readonly SeriesPoint[], step_s: number): Rates {
  const each = OUTCOMES.map((outcome) => points.map((point) => point[outcome] / step_s));
  let below: number[] = points.map(() => 0);
  const stacked = each.map((one) => {
    below = one.map((value, i) => value + (below[i] ?? 0));
    return below;
  });
  return { t: points.map(({ t }) => t), each, stacked };
}

/** The step that is still open holds only part of its seconds and would always look like a fall. */
export function sealed(points: readonly SeriesPoint[], step_s: number, now: number): SeriesPoint[] {
  return points.filter(({ t }) => t + step_s <= now);
}

/** Addresses come from the config, and are links only if they can do nothing but open a page. */
export function webAddress(text: string | null): string | null {
  if (text === null) return null;
  try {
    const { protocol, href } = new URL(text);
    return protocol === "https:" || protocol === "http:" ? href : null;
  } catch {
    return null;
  }
}

/** The nearest of 1, 2 and 5 times a power of ten that is not above `value` (or not below it). */
export function roundBelow(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return ([5, 2].find((step) => step * decade <= value) ?? 1) * decade;
}

export function roundAbove(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5].find((step) => step * decade >= value) ?? 10) * decade;
}
