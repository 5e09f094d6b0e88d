import { describe, expect, it } from "vitest";
import { heat, strength } from "./heat";

const column = (counts: number[], timeout = 0, failed = 0) => ({ t: 0, counts, timeout, failed });
const bounds_ms = [1, 2, 4, 8, 16, 32];

describe("the heat map", () => {
  it("draws the rows that have calls, with one of air on each side", () => {
    const columns = [column([0, 0, 3, 0, 0, 0]), column([0, 0, 0, 9, 0, 0], 2, 1)];
    expect(heat({ step_s: 10, bounds_ms, columns })).toEqual({ low: 1, high: 4, most: 9, mostTimeout: 2, mostFailed: 1 });
  });

  it("is nothing without calls, and something with failures alone", () => {
    expect(heat({ step_s: 10, bounds_ms, columns: [column([0, 0, 0, 0, 0, 0])] })).toBeNull();
    expect(heat({ step_s: 10, bounds_ms, columns: [column([0, 0, 0, 0, 0, 0], 1)] })?.mostTimeout).toBe(1);
  });

  it("lets a single call be seen beside thousands", () => {
    expect(strength(0, 1000)).toBe(0);
    expect(strength(1, 5000)).toBeGreaterThan(0.15);
    expect(strength(5000, 5000)).toBeCloseTo(1);
  });
});
