import { describe, expect, it } from "vitest";
import type { OtlpSpan, TraceAnswer } from "../api/types";
import { maskedParts, ROWS_MAX, valueText, waterfall } from "./tree";

const START = 1_795_378_500_000_000_000n;
const span = (spanId: string, parentSpanId: string, from: number, to: number, rest: Partial<OtlpSpan> = {}): OtlpSpan => ({
  traceId: "t",
  spanId,
  parentSpanId,
  name: spanId,
  startTimeUnixNano: String(START + BigInt(from) * 1_000_000n),
  endTimeUnixNano: String(START + BigInt(to) * 1_000_000n),
  ...rest,
});
const trace = (...spans: OtlpSpan[]): TraceAnswer => ({
  resourceSpans: [
    { resource: { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] }, scopeSpans: [{ spans }] },
  ],
});
const shape = (answer: TraceAnswer) => waterfall(answer).rows.map(({ id, depth }) => `${"-".repeat(depth)}${id}`);

describe("the waterfall of a trace", () => {
  it("puts children under their parents by start, whatever the order of arrival", () => {
    const answer = trace(span("c", "a", 50, 60), span("d", "b", 20, 30), span("b", "a", 10, 40), span("a", "", 0, 100));
    expect(shape(answer)).toEqual(["a", "-b", "--d", "-c"]);
  });

  it("measures in milliseconds from the first span, beyond the precision of floating nanoseconds", () => {
    const late = { ...span("b", "a", 0, 0), startTimeUnixNano: String(START + 250n), endTimeUnixNano: String(START + 1_250n) };
    const { rows, duration_ms, started } = waterfall(trace(span("a", "", 0, 100), late));
    expect(rows[1]).toMatchObject({ start_ms: 0.00025, duration_ms: 0.001 });
    expect(duration_ms).toBe(100);
    expect(started).toBe("2026-11-22T20:15:00.000Z");
  });

  it("shows each span once though it was delivered twice", () => {
    expect(shape(trace(span("a", "", 0, 1), span("a", "", 0, 1)))).toEqual(["a"]);
  });

  it("keeps spans whose parent is not known, and says so", () => {
    const { rows } = waterfall(trace(span("b", "elsewhere", 0, 1)));
    expect(rows[0]).toMatchObject({ id: "b", depth: 0, orphan: true });
  });

  it("survives spans that are each other's parent", () => {
    expect(shape(trace(span("a", "b", 0, 1), span("b", "a", 0, 1), span("self", "self", 0, 1))).sort()).toEqual([
      "-b",
      "a",
      "self",
    ]);
  });

  it("reads kinds and states as numbers and as names, and logs at their moment", () => {
    const event = {
      timeUnixNano: String(START + 5_000_000n),
      name: "response",
      attributes: [{ key: "code", value: { intValue: "5" } }],
    };
    const { rows } = waterfall(
      trace(
        span("a", "", 0, 9, { kind: 3, status: { code: 2, message: "boom" }, events: [event] }),
        span("b", "", 1, 2, { kind: "SPAN_KIND_SERVER", status: { code: "STATUS_CODE_ERROR" } }),
        span("c", "", 2, 3, { status: {} }),
      ),
    );
    expect(rows.map(({ kind, failed }) => [kind, failed])).toEqual([
      ["client", true],
      ["server", true],
      ["", false],
    ]);
    expect(rows[0]?.logs).toEqual([{ at_ms: 5, name: "response", tags: [{ key: "code", value: "5" }] }]);
  });

  it("is bounded, and deep chains do not exhaust the stack", () => {
    const spans = Array.from({ length: ROWS_MAX + 10_000 }, (_, i) => span(`s${i}`, i === 0 ? "" : `s${i - 1}`, i, i + 1));
    const { rows, omitted } = waterfall(trace(...spans));
    expect(rows).toHaveLength(ROWS_MAX);
    expect(omitted).toBe(10_000);
  });

  it("is empty for an empty answer", () => {
    expect(waterfall({})).toEqual({ rows: [], duration_ms: 0, started: null, services: [], omitted: 0 });
  });
});

describe("values", () => {
  it("of every kind become text", () => {
    expect(valueText({ intValue: "9007199254740993" })).toBe("9007199254740993");
    expect(valueText({ boolValue: false })).toBe("false");
    expect(valueText({ arrayValue: { values: [{ stringValue: "a" }, { doubleValue: 0.5 }] } })).toBe("[a, 0.5]");
    expect(valueText({ kvlistValue: { values: [{ key: "k", value: { intValue: 1 } }] } })).toBe("{k: 1}");
    expect(valueText(undefined)).toBe("");
  });

  it("that were masked are told apart from data", () => {
    expect(maskedParts('{"pan":"427600******1234","cvc":"[masked]"}').filter(({ masked }) => masked)).toEqual([
      { text: "427600******1234", masked: true },
      { text: "[masked]", masked: true },
    ]);
    expect(maskedParts("2 ** 3 is 8")).toEqual([{ text: "2 ** 3 is 8", masked: false }]);
  });
});
