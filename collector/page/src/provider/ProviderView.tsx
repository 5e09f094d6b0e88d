/** One provider: its verdict and why, its figures, and what it did over time, by whom and in which calls. */
import { useEffect } from "preact/hooks";
import type { HeatmapAnswer, Provider, SeriesAnswer } from "../api/types";
import type { FeedState } from "../live/feed";
import { StaleNote, TopBar } from "../board/Header";
import { Mute } from "../incidents/Mute";
import { feed, useFiring, usePolled } from "../live/hooks";
import { declineRatio } from "../live/ratio";
import { clock, conversionShare, duration, elapsed, NOTHING, rate, share, times } from "../ui/format";
import { incidentPath, Link, tracePath, useQuery } from "../ui/router";
import { Shape } from "../ui/Shape";
import { Tabs } from "../ui/Tabs";
import { isBad, meaning, scopeText } from "../ui/verdict";
import { Breakdown } from "./Breakdown";
import { Charts } from "./Charts";
import { Exemplars } from "./Exemplars";
import { inAddress, RANGES, rangeOf } from "./range";
import { webAddress } from "./series";
import { Why } from "./Why";

/** The daemon's clock, unix seconds: ours may be wrong, and a range that ends in its future would be cut off. */
const daemonNow = (): number => {
  const at = Math.floor(Date.parse(feed.state.answer?.at ?? "") / 1000);
  return Number.isFinite(at) ? at : Math.floor(Date.now() / 1000);
};

export function ProviderView({ name, state }: { name: string; state: FeedState }) {
  const [query, change] = useQuery();
  const range = rangeOf(query.get("range"));
  const path = `/api/v1/providers/${encodeURIComponent(name)}`;
  const lately = () => {
    const now = daemonNow();
    return `from=${now - range.span_s}&to=${now}`;
  };
  const ask = <T,>(view: string, everyMs: number) =>
    usePolled<T>(`${path}/${view}?range=${range.name}`, everyMs, state.news, () => `${path}/${view}?${lately()}`);
  const series = ask<SeriesAnswer>("series", range.every_ms);
  const heatmap = ask<HeatmapAnswer>("heatmap", 2 * range.every_ms);
  const provider = state.answer?.providers.find((one) => one.name === name) ?? null;
  const now = daemonNow();
  useEffect(() => {
    const trouble = provider && isBad(provider.verdict) ? ` is ${meaning(provider.verdict).label.toLowerCase()}` : "";
    document.title = `${name}${trouble} · spanmill`;
  }, [name, provider?.verdict]);
  return (
    <>
      <TopBar state={state} />
      <main class="provider">
        <StaleNote state={state} />
        <p class="back">
          <Link to="/">← All providers</Link>
        </p>
        {provider ? <Head provider={provider} now={now} news={state.news} /> : <h1>{name}</h1>}
        {state.answer && !provider && <p class="soft">No call to this provider in the last minutes.</p>}
        {provider && <Figures provider={provider} />}
        <div class="ranges">
          <Tabs
            label="Time range"
            options={RANGES.map(({ name, label }) => [name, label] as const)}
            chosen={range.name}
            onChoose={(next) => change({ range: inAddress(next) })}
          />
        </div>
        {series.error && (
          <p class="note" role="alert">
            <b>No charts:</b> {series.error.message}
            {series.error.hint && `; ${series.error.hint}`}
          </p>
        )}
        {!series.value && !series.error && <p class="soft hint">Asking the daemon…</p>}
        {series.value && <Charts series={series.value} heatmap={heatmap.value} provider={provider} range={range} now={now} />}
        <div class="panels">
          <Breakdown name={name} range={range} />
          <Exemplars name={name} />
        </div>
      </main>
    </>
  );
}

function Head({ provider, now, news }: { provider: Provider; now: number; news: number }) {
  const alert = useFiring(news).find((one) => one.provider === provider.name);
  const { name, verdict, since, scope, evidence, last_success, owner, muted } = provider;
  const { label, sentence } = meaning(verdict);
  const started = since === null ? Number.NaN : Date.parse(since);
  const runbook = webAddress(provider.runbook);
  const statusPage = webAddress(provider.status_page);
  return (
    <header class={`head-card v-${verdict}${isBad(verdict) && !muted ? " bad" : ""}`}>
      <h1>
        <Shape verdict={verdict} /> {name}
      </h1>
      <p class="judged">
        <b>{label}</b>
        {Number.isFinite(started) && ` for ${elapsed(now * 1000 - started)}`}
        {scope && isBad(verdict) && `, ${scopeText(scope)}`}
        <span class="soft"> · {sentence}</span>
        {muted && <span class="tag">muted</span>}
      </p>
      {evidence && <p class="evidence">{evidence}</p>}
      {isBad(verdict) && <Why provider={provider} />}
      {alert && (
        <p class="traces">
          <Link to={incidentPath(alert.id)}>The incident</Link>
          {alert.detected_after_s !== null && ` was seen after ${duration(alert.detected_after_s * 1000)}`}
          {alert.exemplars.length > 0 && "; its calls"}
          {alert.exemplars.map((trace) => (
            <Link key={trace} to={tracePath(trace)} title={`trace ${trace}`}>
              <code>{trace.slice(0, 8)}</code>
            </Link>
          ))}
        </p>
      )}
      <p class="soft facts">
        {last_success && <span>last success {clock(last_success)} UTC</span>}
        {owner && <span>owner {owner}</span>}
        {runbook ? <a href={runbook}>runbook</a> : provider.runbook && <span>runbook {provider.runbook}</span>}
        {statusPage && <a href={statusPage}>their status page</a>}
      </p>
      <div class="actions">
        <Mute provider={name} muted={muted} />
      </div>
    </header>
  );
}

function Figures({ provider }: { provider: Provider }) {
  const { baseline, conversion } = provider;
  const oldest = provider.oldest_in_flight_ms === null ? null : `oldest ${duration(provider.oldest_in_flight_ms)}`;
  const normal = (text: string) => (text === NOTHING ? null : `normally ${text}`);
  const ratio = times(provider.p95_ms, baseline?.p95_ms);
  const longer = [conversion?.["10m"], conversion?.["15m"]].map((value) => conversionShare(value).replace(/\s?%$/, "")).join("/");
  const cards: [string, string, string | null][] = [
    ["calls/s", rate(provider.calls_per_s), normal(rate(baseline?.calls_per_s))],
    ["failed", share(provider.failure_ratio), normal(share(baseline?.failure_ratio))],
    ["declined", share(declineRatio(provider)), null],
    ["p50", duration(provider.p50_ms), null],
    ["p95", duration(provider.p95_ms), ratio && `${ratio} of ${duration(baseline?.p95_ms)}`],
    ["p99", duration(provider.p99_ms), `longest ${duration(provider.max_ms)}`],
    ["in flight", provider.in_flight === null ? "no data" : String(provider.in_flight), oldest],
    ["conversion 5 min", conversionShare(conversion?.["5m"]), `10/15 min ${longer}`],
  ];
  return (
    <>
      <dl class="cards">
        {cards.map(([label, value, beside]) => (
          <div key={label} class={value === NOTHING || value === "no data" ? "none" : undefined}>
            <dt>{label}</dt>
            <dd>{value}</dd>
            <dd class="more">{value === NOTHING ? "" : beside}</dd>
          </div>
        ))}
      </dl>
      {provider.in_flight === null && (
        <p class="soft hint">
          No in-flight data: its callers send finished spans only, so a hang is seen only after their timeout.
        </p>
      )}
    </>
  );
}

