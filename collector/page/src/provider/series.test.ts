import { describe, expect, it } from "vitest";
import { seriesPoint } from "../fixtures";
import { OUTCOMES, rates, roundAbove, roundBelow, sealed, webAddress } from "./series";

describe("the series of a provider", () => {
  const points = [seriesPoint({ t: 100, ok: 80, failed: 10, timeout: 10 }), seriesPoint({ t: 110, ok: 50 })];

  it("becomes rates per second, stacked with what is wrong at the bottom", () => {
    const { t, each, stacked } = rates(points, 10);
    const at = (outcome: (typeof OUTCOMES)[number], of: number[][]) => of[OUTCOMES.indexOf(outcome)];
    expect(t).toEqual([100, 110]);
    expect(at("ok", each)).toEqual([8, 5]);
    expect(at("timeout", stacked)).toEqual([1, 0]);
    expect(at("failed", stacked)).toEqual([2, 0]);
    expect(at("ok", stacked)).toEqual([10, 5]);
  });

  it("leaves out the step that is not over", () => {
    expect(sealed(points, 10, 119).map(({ t }) => t)).toEqual([100]);
    expect(sealed(points, 10, 120).map(({ t }) => t)).toEqual([100, 110]);
  });
});

describe("addresses from the config", () => {
  it.each([
    ["https://status.example/bank", "https://status.example/bank"],
    ["javascript:alert(1)", null],
    ["data:text/html,x", null],
    ["runbook in the wiki", null],
    [null, null],
  ])("%s links to %s", (text, want) => expect(webAddress(text)).toBe(want));
});

describe("the ends of a logarithmic axis", () => {
  it.each([
    [130, 100, 200],
    [200, 200, 200],
    [4_999, 2_000, 5_000],
    [7, 5, 10],
    [0.3, 0.2, 0.5],
  ])("%s lies between %s and %s", (value, below, above) => {
    expect(roundBelow(value)).toBeCloseTo(below);
    expect(roundAbove(value)).toBeCloseTo(above);
  });
});
