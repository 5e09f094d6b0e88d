/** One provider over time: percentiles, outcomes, calls in flight and durations, with verdicts and notes over them. */
import { useMemo } from "preact/hooks";
import type uPlot from "uplot";
import type { HeatmapAnswer, Provider, SeriesAnswer } from "../api/types";
import { Chart } from "../ui/Chart";
import { clock, duration, elapsed, NOTHING, rate } from "../ui/format";
import { token } from "../ui/theme";
import { HeatMap } from "./HeatMap";
import { drawNormal, drawNotes, drawVerdicts } from "./overlay";
import type { Range } from "./range";
import { OUTCOME_LABELS, OUTCOMES, type Outcome, rates, roundAbove, roundBelow, sealed } from "./series";

const line = (label: string, color: string, width: number): uPlot.Series => ({
  label,
  scale: "y",
  stroke: () => token(color),
  width,
  points: { show: false },
  value: (_plot, value) => duration(value),
});

/** 20:15:03 UTC, with the day before it where it is not today's. */
function said(t: number): string {
  const text = new Date(t * 1000).toISOString();
  const today = Math.abs(Date.now() / 1000 - t) < 43_200;
  return `${today ? "" : `${text.slice(5, 10)} `}${clock(text)} UTC`;
}

const PERCENTILES: uPlot.Series[] = [
  { value: (_plot, t) => (t === null ? "" : said(t)), label: "" },
  line("p99", "--p99", 1.2),
  line("p95", "--line", 2),
  line("p50", "--p50", 1.2),
];

const whole = (value: number | null) => (value === null ? NOTHING : String(value));
const IN_FLIGHT: uPlot.Series[] = [
  PERCENTILES[0] as uPlot.Series,
  line("oldest", "--slow", 1.6),
  { ...line("calls", "--p50", 0), value: (_plot, value) => whole(value), scale: "calls", alpha: 0 },
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

interface ChartsProps {
  series: SeriesAnswer;
  heatmap: HeatmapAnswer | null;
  provider: Provider | null;
  range: Range;
  now: number;
}

export function Charts({ series, heatmap, provider, range, now }: ChartsProps) {
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
  const from = now - range.span_s;
  const normal = provider?.baseline?.p95_ms ?? null;
  const notes = series.annotations ?? [];
  const verdicts = series.verdicts ?? [];
  const over = (plot: uPlot) => {
    drawVerdicts(plot, verdicts, now);
    drawNotes(plot, notes);
  };
  const flying = points.some(({ in_flight }) => in_flight !== null);
  if (points.length === 0) return <p class="soft hint">No calls in this time; the charts begin with the first ten seconds of calls.</p>;
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
        under={(plot) => drawNormal(plot, normal)}
        over={over}
      />
      <Chart
        label="Calls per second by outcome"
        data={stacked as uPlot.AlignedData}
        series={outcomeSeries}
        scale={fromZero}
        values={(perSecond) => rate(perSecond).replace(/\.0+$/, "")}
        from={from}
        to={now}
        over={over}
      />
      {heatmap && <HeatMap answer={heatmap} from={from} to={now} />}
      {flying && (
        <Chart
          label="Oldest call in flight"
          data={[rate_s.t, points.map((p) => p.oldest_in_flight_ms), points.map((p) => p.in_flight)] as uPlot.AlignedData}
          series={IN_FLIGHT}
          scale={logScale}
          values={logLabel}
          from={from}
          to={now}
          height={150}
          over={over}
        />
      )}
      {notes.length > 0 && (
        <ul class="notes" aria-label="Notes in this time">
          {notes.map(({ id, at, text, tags }) => (
            <li key={id}>
              <time dateTime={at}>
                {at.slice(5, 10)} {clock(at)}
              </time>{" "}
              {text}
              {tags.map((tag) => (
                <span key={tag} class="tag">
                  {tag}
                </span>
              ))}
            </li>
          ))}
        </ul>
      )}
      <p class="faint hint">
        Drag to zoom, double-click for all. Times are UTC; each point stands for {elapsed(series.step_s * 1000)}.
        {normal !== null && " Dashed: normal p95; normally 95 of 100 calls lie in the tinted area below it."}
      </p>
    </div>
  );
}

/** Names the lines at 1, 2 and 5 of each decade; those between need none. */
function logLabel(ms: number): string {
  return [1, 2, 5].includes(Number((ms / 10 ** Math.floor(Math.log10(ms) + 1e-9)).toFixed(6)))
    ? duration(ms).replace(".00", "").replace(".0", "")
    : "";
}
