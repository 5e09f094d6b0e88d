/** Calls of one provider to look at: the slowest, those that failed, and some as they come; each leads to its trace. */
import { useState } from "preact/hooks";
import type { ExemplarsAnswer } from "../api/types";
import { usePolled } from "../live/hooks";
import { clock, duration } from "../ui/format";
import { Link, tracePath } from "../ui/router";
import { Tabs } from "../ui/Tabs";
import { OUTCOME_LABELS, type Outcome, webAddress } from "./series";

const EVERY_MS = 5_000;
const ROWS_MAX = 12;
const KINDS = [
  ["slow", "Slowest"],
  ["failed", "Failed"],
  ["recent", "Recent"],
] as const;
type Kind = (typeof KINDS)[number][0];

export function Exemplars({ name }: { name: string }) {
  const [kind, setKind] = useState<Kind>("slow");
  const path = `/api/v1/providers/${encodeURIComponent(name)}/exemplars?kind=${kind}&window=15m`;
  const { value, error } = usePolled<ExemplarsAnswer>(path, EVERY_MS);
  const rows = value?.exemplars ?? [];
  return (
    <section class="panel">
      <header>
        <h2>
          Calls <span class="soft">last 15 min</span>
        </h2>
        <Tabs label="Which calls" options={KINDS} chosen={kind} onChoose={setKind} />
      </header>
      {error && (
        <p class="note" role="alert">
          {error.message}
        </p>
      )}
      {value && rows.length === 0 && <p class="soft">{kind === "failed" ? "No call failed." : "No calls in this time."}</p>}
      <ul class="calls">
        {rows.slice(0, ROWS_MAX).map(({ trace_id, span_id, at, operation, service, host, ms, outcome, jaeger_url }) => {
          const jaeger = webAddress(jaeger_url);
          return (
            <li key={span_id}>
              <Link to={tracePath(trace_id)} title={`trace ${trace_id}`}>
                <b>{duration(ms)}</b>
                <span class="outcome" data-outcome={outcome}>
                  {OUTCOME_LABELS[outcome as Outcome] ?? outcome}
                </span>
                <span class="of">{operation}</span>
                <span class="soft">{[service, host].filter(Boolean).join(" on ")}</span>
                <time dateTime={at}>{clock(at)}</time>
              </Link>
              {jaeger && <a href={jaeger}>Jaeger</a>}
            </li>
          );
        })}
      </ul>
    </section>
  );
}
