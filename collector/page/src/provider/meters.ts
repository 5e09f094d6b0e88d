/** Figures beside their normal, and where each stands on a ruler from an eighth to eight times of it. */
import type { Provider } from "../api/types";

export interface Meter {
  label: string;
  value: number;
  normal: number;
  unit: "ms" | "share" | "rate";
  /** 0 at an eighth of normal or less, 0.5 at normal, 1 at eight times or more. */
  part: number;
}

const DOUBLINGS = 3;
/** Where normally nothing fails, one in a thousand stands for nothing. */
const FAILED_FLOOR = 0.001;

function part(value: number, normal: number): number {
  if (value <= 0) return 0;
  return Math.min(1, Math.max(0, 0.5 + Math.log2(value / normal) / (2 * DOUBLINGS)));
}

export function meters({ baseline, p95_ms, failure_ratio, calls_per_s }: Provider): Meter[] {
  const rows: Meter[] = [];
  const add = (label: string, unit: Meter["unit"], value: number | null, normal: number | null | undefined, floor = 0) => {
    if (value === null || normal === null || normal === undefined || Math.max(normal, floor) <= 0) return;
    rows.push({ label, unit, value, normal, part: part(Math.max(value, floor), Math.max(normal, floor)) });
  };
  add("p95", "ms", p95_ms, baseline?.p95_ms);
  add("failed", "share", failure_ratio, baseline?.failure_ratio, FAILED_FLOOR);
  add("calls/s", "rate", calls_per_s, baseline?.calls_per_s);
  return rows;
}
