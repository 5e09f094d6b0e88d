/** One provider: its verdict with the evidence, its figures, and the last quarter of an hour in charts. */
import { useMemo } from "preact/hooks";
import type uPlot from "uplot";
import type { Provider, SeriesAnswer } from "../api/types";
import type { FeedState } from "../live/feed";
import { StaleNote, TopBar } from "../board/Header";
import { usePolled } from "../live/hooks";
import { declineRatio } from "../live/ratio";
import { Chart } from "../ui/Chart";
import { clock, conversionShare, duration, elapsed, NOTHING, rate, share, times } from "../ui/format";
import { Link } from "../ui/router";
import { Shape } from "../ui/Shape";
import { token } from "../ui/theme";
import { isBad, meaning } from "../ui/verdict";
import { OUTCOME_LABELS, OUTCOMES, type Outcome, rates, roundAbove, roundBelow, sealed, webAddress } from "./series";

/** The charts' finest step is ten seconds; asking twice in it keeps them near the live figures above. */
const SERIES_EVERY_MS = 5_000;
const SPAN_S = 900;

export function ProviderView({ name, state }: { name: string; state: FeedState }) {
  const path = `/api/v1/providers/${encodeURIComponent(name)}/series`;
  const series = usePolled<SeriesAnswer>(path, SERIES_EVERY_MS);
  const provider = state.answer?.providers.find((one) => one.name === name) ?? null;
  const now = Math.floor(Date.parse(state.answer?.at ?? "") / 1000);
  document.title = `${name}${provider && isBad(provider.verdict) ? ` is ${meaning(provider.verdict).label.toLowerCase()}` : ""} · spanmill`;
  return (
    <>
      <TopBar state={state} />
      <main class="provider">
        <StaleNote state={state} />
        <p class="back">
          <Link to="/">← All providers</Link>
        </p>
        {provider ? <Head provider={provider} now={now} /> : <h1>{name}</h1>}
        {state.answer && !provider && <p class="soft">No call to this provider in the last minutes.</p>}
        {provider && <Figures provider={provider} />}
        {series.error && (
          <p class="note" role="alert">
            <b>No charts:</b> {series.error.message}
            {series.error.hint && `; ${series.error.hint}`}
          </p>
        )}
        {series.value && <Charts series={series.value} now={Number.isFinite(now) ? now : Math.floor(Date.now() / 1000)} />}
      </main>
    </>
  );
}

function Head({ provider, now }: { provider: Provider; now: number }) {
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
        {scope && isBad(verdict) && `, ${scope === "everyone" ? "for everyone" : `only ${scope.replace(":", " ")}`}`}
        <span class="soft"> · {sentence}</span>
        {muted && <span class="tag">muted</span>}
      </p>
      {evidence && <p class="evidence">{evidence}</p>}
      <p class="soft facts">
        {last_success && <span>last success {clock(last_success)} UTC</span>}
        {owner && <span>owner {owner}</span>}
        {runbook ? <a href={runbook}>runbook</a> : provider.runbook && <span>runbook {provider.runbook}</span>}
        {statusPage && <a href={statusPage}>their status page</a>}
      </p>
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

const line = (label: string, color: string, width: number): uPlot.Series => ({
  label,
  scale: "y",
  stroke: () => token(color),
  width,
  points: { show: false },
  value: (_plot, value) => duration(value),
});

const PERCENTILES: uPlot.Series[] = [
  { value: (_plot, t) => (t === null ? "" : `${clock(new Date(t * 1000).toISOString())} UTC`), label: "" },
  line("p99", "--p99", 1.2),
  line("p95", "--line", 2),
  line("p50", "--p50", 1.2),
];

const OUTCOME_COLORS: Record<Outcome, string> = {
  connect: "--o-connect",
  timeout: "--o-timeout",
  failed: "--o-failed",
  declined: "--o-declined",
  client_fault: "--o-fault",
  cancelled: "--o-cancelled",
  ok: "--o-ok",
};

/** Latency spans decades, so its axis is logarithmic, from one round number to another. */
const logScale: uPlot.Scale = {
  distr: 3,
  range: (_plot, low, high) => [roundBelow(Math.max(low ?? 10, 0.01)), roundAbove(Math.max(high ?? 1000, 0.1))],
};
const fromZero: uPlot.Scale = { range: (_plot, _low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] };

function Charts({ series, now }: { series: SeriesAnswer; now: number }) {
  const points = useMemo(() => sealed(series.points, series.step_s, now), [series, now]);
  const rate_s = useMemo(() => rates(points, series.step_s), [points, series.step_s]);
  // Drawn from the whole stack down, each over the one before: uPlot fills to zero. The legend reads the unstacked rate.
  const drawn = useMemo(() => OUTCOMES.map((outcome, i) => ({ outcome, i })).reverse(), []);
  const latest = useMemo(() => ({ each: rate_s.each }), []);
  latest.each = rate_s.each;
  const outcomeSeries = useMemo<uPlot.Series[]>(
    () => [
      PERCENTILES[0] ?? {},
      ...drawn.map(({ outcome, i }) => ({
        label: OUTCOME_LABELS[outcome],
        scale: "y",
        stroke: () => token(OUTCOME_COLORS[outcome]),
        fill: () => token(OUTCOME_COLORS[outcome]),
        width: 0,
        points: { show: false },
        value: (_plot: uPlot, _value: number, _series: number, at: number | null) =>
          at === null ? NOTHING : `${rate(latest.each[i]?.[at])}/s`,
      })),
    ],
    [],
  );
  const percentiles = [rate_s.t, points.map((p) => p.p99_ms), points.map((p) => p.p95_ms), points.map((p) => p.p50_ms)];
  const stacked = [rate_s.t, ...drawn.map(({ i }) => rate_s.stacked[i] ?? [])];
  const from = now - SPAN_S;
  if (points.length === 0) return <p class="soft hint">The charts begin with the first ten seconds of calls.</p>;
  return (
    <div class="charts">
      <Chart
        label="Latency"
        data={percentiles as uPlot.AlignedData}
        series={PERCENTILES}
        scale={logScale}
        values={logLabel}
        from={from}
        to={now}
      />
      <Chart
        label="Calls per second by outcome"
        data={stacked as uPlot.AlignedData}
        series={outcomeSeries}
        scale={fromZero}
        values={(perSecond) => rate(perSecond).replace(/\.0+$/, "")}
        from={from}
        to={now}
      />
      <p class="faint hint">Drag to zoom, double-click for all. Times are UTC; each point stands for {series.step_s} s.</p>
    </div>
  );
}

/** Names the lines at 1, 2 and 5 of each decade; those between need none. */
function logLabel(ms: number): string {
  return [1, 2, 5].includes(Number((ms / 10 ** Math.floor(Math.log10(ms) + 1e-9)).toFixed(6)))
    ? duration(ms).replace(".00", "").replace(".0", "")
    : "";
}
