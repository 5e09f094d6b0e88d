/** From the answer of the heat map to cells: which rows are worth drawing, and how strong a cell is. */
import type { HeatmapAnswer } from "../api/types";

export interface Heat {
  /** The rows of `counts` that are drawn, from `low` to `high`, both included. */
  low: number;
  high: number;
  most: number;
  mostTimeout: number;
  mostFailed: number;
}

/** Empty rows above and below what there is would only push it together; one of each is kept as air. */
export function heat({ bounds_ms, columns }: HeatmapAnswer): Heat | null {
  const used = bounds_ms.map((_, row) => columns.some(({ counts }) => (counts[row] ?? 0) > 0));
  const first = used.indexOf(true);
  const troubled = columns.some(({ timeout, failed }) => timeout + failed > 0);
  if (first < 0 && !troubled) return null;
  const most = (of: (column: HeatmapAnswer["columns"][number]) => number) => columns.reduce((m, c) => Math.max(m, of(c)), 0);
  return {
    low: Math.max(0, first - 1),
    high: Math.min(bounds_ms.length - 1, used.lastIndexOf(true) + 1),
    most: most(({ counts }) => Math.max(0, ...counts)),
    mostTimeout: most(({ timeout }) => timeout),
    mostFailed: most(({ failed }) => failed),
  };
}

/** A single call is seen, and a hundred are not a hundred times as dark. */
export function strength(count: number, most: number): number {
  return count <= 0 || most <= 0 ? 0 : 0.14 + 0.86 * (Math.log1p(count) / Math.log1p(most));
}
