/** Ten minutes of one provider in one glance: p95 as a line, failures as bars from below, normal as a dashed line. */
import { useRef } from "preact/hooks";
import uPlot from "uplot";
import { type Point, SPAN_S } from "../live/history";
import { usePlot } from "../ui/plot";
import { token } from "../ui/theme";

const HEIGHT = 34;
/** Below this the failure bars would be a flicker of single calls at the edge of sight. */
const FAILED_FULL = 0.5;

export interface SparkProps {
  points: readonly Point[];
  now: number;
  normal: number | null;
}

function columns(points: readonly Point[]): uPlot.AlignedData {
  return [
    points.map(({ t }) => t),
    points.map(({ failed }) => (failed ? Math.min(failed, FAILED_FULL) : null)),
    points.map(({ p95 }) => p95),
  ];
}

/** From zero to at least twice the normal: a calm line stays low, and its height is latency, not zoom. */
function top(points: readonly Point[], normal: number | null): number {
  const most = points.reduce((most, { p95 }) => Math.max(most, p95 ?? 0), 1);
  return Math.max(2 * (normal ?? 0.7 * most), 1.1 * most);
}

function drawNormal(normal: { value: number | null }): (plot: uPlot) => void {
  return (plot) => {
    if (normal.value === null) return;
    const { ctx, bbox } = plot;
    const y = Math.round(plot.valToPos(normal.value, "ms", true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = token("--faint");
    ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  };
}

function options(width: number, normal: { value: number | null }): uPlot.Options {
  return {
    width,
    height: HEIGHT,
    pxAlign: 0,
    padding: [2, 2, 1, 0],
    legend: { show: false },
    cursor: { show: false },
    axes: [{ show: false }, { show: false }],
    scales: { x: { time: true, auto: false }, ms: { auto: false }, failed: { auto: false, range: [0, FAILED_FULL] } },
    series: [
      {},
      {
        scale: "failed",
        fill: () => token("--failed-bar"),
        stroke: () => token("--failed-bar"),
        width: 0,
        points: { show: false },
        ...(uPlot.paths.bars ? { paths: uPlot.paths.bars({ size: [1, 6], gap: 0 }) } : {}),
      },
      { scale: "ms", stroke: () => token("--line"), fill: () => token("--line-fill"), width: 1.4, points: { show: false } },
    ],
    hooks: { drawAxes: [drawNormal(normal)] },
  };
}

export function Spark({ points, now, normal }: SparkProps) {
  const normalNow = useRef({ value: normal });
  normalNow.current.value = normal;
  const box = usePlot({
    height: HEIGHT,
    options: (width) => options(width, normalNow.current),
    update: (plot) =>
      plot.batch(() => {
        plot.setData(columns(points), false);
        plot.setScale("x", { min: now - SPAN_S, max: now });
        plot.setScale("ms", { min: 0, max: top(points, normal) });
      }),
  });
  return <div class="spark" ref={box} aria-hidden="true" />;
}
