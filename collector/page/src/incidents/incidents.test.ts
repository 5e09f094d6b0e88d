import { describe, expect, it } from "vitest";
import type { Alert } from "../api/types";
import { lasted, shown, sorted } from "./incidents";

const alert = (change: Partial<Alert>): Alert => ({
  id: "01J",
  provider: "sberbank",
  kind: "slow",
  scope: "everyone",
  started: "2026-11-22T20:15:03.000Z",
  detected: "2026-11-22T20:15:10.200Z",
  resolved: null,
  detected_after_s: 7.2,
  evidence: "p95 0.80 s",
  exemplars: [],
  severity: "page",
  muted: false,
  ...change,
});

describe("the list of incidents", () => {
  const over = { resolved: "2026-11-22T21:00:00.000Z" };
  const rows = [
    alert({ id: "old", ...over }),
    alert({ id: "muted", kind: "hung", muted: true }),
    alert({ id: "slow" }),
    alert({ id: "later", ...over, started: "2026-11-22T20:40:00.000Z" }),
    alert({ id: "hung", kind: "hung", provider: "visa" }),
  ];

  it("begins with what fires, worst first, then what is muted, then what is over, newest first", () => {
    expect(sorted(rows).map(({ id }) => id)).toEqual(["hung", "slow", "muted", "later", "old"]);
  });

  it("shows what was asked for, by state and by words", () => {
    expect(shown(rows, "firing", "").map(({ id }) => id)).toEqual(["hung", "slow", "muted"]);
    expect(shown(rows, "resolved", "").map(({ id }) => id)).toEqual(["later", "old"]);
    expect(shown(rows, "all", "VISA hung").map(({ id }) => id)).toEqual(["hung"]);
  });

  it("says how long it has been, or how long it was", () => {
    expect(lasted(alert({}), Date.parse("2026-11-22T20:20:03.000Z"))).toBe("5\u202fmin");
    expect(lasted(alert({ resolved: "2026-11-22T20:15:33.000Z" }), 0)).toBe("30\u202fs");
  });
});
