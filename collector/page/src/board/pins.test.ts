import { describe, expect, it } from "vitest";
import { provider } from "../fixtures";
import { parsePins, pinnedFirst, toggled } from "./pins";

describe("pins", () => {
  it("lift rows to the top without changing their order", () => {
    const rows = ["hung", "slow", "a", "b"].map((name) => provider({ name }));
    expect(pinnedFirst(rows, new Set(["b", "slow", "gone"])).map(({ name }) => name)).toEqual(["slow", "b", "hung", "a"]);
  });

  it("come and go, and the oldest gives way", () => {
    expect([...toggled(toggled(new Set(), "a"), "b")]).toEqual(["a", "b"]);
    expect([...toggled(new Set(["a", "b"]), "a")]).toEqual(["b"]);
    const many = Array.from({ length: 60 }, (_, i) => `p${i}`).reduce((pins, name) => toggled(pins, name), new Set<string>());
    expect(many.size).toBe(50);
    expect(many.has("p59")).toBe(true);
    expect(many.has("p0")).toBe(false);
  });

  it.each([[null], ["{"], ["{}"], ["[1,null]"]])("%s in the storage is no pin", (text) => {
    expect(parsePins(text).size).toBe(0);
  });
});
