import { describe, expect, it } from "vitest";
import { provider } from "../fixtures";
import { meters } from "./meters";

describe("the meters of why", () => {
  const baseline = { p95_ms: 400, failure_ratio: 0, calls_per_s: 40 };

  it("put normal in the middle, eight times of it at the end, and less on the other side", () => {
    const rows = meters(provider({ baseline, p95_ms: 800, failure_ratio: 0.4, calls_per_s: 5 }));
    expect(rows.map(({ label, part }) => [label, Number(part.toFixed(2))])).toEqual([
      ["p95", 0.67],
      ["failed", 1],
      ["calls/s", 0],
    ]);
  });

  it("leave out what is not known, and take nothing for normal where nothing fails", () => {
    expect(meters(provider({ baseline: null }))).toEqual([]);
    const rows = meters(provider({ baseline, p95_ms: null, failure_ratio: 0, calls_per_s: 0 }));
    expect(rows.map(({ label, part }) => [label, part])).toEqual([
      ["failed", 0.5],
      ["calls/s", 0],
    ]);
  });
});
