/** Whose trouble it is: one provider by operation, host, service or endpoint. */
import type { BreakdownAnswer, BreakdownFigures, Dimension } from "../api/types";
import { usePolled } from "../live/hooks";
import { count, duration, share } from "../ui/format";
import { useQuery } from "../ui/router";
import { Tabs } from "../ui/Tabs";
import { standsOut } from "./outlier";
import type { Range } from "./range";

const EVERY_MS = 10_000;
const ROWS_MAX = 50;
const DIMENSIONS = [
  ["operation", "Operation"],
  ["host", "Host"],
  ["service", "Service"],
  ["endpoint", "Endpoint"],
] as const;

export function Breakdown({ name, range }: { name: string; range: Range }) {
  const [query, change] = useQuery();
  const by: Dimension = DIMENSIONS.find(([value]) => value === query.get("by"))?.[0] ?? "operation";
  const path = `/api/v1/providers/${encodeURIComponent(name)}/breakdown?by=${by}&window=${range.window}`;
  const { value, error } = usePolled<BreakdownAnswer>(path, EVERY_MS);
  const rows = value?.rows ?? [];
  return (
    <section class="panel">
      <header>
        <h2>
          Breakdown <span class="soft">last {range.window === range.name ? range.label : "7 d"}</span>
        </h2>
        <Tabs label="Broken down by" options={DIMENSIONS} chosen={by} onChoose={(next) => change({ by: next === "operation" ? null : next })} />
      </header>
      {error && (
        <p class="note" role="alert">
          {error.message}
          {error.hint && `; ${error.hint}`}
        </p>
      )}
      {value && rows.length === 0 && <p class="soft">No calls in this time.</p>}
      {rows.length > 0 && (
        <div class="scroll">
          <table class="breakdown">
            <thead>
              <tr>
                <th scope="col">{DIMENSIONS.find(([value]) => value === by)?.[1]}</th>
                {["Calls", "Share", "Failed", "p50", "p95", "p99"].map((label) => (
                  <th key={label} scope="col" class="num">
                    {label}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.slice(0, ROWS_MAX).map((row) => (
                <Line key={row.key} label={row.key || "(not said)"} row={row} loud={standsOut(row, rows)} />
              ))}
              {value && value.other && value.other.count > 0 && (
                <Line label={`${count(value.lost_keys)} others`} row={value.other} loud={null} />
              )}
            </tbody>
          </table>
        </div>
      )}
      {rows.length > ROWS_MAX && <p class="faint hint">{count(rows.length - ROWS_MAX)} with fewer calls are not shown.</p>}
    </section>
  );
}

function Line({ label, row, loud }: { label: string; row: BreakdownFigures; loud: "failed" | "slow" | null }) {
  return (
    <tr class={loud ? "out" : undefined}>
      <th scope="row">
        {label}
        {loud && <span class="tag">{loud === "failed" ? "fails most" : "slowest"}</span>}
      </th>
      <td class="num">{count(row.count)}</td>
      <td class="num soft">{share(row.share)}</td>
      <td class={`num${loud === "failed" ? " loud" : ""}`}>{share(row.failure_ratio)}</td>
      <td class="num soft">{duration(row.p50_ms)}</td>
      <td class={`num${loud === "slow" ? " loud" : ""}`}>{duration(row.p95_ms)}</td>
      <td class="num soft">{duration(row.p99_ms)}</td>
    </tr>
  );
}
