/** How far back a provider is looked at, as the address bar says it. */

export interface Range {
  name: string;
  label: string;
  span_s: number;
  /** Charts move no faster than their points. */
  every_ms: number;
  /** What the breakdown is asked for: the daemon adds up at most a week. */
  window: string;
}

const range = (name: string, label: string, span_s: number, every_ms: number, window = name): Range => ({
  name,
  label,
  span_s,
  every_ms,
  window,
});

export const RANGES: readonly Range[] = [
  range("5m", "5 min", 300, 3_000),
  range("15m", "15 min", 900, 5_000),
  range("1h", "1 h", 3_600, 15_000),
  range("6h", "6 h", 21_600, 30_000),
  range("24h", "24 h", 86_400, 60_000),
  range("7d", "7 d", 604_800, 120_000),
  range("30d", "30 d", 2_592_000, 300_000, "7d"),
];
const DEFAULT = RANGES[1] as Range;

/** The range of that name; whatever else stands in the address is the default. */
export const rangeOf = (name: string | null): Range => RANGES.find((one) => one.name === name) ?? DEFAULT;

/** Only what is not the default stands in the address. */
export const inAddress = (name: string): string | null => (name === DEFAULT.name ? null : name);
