import { describe, expect, it } from "vitest";
import type { SeriesAnswer } from "../api/types";
import { provider, seriesPoint } from "../fixtures";
import { Histories, SPAN_S } from "./history";
import { declineRatio, failureRatio } from "./ratio";

const START = 1_795_378_500;
const answer = (t: number, ...names: string[]) => ({
  at: new Date(t * 1000).toISOString(),
  window_s: 60,
  providers: names.map((name) => provider({ name, p95_ms: t - START })),
});
const series = (name: string, ...times: number[]): SeriesAnswer => ({
  name,
  step_s: 10,
  points: times.map((t) => seriesPoint({ t, p95_ms: 1_000, count: 10, ok: 9, timeout: 1 })),
});
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("histories", () => {
  it("keep one point per step, always with the newest value", () => {
    const histories = new Histories(() => Promise.reject(new Error("not asked")));
    for (let second = 0; second < 25; second++) histories.append(answer(START + second, "a"));
    expect(histories.points("a")).toEqual([
      { t: START, p95: 9, failed: 0 },
      { t: START + 10, p95: 19, failed: 0 },
      { t: START + 20, p95: 24, failed: 0 },
    ]);
  });

  it("never grow beyond ten minutes", () => {
    const histories = new Histories(() => Promise.reject(new Error("not asked")));
    for (let t = START; t < START + 3 * SPAN_S; t += 5) histories.append(answer(t, "a"));
    const points = histories.points("a");
    expect(points.length).toBeLessThanOrEqual(SPAN_S / 10 + 2);
    expect(points[0]?.t).toBeGreaterThanOrEqual(START + 2 * SPAN_S - 20);
  });

  it("ask the daemon once per provider and put its past before the live points", async () => {
    const asked: string[] = [];
    const histories = new Histories(async (name, from, to) => {
      asked.push(`${name} ${to - from}`);
      return series(name, START - 20, START - 10, START);
    });
    histories.append(answer(START, "a"));
    histories.append(answer(START + 10, "a"));
    histories.want("a");
    histories.want("a");
    await settled();
    histories.want("a");
    expect(asked).toEqual([`a ${SPAN_S}`]);
    expect(histories.points("a").map(({ t, p95 }) => [t - START, p95])).toEqual([
      [-20, 1_000],
      [-10, 1_000],
      [0, 1_000],
      [10, 10],
    ]);
    expect(histories.points("a")[0]?.failed).toBeCloseTo(0.1);
  });

  it("send at most four requests at a time", async () => {
    let open = 0;
    let most = 0;
    const release: (() => void)[] = [];
    const histories = new Histories(async (name) => {
      most = Math.max(most, ++open);
      await new Promise<void>((resolve) => release.push(resolve));
      open -= 1;
      return series(name, START);
    });
    const names = Array.from({ length: 20 }, (_, i) => `p${i}`);
    histories.append(answer(START, ...names));
    for (const name of names) histories.want(name);
    while (release.length > 0) {
      release.shift()?.();
      await settled();
    }
    expect(most).toBe(4);
    expect(names.every((name) => histories.points(name).length > 0)).toBe(true);
  });

  it("ask again after a gap, and after a refusal but not at once", async () => {
    let asked = 0;
    const histories = new Histories(async (name) => {
      asked += 1;
      if (asked === 1) throw new Error("503");
      return series(name, START);
    });
    histories.append(answer(START, "a"));
    histories.want("a");
    await settled();
    histories.want("a");
    expect(asked).toBe(1);
    histories.append(answer(START + 60, "a"));
    histories.want("a");
    await settled();
    expect(asked).toBe(2);
    histories.gap();
    histories.want("a");
    await settled();
    expect(asked).toBe(3);
  });

  it("forget providers that left", () => {
    const histories = new Histories(() => Promise.reject(new Error("not asked")));
    histories.append(answer(START, "a", "b"));
    histories.append(answer(START + 1, "b"));
    expect(histories.points("a")).toEqual([]);
    expect(histories.points("b")).toHaveLength(1);
  });
});

describe("shares", () => {
  it("leave out what is not the provider's doing, and are null at 0/0", () => {
    const counts = { count: 110, ok: 80, declined: 10, client_fault: 6, failed: 5, timeout: 3, connect: 2, cancelled: 4 };
    expect(failureRatio(counts)).toBeCloseTo(0.1);
    expect(declineRatio(counts)).toBeCloseTo(0.1);
    expect(failureRatio({ ...counts, count: 10 })).toBeNull();
  });
});
