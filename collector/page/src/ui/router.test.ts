import { describe, expect, it } from "vitest";
import { incidentPath, parseRoute, providerPath, tracePath } from "./router";

describe("addresses", () => {
  it("name a view, and survive the characters that providers may have", () => {
    expect(parseRoute("/")).toEqual({ view: "board" });
    for (const name of ["sberbank", "bank@staging", "a/b", "100%", "<b>"]) {
      expect(parseRoute(providerPath(name))).toEqual({ view: "provider", name });
    }
  });

  it("name the lists, and an incident in one of them", () => {
    expect(parseRoute("/incidents")).toEqual({ view: "incidents" });
    expect(parseRoute("/unmapped/")).toEqual({ view: "unmapped" });
    expect(incidentPath("01J&x")).toBe("/incidents?id=01J%26x");
  });

  it("take a trace id in either case, and nothing else for one", () => {
    const id = "0af7651916cd43dd8448eb211c80319c";
    expect(parseRoute(tracePath(id.toUpperCase()))).toEqual({ view: "trace", id });
    expect(parseRoute("/t/123")).toEqual({ view: "nothing" });
  });

  it("that are broken or unknown lead nowhere", () => {
    for (const path of ["/p/", "/p/%ff", "/p/a/b", "/else"]) expect(parseRoute(path)).toEqual({ view: "nothing" });
  });
});
