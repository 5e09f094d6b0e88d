import { describe, expect, it } from "vitest";
import { isBad, kindLabel, scopeText } from "./verdict";

describe("the words of verdicts", () => {
  it.each([
    ["everyone", "for everyone"],
    ["host:h7", "only host h7"],
    ["endpoint:10.4.7.12:443", "only endpoint 10.4.7.12:443"],
    ["our_side", "many providers at once"],
  ])("the scope %s reads '%s'", (scope, text) => expect(scopeText(scope)).toBe(text));

  it("know what is no verdict of one provider, and take a newer daemon's for unknown", () => {
    expect(kindLabel("our_side")).toBe("Our side");
    expect(kindLabel("someday")).toBe("Unknown");
    expect(isBad("someday")).toBe(false);
  });
});
