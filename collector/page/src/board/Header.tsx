/** What is true of the whole fleet, and whether the daemon that says so is well. */
import type { ComponentChildren } from "preact";
import type { Provider } from "../api/types";
import { type FeedState } from "../live/feed";
import { useFiring, useNow, useStats } from "../live/hooks";
import { clock, count, elapsed, rate, share } from "../ui/format";
import { Link, useRoute } from "../ui/router";
import { Shape } from "../ui/Shape";
import { toggleTheme } from "../ui/theme";
import { meaning } from "../ui/verdict";
import { fleet } from "./fleet";
import { health } from "./health";

export function TopBar({ state, children }: { state: FeedState; children?: ComponentChildren }) {
  return (
    <header class="top">
      <Link to="/" class="brand" title="The board">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M5 8h14M11 16h16M5 24h10" />
          <circle cx="25" cy="8" r="2.6" />
        </svg>
        spanmill
      </Link>
      <Nav news={state.news} />
      {children}
      <div class="right">
        <LiveMark state={state} />
        <button
          type="button"
          class="quiet"
          onClick={toggleTheme}
          title="Light or dark (t)"
          aria-label="Switch between light and dark"
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <circle cx="8" cy="8" r="6" class="drawn" />
            <path d="M8 2a6 6 0 0 1 0 12z" class="filled" />
          </svg>
        </button>
      </div>
    </header>
  );
}

function Nav({ news }: { news: number }) {
  const firing = useFiring(news).filter(({ muted }) => !muted).length;
  const here = useRoute().view;
  const places: [string, string, ComponentChildren][] = [
    ["board", "/", "Board"],
    ["incidents", "/incidents", <>Incidents {firing > 0 && <b title={`${firing} firing`}>{firing}</b>}</>],
    ["unmapped", "/unmapped", "Unmapped"],
  ];
  return (
    <nav aria-label="Views">
      {places.map(([view, to, label]) => (
        <Link key={view} to={to} {...(here === view ? { "aria-current": "page" } : {})}>
          {label}
        </Link>
      ))}
    </nav>
  );
}

const PHASES = { connecting: "connecting", live: "live", stale: "stale", lost: "no connection" } as const;

function LiveMark({ state }: { state: FeedState }) {
  const { phase, answer } = state;
  return (
    <span class={`live is-${phase}`} data-phase={phase} role="status">
      <span class="dot" aria-hidden="true" />
      <span class="word">{PHASES[phase]}</span>
      {answer && (
        <time dateTime={answer.at} aria-hidden="true">
          {clock(answer.at)}
          <small> UTC</small>
        </time>
      )}
    </span>
  );
}

interface SummaryProps {
  providers: readonly Provider[];
  only: string | null;
  onOnly: (verdict: string | null) => void;
}

export function Summary({ providers, only, onOnly }: SummaryProps) {
  const all = fleet(providers);
  return (
    <section class="summary" aria-label="The fleet">
      <div class="chips">
        <button type="button" class="chip total" aria-pressed={only === null} onClick={() => onOnly(null)}>
          <b>{count(all.providers)}</b> {all.providers === 1 ? "provider" : "providers"}
        </button>
        {all.verdicts.map(({ verdict, count }) => (
          <button
            type="button"
            key={verdict}
            class={`chip v-${verdict}`}
            aria-pressed={only === verdict}
            title={meaning(verdict).sentence}
            onClick={() => onOnly(only === verdict ? null : verdict)}
          >
            <Shape verdict={verdict} />
            <b>{count}</b> {meaning(verdict).label.toLowerCase()}
          </button>
        ))}
      </div>
      <dl class="figures">
        <Figure label="calls/s" value={rate(all.calls_per_s)} />
        <Figure label="failed" value={share(all.failure_ratio)} />
        <Figure label="declined" value={share(all.decline_ratio)} />
        <Figure
          label="in flight"
          value={all.in_flight === null ? "no data" : count(all.in_flight)}
          quiet={all.in_flight === null}
        />
      </dl>
    </section>
  );
}

function Figure({ label, value, quiet }: { label: string; value: string; quiet?: boolean }) {
  return (
    <div class={quiet ? "none" : undefined}>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  );
}

export function HealthLine() {
  const stats = useStats();
  const items = health(stats);
  // Without any figure yet, "cannot be reached" is what the view itself says, and louder.
  const silent = stats.error !== null && (items.length > 0 || stats.error.status !== 0);
  return (
    <section class={`health${silent ? " old" : ""}`} aria-label="The daemon">
      {items.map(({ label, value, detail, alarming }) => (
        <span key={label} class={alarming ? "alarming" : undefined} title={detail}>
          {alarming && "! "}
          <span class="label">{label}</span> {value}
        </span>
      ))}
      {silent && <span class="alarming">! no new daemon figures: {stats.error?.message}</span>}
    </section>
  );
}

export function StaleNote({ state }: { state: FeedState }) {
  const now = useNow();
  if (state.phase === "live" || state.phase === "connecting" || !state.answer || state.heardAt === null) return null;
  const age = elapsed(now - state.heardAt);
  return (
    <p class="note" role="alert">
      <b>{state.phase === "stale" ? "No news" : "Connection lost"}.</b> These figures are {age} old.{" "}
      {state.phase === "stale"
        ? "The daemon is connected but quiet."
        : "Trying to reach the daemon again; this page will catch up by itself."}
    </p>
  );
}
