/** What fell, when it was noticed and how long it lasted: firing first, each with its evidence and its traces. */
import { useEffect, useState } from "preact/hooks";
import type { Alert, AlertsAnswer } from "../api/types";
import { StaleNote, TopBar } from "../board/Header";
import type { FeedState } from "../live/feed";
import { ALERTS_EVERY_MS, useNow, usePolled } from "../live/hooks";
import { clock, count, duration, NOTHING } from "../ui/format";
import { incidentPath, Link, providerPath, tracePath, useQuery } from "../ui/router";
import { Shape } from "../ui/Shape";
import { EVERYBODY, meaning, scopeText } from "../ui/verdict";
import { lasted, type Shown, shown } from "./incidents";
import { Mute } from "./Mute";

const STATES: Shown[] = ["all", "firing", "resolved"];
/** As many as anybody scrolls through; the filter finds the others. */
const DRAWN_MAX = 200;

export function Incidents({ state }: { state: FeedState }) {
  const [done, setDone] = useState(0);
  const { value, error } = usePolled<AlertsAnswer>("/api/v1/alerts?state=all", ALERTS_EVERY_MS, state.news + done);
  const [query, change] = useQuery();
  const filter = query.get("q") ?? "";
  const which = STATES.find((one) => one === query.get("state")) ?? "all";
  const alerts = value?.alerts ?? [];
  const one = alerts.find(({ id }) => id === query.get("id"));
  const rows = one ? [one] : shown(alerts, which, filter);
  const muted = new Set(state.answer?.providers.filter((provider) => provider.muted).map(({ name }) => name));
  useEffect(() => {
    document.title = "Incidents · spanmill";
  }, []);
  return (
    <>
      <TopBar state={state}>
        <form class="filter" role="search" onSubmit={(event) => event.preventDefault()}>
          <input
            type="search"
            placeholder="Filter incidents"
            aria-label="Filter incidents"
            value={filter}
            onInput={(event) => change({ q: event.currentTarget.value || null, id: null })}
          />
        </form>
      </TopBar>
      <main class="incidents">
        <StaleNote state={state} />
        <div class="titled">
          <h1>{one ? "One incident" : "Incidents"}</h1>
          {one ? (
            <Link to="/incidents">All incidents</Link>
          ) : (
            <div class="chips">
              {STATES.map((name) => (
                <button
                  key={name}
                  type="button"
                  class="chip"
                  aria-pressed={which === name}
                  onClick={() => change({ state: name === "all" ? null : name })}
                >
                  {value && <b>{count(shown(alerts, name, filter).length)}</b>} {name}
                </button>
              ))}
            </div>
          )}
        </div>
        {query.has("id") && value && !one && <p class="note">This incident is no longer among the last 1,000; here are those.</p>}
        {error && (
          <p class="note" role="alert">
            <b>No news of incidents:</b> {error.message}
            {error.hint && `; ${error.hint}`}
          </p>
        )}
        {!value && !error && <p class="soft">Asking the daemon…</p>}
        {value && rows.length === 0 && <Nothing any={alerts.length > 0} />}
        <ol class="alerts">
          {rows.slice(0, DRAWN_MAX).map((alert) => (
            <Incident
              key={alert.id}
              alert={alert}
              muted={muted.has(alert.provider)}
              marked={alert === one}
              onDone={() => setDone((n) => n + 1)}
            />
          ))}
        </ol>
        {rows.length > DRAWN_MAX && <p class="nothing">{count(rows.length - DRAWN_MAX)} more: filter to find one.</p>}
      </main>
    </>
  );
}

function Nothing({ any }: { any: boolean }) {
  return (
    <section class="state">
      <h1>{any ? "No incident matches" : "Nothing has fallen yet"}</h1>
      <p class="soft">
        {any
          ? "Another word or another state may find it."
          : "When a provider hangs, fails, slows down, declines far more than usual or falls silent, it is written down here, with the calls that show it."}
      </p>
    </section>
  );
}

interface IncidentProps {
  alert: Alert;
  muted: boolean;
  marked: boolean;
  onDone: () => void;
}

function Incident({ alert, muted, marked, onDone }: IncidentProps) {
  const now = useNow();
  const { id, provider, kind, scope, started, detected_after_s, resolved, evidence, exemplars, severity } = alert;
  const firing = resolved === null;
  const ours = provider === EVERYBODY;
  return (
    <li class={`incident v-${kind}${firing && !muted ? " bad" : ""}`} data-alert={id} data-state={firing ? "firing" : "resolved"}>
      <header>
        <Shape verdict={kind} />
        <h2>{ours ? "Many providers" : <Link to={providerPath(provider)}>{provider}</Link>}</h2>
        <span class="verdict">{meaning(kind).label}</span>
        <span class="soft">{scopeText(scope)}</span>
        <span class="tag">{firing ? "firing" : "resolved"}</span>
        {severity !== "page" && <span class="tag">{severity}</span>}
        {muted && <span class="tag">muted</span>}
      </header>
      <p class="evidence">{evidence || meaning(kind).sentence}</p>
      <dl class="moments">
        <Moment label="started" at={started} />
        <div>
          <dt>detected after</dt>
          <dd>{detected_after_s === null ? NOTHING : duration(detected_after_s * 1000)}</dd>
        </div>
        {resolved !== null && <Moment label="resolved" at={resolved} />}
        <div>
          <dt>{firing ? "firing for" : "lasted"}</dt>
          <dd>{lasted(alert, now)}</dd>
        </div>
      </dl>
      <footer>
        {exemplars.length > 0 && (
          <span class="traces">
            Traces
            {exemplars.map((trace) => (
              <Link key={trace} to={tracePath(trace)} title={trace}>
                <code>{trace.slice(0, 8)}</code>
              </Link>
            ))}
          </span>
        )}
        {!marked && <Link to={incidentPath(id)}>Permalink</Link>}
        {!ours && (firing || muted) && <Mute provider={provider} muted={muted} onDone={onDone} />}
      </footer>
    </li>
  );
}

function Moment({ label, at }: { label: string; at: string }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        <time dateTime={at}>
          {at.slice(0, 10)} {clock(at)}
        </time>
        <small> UTC</small>
      </dd>
    </div>
  );
}
