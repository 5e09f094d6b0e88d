import { describe, expect, it } from "vitest";
import type { Stats } from "../api/types";
import { health } from "./health";

const stats = (change: Partial<Stats> = {}): Stats => ({
  received: 1_000,
  rejected: { malformed: 0, too_large: 0 },
  masked: { pan: 3, key: 4 },
  rolled_up: 900,
  late: {},
  journal: { position: 1, bytes: 1024, oldest_s: 60, corrupt_records: 0 },
  destinations: {},
  ...change,
});
const jaeger = {
  forwarded: 5,
  duplicates: 0,
  not_for_forwarding: 0,
  rejected_by_destination: 0,
  dropped: {},
  queued: 0,
  lag_s: 0.2,
};
const show = (value: Stats, before: Stats | null = null, betweenMs = 0) => health({ value, before, betweenMs, error: null });
const item = (value: Stats, label: string) => show(value).find((one) => one.label === label);

describe("the daemon's health", () => {
  it("turns two totals into a rate, and a restart into a total again", () => {
    expect(show(stats({ received: 4_000 }), stats(), 3_000)[0]?.value).toBe("1,000/s");
    expect(show(stats({ received: 10 }), stats(), 3_000)[0]?.value).toBe("10");
  });

  it("is quiet when all is well", () => {
    expect(show(stats({ destinations: { jaeger } })).filter(({ alarming }) => alarming)).toEqual([]);
    expect(item(stats(), "masked")?.value).toBe("7");
    expect(item(stats(), "rejected")).toBeUndefined();
  });

  it("alarms on losses, on lag and on a corrupt journal", () => {
    expect(item(stats({ rejected: { overload: 2 } }), "rejected")).toMatchObject({ value: "2", alarming: true });
    expect(item(stats({ destinations: { jaeger: { ...jaeger, lag_s: 40 } } }), "jaeger")?.alarming).toBe(true);
    expect(item(stats({ destinations: { jaeger: { ...jaeger, dropped: { journal_full: 3 } } } }), "jaeger")?.value).toContain(
      "3 dropped",
    );
    const journal = { position: 1, bytes: 1, oldest_s: null, corrupt_records: 1 };
    expect(item(stats({ journal }), "journal")).toMatchObject({ value: "1 corrupt", alarming: true });
  });

  it("says how to switch forwarding on when there is none", () => {
    expect(item(stats(), "forwarding")?.detail).toContain("[forward.jaeger]");
  });
});
