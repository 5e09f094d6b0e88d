import { describe, expect, it } from "vitest";
import { provider } from "../fixtures";
import { fleet, matches, tabTitle } from "./fleet";

const rows = [
  provider({ name: "a", verdict: "ok", calls_per_s: 10, count: 100, ok: 90, declined: 10, in_flight: 3 }),
  provider({ name: "b", verdict: "hung", calls_per_s: 5, count: 100, ok: 50, declined: 0, timeout: 50, in_flight: null }),
  provider({ name: "c", verdict: "ok", calls_per_s: 0, count: 0, ok: 0, declined: 0, in_flight: 4 }),
];

describe("the fleet", () => {
  it("is the sum of its providers, by calls and not by averages of shares", () => {
    expect(fleet(rows)).toEqual({
      providers: 3,
      calls_per_s: 15,
      failure_ratio: 0.25,
      decline_ratio: 0.05,
      in_flight: 7,
      verdicts: [
        { verdict: "hung", count: 1 },
        { verdict: "ok", count: 2 },
      ],
    });
  });

  it("does not invent figures when there are none", () => {
    expect(fleet([])).toMatchObject({ failure_ratio: null, in_flight: null, verdicts: [] });
  });

  it("shows in the tab's title what is wrong, unless it is muted", () => {
    expect(tabTitle(rows)).toBe("1 hung · spanmill");
    expect(tabTitle(rows.map((row) => ({ ...row, muted: true })))).toBe("spanmill");
  });
});

describe("the filter", () => {
  it("needs every word, in the name, the verdict, the scope or the owner", () => {
    const row = provider({ name: "sberbank", verdict: "slow", scope: "host:h7", owner: "Payments" });
    expect(matches(row, "")).toBe(true);
    expect(matches(row, "SBER slow")).toBe(true);
    expect(matches(row, "h7 payments")).toBe(true);
    expect(matches(row, "sber hung")).toBe(false);
  });
});
