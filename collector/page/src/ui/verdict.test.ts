import { describe, expect, it } from "vitest";
import { isBad, meaning, scopeText } from "./verdict";

describe("the words of verdicts", () => {
  it.each([
    ["everyone", "for everyone"],
    ["host:h7", "only host h7"],
    ["endpoint:10.4.7.12:443", "only endpoint 10.4.7.12:443"],
    ["our_side", "most likely our side"],
  ])("the scope %s reads '%s'", (scope, text) => expect(scopeText(scope)).toBe(text));

  it("take a newer daemon's verdict for unknown, which wakes nobody", () => {
    expect(meaning("someday").label).toBe("Unknown");
    expect(isBad("someday")).toBe(false);
  });
});
