/** Numbers as people read them at a glance: few digits, a unit, and a dash where there is nothing to say. */

/** What stands where a figure is unknown (never a zero: zero is a statement). */
export const NOTHING = "–";

/** Keeps a number and its unit on one line. */
const GAP = "\u202f";

function fixed(value: number, digits: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** 0.42 ms · 8.3 ms · 803 ms · 3.07 s · 45 s · 2 min 5 s · 3 h 20 min */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NOTHING;
  if (ms < 0.995) return `${fixed(ms, ms === 0 ? 0 : 2)}${GAP}ms`;
  if (ms < 9.95) return `${fixed(ms, 1)}${GAP}ms`;
  if (ms < 999.5) return `${fixed(ms, 0)}${GAP}ms`;
  if (ms < 9_995) return `${fixed(ms / 1000, 2)}${GAP}s`;
  if (ms < 19_950) return `${fixed(ms / 1000, 1)}${GAP}s`;
  return elapsed(ms);
}

/** Whole units for ages: 0 s · 32 s · 2 min 5 s · 3 h 20 min · 4 d 2 h */
export function elapsed(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NOTHING;
  const seconds = Math.max(0, Math.round(ms / 1000));
  const pairs: [number, string, number, string][] = [
    [86_400, "d", 3_600, "h"],
    [3_600, "h", 60, "min"],
    [60, "min", 1, "s"],
  ];
  for (const [size, unit, small, smallUnit] of pairs) {
    if (seconds < size) continue;
    const rest = Math.floor((seconds % size) / small);
    return `${Math.floor(seconds / size)}${GAP}${unit}${rest ? ` ${rest}${GAP}${smallUnit}` : ""}`;
  }
  return `${seconds}${GAP}s`;
}

/** Per second: 0.52 · 8.1 · 41.2 · 1,204 */
export function rate(perSecond: number | null | undefined): string {
  if (perSecond === null || perSecond === undefined || !Number.isFinite(perSecond)) return NOTHING;
  if (perSecond === 0) return "0";
  return fixed(perSecond, perSecond < 1 ? 2 : perSecond < 99.95 ? 1 : 0);
}

/** 0 % · 0.03 % · 0.8 % · 31 %; what is not quite all never reads as 100 %, and what is not quite nothing never as 0 %. */
export function share(ratio: number | null | undefined): string {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return NOTHING;
  const percent = ratio * 100;
  if (percent <= 0) return `0${GAP}%`;
  if (percent >= 100) return `100${GAP}%`;
  if (percent < 0.01) return `<${GAP}0.01${GAP}%`;
  if (percent > 99) return `${fixed(Math.min(percent, 99.9), 1)}${GAP}%`;
  const digits = percent < 0.095 ? 2 : percent < 9.95 ? 1 : 0;
  return `${fixed(percent, digits)}${GAP}%`;
}

/** Conversion moves by tenths of a percent and each is money, so it always has one decimal. */
export function conversionShare(ratio: number | null | undefined): string {
  if (ratio === null || ratio === undefined || !Number.isFinite(ratio)) return NOTHING;
  if (ratio >= 1) return `100${GAP}%`;
  return `${fixed(Math.min(Math.floor(ratio * 1000 + 0.5) / 10, 99.9), 1)}${GAP}%`;
}

/** 512 · 12,345 · 1.20 M · 3.41 G */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  if (value < 999_500) return fixed(value, 0);
  if (value < 999_500_000) return `${fixed(value / 1e6, 2)}${GAP}M`;
  return `${fixed(value / 1e9, 2)}${GAP}G`;
}

/** 512 B · 84.1 MiB */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${fixed(size, unit === 0 || size >= 99.95 ? 0 : 1)}${GAP}${units[unit]}`;
}

/** How many times of normal: ×1.3 · ×12 */
export function times(value: number | null | undefined, normal: number | null | undefined): string | null {
  if (!value || !normal) return null;
  const ratio = value / normal;
  return `×${fixed(ratio, ratio < 9.95 ? 1 : 0)}`;
}

/** The clock of the daemon, in UTC as its logs: 20:15:03 */
export function clock(at: string | null | undefined): string {
  const moment = at ? new Date(at) : null;
  return moment && !Number.isNaN(moment.getTime()) ? moment.toISOString().slice(11, 19) : NOTHING;
}
