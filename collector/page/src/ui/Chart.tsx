/** A uPlot chart that fits its box, follows the theme, shares its cursor with its neighbours and keeps a zoom while data goes on. */
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { onTheme, token } from "./theme";

const HEIGHT = 210;
/** Charts on one page move their cursors together. */
const SYNC = "spanmill";

export interface ChartProps {
  label: string;
  data: uPlot.AlignedData;
  series: uPlot.Series[];
  scale: uPlot.Scale;
  /** Labels of the y axis. */
  values: (value: number) => string;
  from: number;
  to: number;
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

function options(props: ChartProps, width: number, zoomed: (on: boolean) => void): uPlot.Options {
  return {
    width,
    height: HEIGHT,
    padding: [8, 4, 0, 0],
    cursor: { sync: { key: SYNC }, points: { size: 6 }, drag: { x: true, y: false, dist: 5 } },
    legend: { live: true, markers: { width: 0, fill: (_plot, i) => String(fillOf(props.series[i])) } },
    scales: { x: { time: true, auto: false }, y: props.scale },
    axes: [
      axis({ space: 70, size: 30, values: (_plot, ticks) => ticks.map(utc) }),
      axis({ size: 66, values: (_plot, ticks) => ticks.map((t) => (t === null ? "" : props.values(t))) }),
    ],
    series: props.series,
    hooks: {
      setSelect: [(plot) => zoomed(plot.select.width > 0)],
    },
  };
}

function fillOf(series: uPlot.Series | undefined): unknown {
  const stroke = series?.stroke;
  return typeof stroke === "function" ? (stroke as () => unknown)() : (stroke ?? "transparent");
}

/** 20:15, or 20:15:03 when zoomed in that far; in UTC like everything else here. */
function utc(seconds: number): string {
  const text = new Date(seconds * 1000).toISOString();
  return text.slice(11, seconds % 60 === 0 ? 16 : 19);
}

export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const zoom = useRef(false);
  const now = useRef(props);
  now.current = props;

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const made = new uPlot(
      options(props, element.clientWidth || 1, (on) => (zoom.current = on)),
      props.data,
      element,
    );
    plot.current = made;
    const reset = () => {
      zoom.current = false;
      made.setScale("x", { min: now.current.from, max: now.current.to });
    };
    made.over.addEventListener("dblclick", reset);
    const resized = new ResizeObserver(() => made.setSize({ width: element.clientWidth || 1, height: HEIGHT }));
    resized.observe(element);
    const forget = onTheme(() => made.redraw());
    return () => {
      resized.disconnect();
      forget();
      made.destroy();
      plot.current = null;
    };
  }, [props.series]);

  useEffect(() => {
    const made = plot.current;
    if (!made) return;
    made.batch(() => {
      made.setData(props.data, false);
      if (!zoom.current) made.setScale("x", { min: props.from, max: props.to });
    });
    // Without a cursor the legend reads the newest point rather than dashes.
    if (made.cursor.idx == null) made.setLegend({ idx: props.data[0].length - 1 }, false);
  });

  return (
    <figure class="chart">
      <figcaption>{props.label}</figcaption>
      <div ref={box} />
    </figure>
  );
}
