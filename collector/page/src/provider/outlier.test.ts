import { describe, expect, it } from "vitest";
import { standsOut } from "./outlier";
import { inAddress, rangeOf } from "./range";

const row = (count: number, failure_ratio: number | null, p95_ms: number | null) => ({
  count,
  share: null,
  failure_ratio,
  p50_ms: null,
  p95_ms,
  p99_ms: null,
});

describe("the row that stands out", () => {
  it("fails or is slow clearly more than the others", () => {
    const rows = [row(500, 0.01, 200), row(300, 0.3, 210), row(400, 0, 900)];
    expect(rows.map((one) => standsOut(one, rows))).toEqual([null, "failed", "slow"]);
  });

  it("is none where all are alike, where it is alone, or of too few calls", () => {
    const alike = [row(500, 0.3, 200), row(300, 0.31, 210)];
    expect(alike.map((one) => standsOut(one, alike))).toEqual([null, null]);
    const alone = [row(500, 0.9, 9000)];
    expect(standsOut(alone[0]!, alone)).toBeNull();
    const few = [row(500, 0, 200), row(3, 1, 9000)];
    expect(standsOut(few[1]!, few)).toBeNull();
  });
});

describe("the range in the address", () => {
  it("is what it names, or a quarter of an hour", () => {
    expect(rangeOf("30d")).toMatchObject({ span_s: 2_592_000, window: "7d" });
    for (const odd of [null, "", "5 lightyears"]) expect(rangeOf(odd).name).toBe("15m");
    expect([inAddress("15m"), inAddress("1h")]).toEqual([null, "1h"]);
  });
});
