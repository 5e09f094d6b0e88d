import { describe, expect, it } from "vitest";
import { bytes, clock, conversionShare, count, duration, elapsed, NOTHING, rate, share, times } from "./format";

const plain = (text: string | null) => text?.replaceAll("\u202f", " ");

describe("figures", () => {
  it.each([
    [null, NOTHING],
    [0, "0 ms"],
    [0.42, "0.42 ms"],
    [8.26, "8.3 ms"],
    [803.1, "803 ms"],
    [999.6, "1.00 s"],
    [3071, "3.07 s"],
    [12_340, "12.3 s"],
    [45_003, "45 s"],
    [125_000, "2 min 5 s"],
  ])("duration of %s ms reads %s", (ms, want) => expect(plain(duration(ms))).toBe(want));

  it.each([
    [-5, "0 s"],
    [32_000, "32 s"],
    [59_700, "1 min"],
    [3_600_000, "1 h"],
    [12_000_000, "3 h 20 min"],
    [353_000_000, "4 d 2 h"],
  ])("age of %s ms reads %s", (ms, want) => expect(plain(elapsed(ms))).toBe(want));

  it.each([
    [null, NOTHING],
    [0, "0"],
    [0.517, "0.52"],
    [41.2, "41.2"],
    [1204.4, "1,204"],
  ])("rate %s reads %s", (value, want) => expect(rate(value)).toBe(want));

  it.each([
    [null, NOTHING],
    [0, "0 %"],
    [0.00003, "< 0.01 %"],
    [0.0003, "0.03 %"],
    [0.0081, "0.8 %"],
    [0.31, "31 %"],
    [0.9999, "99.9 %"],
    [1, "100 %"],
  ])("share %s reads %s", (ratio, want) => expect(plain(share(ratio))).toBe(want));

  it("conversion keeps its tenth and never rounds up to all", () => {
    expect(plain(conversionShare(0.934))).toBe("93.4 %");
    expect(plain(conversionShare(0.99999))).toBe("99.9 %");
    expect(conversionShare(null)).toBe(NOTHING);
  });

  it("counts and bytes stay short", () => {
    expect(count(12_345)).toBe("12,345");
    expect(plain(count(1_204_000))).toBe("1.20 M");
    expect(plain(bytes(512))).toBe("512 B");
    expect(plain(bytes(88_200_000))).toBe("84.1 MiB");
  });

  it("compares with normal only when there is a normal", () => {
    expect(times(803, 640)).toBe("×1.3");
    expect(times(803, null)).toBeNull();
    expect(times(null, 640)).toBeNull();
  });

  it("shows the daemon's clock in UTC", () => {
    expect(clock("2026-11-22T20:15:03.000Z")).toBe("20:15:03");
    expect(clock("not a time")).toBe(NOTHING);
  });
});
