/** One trace as a waterfall, with each span's tagged logs at their moment. It comes from the journal, so it works without Jaeger. */
import { useMemo, useState } from "preact/hooks";
import type { TraceAnswer } from "../api/types";
import { StaleNote, TopBar } from "../board/Header";
import type { FeedState } from "../live/feed";
import { usePolled } from "../live/hooks";
import { clock, duration } from "../ui/format";
import { Link } from "../ui/router";
import { maskedParts, type SpanRow, type Tag, type Waterfall, waterfall } from "./tree";

export function TraceView({ id, state }: { id: string; state: FeedState }) {
  const { value, error } = usePolled<TraceAnswer>(`/api/v1/traces/${id}`, 0);
  const tree = useMemo(() => (value ? waterfall(value) : null), [value]);
  document.title = `trace ${id.slice(0, 8)} · spanmill`;
  return (
    <>
      <TopBar state={state} />
      <main class="trace">
        <StaleNote state={state} />
        <p class="back">
          <Link to="/">← All providers</Link>
        </p>
        {error && (
          <section class="state" role="alert">
            <h1>{error.status === 404 ? "This trace is not here" : "The trace cannot be shown"}</h1>
            <p>
              {error.message}
              {error.hint && `; ${error.hint}`}
            </p>
          </section>
        )}
        {!tree && !error && <p class="soft">Looking through the journal…</p>}
        {tree && <Trace id={id} tree={tree} complete={value?.complete !== false} />}
      </main>
    </>
  );
}

function Trace({ id, tree, complete }: { id: string; tree: Waterfall; complete: boolean }) {
  const [open, setOpen] = useState<ReadonlySet<string>>(
    () =>
      new Set(
        tree.rows
          .filter(({ failed }) => failed)
          .map((row) => row.id)
          .slice(0, 3),
      ),
  );
  const toggle = (span: string) =>
    setOpen((now) => (now.has(span) ? new Set([...now].filter((one) => one !== span)) : new Set([...now, span])));
  const failed = tree.rows.filter((row) => row.failed).length;
  return (
    <>
      <header class="head-card">
        <h1>{tree.rows[0]?.name ?? "An empty trace"}</h1>
        <p class="judged">
          <b>{duration(tree.duration_ms)}</b> · {tree.rows.length + tree.omitted} spans in {tree.services.length}{" "}
          {tree.services.length === 1 ? "service" : "services"}
          {failed > 0 && ` · ${failed} failed`}
        </p>
        <p class="soft facts">
          <span>
            trace <code>{id}</code>
          </span>
          {tree.started && (
            <span>
              {tree.started.slice(0, 10)} {clock(tree.started)} UTC
            </span>
          )}
          {!complete && <span>only the part that this daemon received</span>}
          {tree.omitted > 0 && <span>{tree.omitted} spans not drawn</span>}
        </p>
      </header>
      <ol class="waterfall">
        <li class="ruler" aria-hidden="true">
          <span class="ticks">
            {[0, 0.25, 0.5, 0.75, 1].map((part) => (
              <span key={part}>{duration(tree.duration_ms * part)}</span>
            ))}
          </span>
        </li>
        {tree.rows.map((row) => (
          <Span key={row.id} row={row} whole_ms={tree.duration_ms} open={open.has(row.id)} onToggle={toggle} />
        ))}
      </ol>
    </>
  );
}

/** Deeper levels exist but need no more indentation to be seen as deep. */
const INDENT_MAX = 14;

const percent = (part: number, whole: number) => `${whole > 0 ? Math.min(100, Math.max(0, (100 * part) / whole)) : 0}%`;

interface SpanProps {
  row: SpanRow;
  whole_ms: number;
  open: boolean;
  onToggle: (id: string) => void;
}

function Span({ row, whole_ms, open, onToggle }: SpanProps) {
  const outward = row.kind === "client" || row.kind === "producer";
  return (
    <li class={`span${row.failed ? " failed" : ""}${outward ? " outward" : ""}`} data-span={row.id}>
      <button type="button" aria-expanded={open} onClick={() => onToggle(row.id)}>
        <span class="what" style={{ paddingLeft: `${Math.min(row.depth, INDENT_MAX) * 16}px` }}>
          {row.failed && (
            <svg class="shape v-failing" viewBox="0 0 16 16" role="img" aria-label="failed">
              <path d="M8 1.5L15.2 14H.8z" class="filled" />
            </svg>
          )}
          <b>{row.name || "(no name)"}</b>
          <span class="service">{row.service}</span>
        </span>
        <span class="took">{duration(row.duration_ms)}</span>
        <span class="lane">
          <span class="bar" style={{ left: percent(row.start_ms, whole_ms), width: percent(row.duration_ms, whole_ms) }} />
          {row.logs.map((log, i) => (
            <span key={i} class="tick" style={{ left: percent(log.at_ms, whole_ms) }} />
          ))}
        </span>
      </button>
      {open && <Details row={row} />}
    </li>
  );
}

function Details({ row }: { row: SpanRow }) {
  return (
    <div class="details">
      {row.status && (
        <p>
          <b>{row.failed ? "Error" : "Status"}:</b> <Value text={row.status} />
        </p>
      )}
      {row.orphan && <p class="soft">Its parent is not among the spans that this daemon has.</p>}
      <Tags title={row.kind ? `Tags of this ${row.kind} span` : "Tags"} tags={row.tags} />
      {row.logs.map((log, i) => (
        <Tags key={i} title={`${duration(log.at_ms)} · ${log.name}`} tags={log.tags} />
      ))}
      <Tags title="Sent by" tags={row.resource} />
    </div>
  );
}

function Tags({ title, tags }: { title: string; tags: Tag[] }) {
  return (
    <section>
      <h2>{title}</h2>
      {tags.length === 0 && <p class="faint">no tags</p>}
      <dl class="tags">
        {tags.map(({ key, value }, i) => (
          <div key={i}>
            <dt>{key}</dt>
            <dd>
              <Value text={value} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Value({ text }: { text: string }) {
  return (
    <>
      {maskedParts(text).map((part, i) =>
        part.masked ? (
          <mark key={i} title="masked before it was stored">
            {part.text}
          </mark>
        ) : (
          part.text
        ),
      )}
    </>
  );
}
