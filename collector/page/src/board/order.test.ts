import { describe, expect, it } from "vitest";
import type { Provider } from "../api/types";
import { provider } from "../fixtures";
import { Order } from "./order";

const names = (rows: readonly Provider[]) => rows.map(({ name }) => name).join(" ");
const worst = (order: Order, ...rows: Provider[]) => names(order.arrange(rows, "worst", false));

describe("the order of the board", () => {
  it("puts the worst verdict first and unknown verdicts of a newer daemon before the calm ones", () => {
    const rows = ["ok", "learning", "someday", "declining", "slow", "silent", "failing", "hung"].map((verdict) =>
      provider({ name: verdict, verdict: verdict as Provider["verdict"] }),
    );
    expect(worst(new Order(), ...rows)).toBe("hung failing silent slow declining someday learning ok");
  });

  it("is the same whatever order the daemon sends, by name among equals", () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => provider({ name }));
    expect(worst(new Order(), c!, a!, b!)).toBe("a b c");
    expect(worst(new Order(), b!, c!, a!)).toBe("a b c");
  });

  it("shows trouble first while everything is still learning", () => {
    const learning = (name: string, change: Partial<Provider>) => provider({ name, verdict: "learning", p95_ms: 300, ...change });
    const rows = [
      learning("calm", {}),
      learning("slow", { p95_ms: 6_000 }),
      learning("failing", { failure_ratio: 0.4 }),
      learning("hanging", { oldest_in_flight_ms: 90_000 }),
    ];
    expect(worst(new Order(), ...rows)).toBe("failing hanging slow calm");
  });

  it("does not shuffle rows whose figures only breathe", () => {
    const order = new Order();
    const at = (p95_a: number, p95_b: number) =>
      worst(order, provider({ name: "a", p95_ms: p95_a }), provider({ name: "b", p95_ms: p95_b }));
    expect(at(2_100, 2_000)).toBe("a b");
    expect(at(2_000, 2_300)).toBe("a b");
    expect(at(2_000, 6_000)).toBe("b a");
    expect(at(2_000, 5_000)).toBe("b a");
    expect(at(2_000, 1_100)).toBe("a b");
  });

  it("keeps places while somebody points at the table, and adds new rows below", () => {
    const order = new Order();
    worst(order, provider({ name: "a" }), provider({ name: "b" }));
    const rows = [provider({ name: "a" }), provider({ name: "b", verdict: "hung" }), provider({ name: "c", verdict: "hung" })];
    expect(names(order.arrange(rows, "worst", true))).toBe("a b c");
    expect(names(order.arrange(rows, "worst", false))).toBe("b c a");
  });

  it("lets muted trouble sink below what needs eyes", () => {
    const rows = [
      provider({ name: "muted", verdict: "hung", muted: true }),
      provider({ name: "slow", verdict: "slow" }),
      provider({ name: "fine" }),
    ];
    expect(worst(new Order(), ...rows)).toBe("slow muted fine");
  });

  it("sorts by a column with nulls last", () => {
    const rows = [
      provider({ name: "none", p95_ms: null }),
      provider({ name: "low", p95_ms: 10 }),
      provider({ name: "high", p95_ms: 900 }),
    ];
    expect(names(new Order().arrange(rows, "p95", false))).toBe("high low none");
    expect(names(new Order().arrange(rows, "name", false))).toBe("high low none");
  });
});
