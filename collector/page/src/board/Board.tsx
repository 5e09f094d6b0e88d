/** The board: every provider, worst first, live. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Provider } from "../api/types";
import type { FeedState } from "../live/feed";
import { count } from "../ui/format";
import { isBad, meaning } from "../ui/verdict";
import { go, tracePath } from "../ui/router";
import { ConnectingState, EmptyState, ErrorState } from "./Empty";
import { matches, tabTitle } from "./fleet";
import { HealthLine, StaleNote, Summary, TopBar } from "./Header";
import { useBoardKeys } from "./keys";
import { Order, type SortKey } from "./order";
import { OurSide } from "./OurSide";
import { pinnedFirst, usePins } from "./pins";
import { Row } from "./Row";

/** Rows stay put this long after the pointer or a key moved among them: nobody clicks a row that just slid away. */
const HOLD_MS = 4_000;

interface Column {
  sort: SortKey | null;
  class: string;
  label: string;
  title: string;
}

const COLUMNS: Column[] = [
  { sort: "name", class: "c-name", label: "Provider", title: "The external system, as the registry names it" },
  { sort: "worst", class: "c-verdict", label: "Verdict", title: "Worst first; the row keeps its place until something happens" },
  { sort: "calls", class: "c-calls num", label: "Calls/s", title: "Logical calls, trailing 60 s" },
  { sort: "failed", class: "c-failed num", label: "Failed", title: "Failed, timed out or unreachable, of all judged calls" },
  { sort: "declined", class: "c-declined num", label: "Declined", title: "Answered with a business no; not a failure" },
  { sort: "p50", class: "c-p50 num", label: "p50", title: "Half of the calls are faster, trailing 60 s" },
  {
    sort: "p95",
    class: "c-p95 num",
    label: "p95",
    title: "95 of 100 calls are faster; × of normal beside it once normal is known",
  },
  { sort: "p99", class: "c-p99 num", label: "p99", title: "99 of 100 calls are faster" },
  { sort: "in_flight", class: "c-flight num", label: "In flight", title: "Calls open right now, and the age of the oldest" },
  {
    sort: "conversion",
    class: "c-conversion num",
    label: "Conversion",
    title: "Share of successful transactions over 5, then 10 and 15 minutes",
  },
  { sort: null, class: "c-spark", label: "p95, 10 min", title: "Line: p95 from zero. Bars from below: failures. Dashed: normal" },
];

export function Board({ state }: { state: FeedState }) {
  const [filter, setFilter] = useState("");
  const [only, setOnly] = useState<string | null>(null);
  const [sort, setSort] = useState<SortKey>("worst");
  const order = useRef(new Order());
  const touchedAt = useRef(Number.NEGATIVE_INFINITY);
  const box = useRef<HTMLInputElement>(null);
  const table = useRef<HTMLTableElement>(null);
  const touch = () => (touchedAt.current = performance.now());
  const [pins, togglePin] = usePins();
  useBoardKeys(box, table, touch, togglePin);

  const { answer, phase } = state;
  const arranged = useMemo(
    () => order.current.arrange(answer?.providers ?? [], sort, performance.now() - touchedAt.current < HOLD_MS),
    [answer, sort],
  );
  const rows = pinnedFirst(arranged, pins).filter((provider) => matches(provider, filter) && (only === null || provider.verdict === only));
  const now = Math.floor(Date.parse(answer?.at ?? "") / 1000);

  useEffect(() => {
    document.title = tabTitle(answer?.providers ?? []);
  }, [answer]);

  const sortBy = (key: SortKey) => {
    touchedAt.current = Number.NEGATIVE_INFINITY;
    setSort(key === sort ? "worst" : key);
  };
  const submit = (event: Event) => {
    event.preventDefault();
    const id = filter.trim();
    if (/^[0-9a-f]{32}$/i.test(id)) go(tracePath(id.toLowerCase()));
    else table.current?.querySelector<HTMLElement>("a.name")?.focus();
  };

  return (
    <>
      <TopBar state={state}>
        <form class="filter" role="search" onSubmit={submit}>
          <input
            ref={box}
            type="search"
            placeholder="Filter, or paste a trace id"
            aria-label="Filter providers, or open a trace by its id"
            value={filter}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
          <kbd aria-hidden="true">/</kbd>
        </form>
      </TopBar>
      <main>
        <StaleNote state={state} />
        <OurSide news={state.news} />
        {answer && answer.providers.length > 0 && <Summary providers={answer.providers} only={only} onOnly={setOnly} />}
        <HealthLine />
        {answer && answer.providers.length > 0 && (
          <>
            <table role="table" class={`board is-${phase}`} ref={table} aria-label="Providers, worst first" onPointerMove={touch}>
              <thead role="rowgroup">
                <tr role="row" class="row head">
                  {COLUMNS.map((column) => (
                    <HeadCell key={column.label} {...column} sorted={sort} onSort={sortBy} />
                  ))}
                </tr>
              </thead>
              <tbody role="rowgroup">
                {rows.map((provider) => (
                  <Row key={provider.name} provider={provider} now={now} pinned={pins.has(provider.name)} onPin={togglePin} />
                ))}
              </tbody>
            </table>
            <FlightHint providers={answer.providers} />
            {rows.length === 0 && <p class="nothing">No provider matches. Esc clears the filter.</p>}
          </>
        )}
        {answer && answer.providers.length === 0 && <EmptyState />}
        {!answer && (phase === "lost" ? <ErrorState /> : <ConnectingState />)}
        <Announcer providers={answer?.providers ?? []} />
      </main>
    </>
  );
}

/** Without calls in flight a hang looks like calm, until its timeouts: that must be known before it is needed. */
function FlightHint({ providers }: { providers: readonly Provider[] }) {
  const without = providers.filter(({ in_flight }) => in_flight === null).length;
  if (without === 0) return null;
  const whose = without === providers.length ? "No in-flight data" : `No in-flight data of ${count(without)} ${without === 1 ? "provider" : "providers"}`;
  return <p class="faint hint flight-hint">{whose}: hangs are seen only after the timeout of the caller.</p>;
}

interface HeadProps extends Column {
  sorted: SortKey;
  onSort: (key: SortKey) => void;
}

function HeadCell({ sort, class: cls, label, title, sorted, onSort }: HeadProps) {
  if (sort === null) {
    return (
      <th role="columnheader" scope="col" class={cls} title={title}>
        {label}
      </th>
    );
  }
  const active = sorted === sort;
  const direction = sort === "name" || sort === "conversion" ? "ascending" : "descending";
  return (
    <th role="columnheader" scope="col" class={cls} title={title} aria-sort={active ? direction : "none"}>
      <button type="button" onClick={() => onSort(sort)}>
        {label}
      </button>
    </th>
  );
}

/** Readers of screens hear changes of verdict, and nothing of the figures that change each second. */
function Announcer({ providers }: { providers: readonly Provider[] }) {
  const text = providers
    .filter((provider) => isBad(provider.verdict) && !provider.muted)
    .map((provider) => `${provider.name} is ${meaning(provider.verdict).label.toLowerCase()}`)
    .sort()
    .join(", ");
  return (
    <p class="spoken" aria-live="polite">
      {text}
    </p>
  );
}
