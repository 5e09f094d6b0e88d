/** A uPlot chart that fits its box, follows the theme, shares its cursor with its neighbours and keeps a zoom while data goes on. */
import { useRef } from "preact/hooks";
import uPlot from "uplot";
import { usePlot } from "./plot";
import { token } from "./theme";

const HEIGHT = 210;
/** Charts on one page move their cursors together. */
const SYNC = "spanmill";
const DAY_S = 86_400;

export interface ChartProps {
  label: string;
  data: uPlot.AlignedData;
  series: uPlot.Series[];
  scale: uPlot.Scale;
  /** Labels of the y axis. */
  values: (value: number) => string;
  from: number;
  to: number;
  height?: number;
  /** Drawn below the lines and above them. */
  under?: (plot: uPlot) => void;
  over?: (plot: uPlot) => void;
}

function axis(extra: uPlot.Axis): uPlot.Axis {
  return {
    stroke: () => token("--soft"),
    grid: { stroke: () => token("--edge"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
    ...extra,
  };
}

interface Live {
  props: ChartProps;
  zoomed: boolean;
}

function options(live: Live, width: number): uPlot.Options {
  const { props } = live;
  const reset = (plot: uPlot) => {
    live.zoomed = false;
    plot.setScale("x", { min: live.props.from, max: live.props.to });
  };
  return {
    width,
    height: props.height ?? HEIGHT,
    padding: [8, 4, 0, 0],
    cursor: { sync: { key: SYNC }, points: { size: 6 }, drag: { x: true, y: false, dist: 5 } },
    legend: { live: true, markers: { width: 0, fill: (_plot, i) => String(fillOf(props.series[i])) } },
    scales: { x: { time: true, auto: false }, y: props.scale },
    axes: [
      axis({ space: 90, size: 30, values: (plot, ticks) => ticks.map((t) => moment(t, spanOf(plot))) }),
      axis({ size: 66, values: (_plot, ticks) => ticks.map((t) => (t === null ? "" : live.props.values(t))) }),
    ],
    series: props.series,
    hooks: {
      init: [(plot) => plot.over.addEventListener("dblclick", () => reset(plot))],
      setSelect: [(plot) => void (live.zoomed = plot.select.width > 0)],
      drawClear: [(plot) => live.props.under?.(plot)],
      draw: [(plot) => live.props.over?.(plot)],
    },
  };
}

function fillOf(series: uPlot.Series | undefined): unknown {
  const stroke = series?.stroke;
  return typeof stroke === "function" ? (stroke as () => unknown)() : (stroke ?? "transparent");
}

const spanOf = ({ scales }: uPlot) => (scales["x"]?.max ?? 0) - (scales["x"]?.min ?? 0);

/** 20:15, 20:15:03 when zoomed in that far, 22 Nov 20:15 or 22 Nov when zoomed out; in UTC like everything else here. */
export function moment(seconds: number, span_s: number): string {
  const at = new Date(seconds * 1000);
  const text = at.toISOString();
  const day = `${at.getUTCDate()} ${at.toLocaleString("en-US", { month: "short", timeZone: "UTC" })}`;
  if (span_s > 2 * DAY_S) return seconds % DAY_S === 0 ? day : text.slice(11, 16);
  if (seconds % DAY_S === 0) return day;
  return text.slice(11, seconds % 60 === 0 ? 16 : 19);
}

export function Chart(props: ChartProps) {
  const live = useRef<Live>({ props, zoomed: false });
  live.current.props = props;
  const box = usePlot({
    height: props.height ?? HEIGHT,
    anew: props.series,
    options: (width) => options(live.current, width),
    update: (plot) => {
      plot.batch(() => {
        plot.setData(props.data, false);
        if (live.current.zoomed) plot.redraw();
        else plot.setScale("x", { min: props.from, max: props.to });
      });
      // Without a cursor the legend reads the newest point rather than dashes.
      if (plot.cursor.idx == null) plot.setLegend({ idx: props.data[0].length - 1 }, false);
    },
  });
  return (
    <figure class="chart">
      <figcaption>{props.label}</figcaption>
      <div ref={box} />
    </figure>
  );
}
