/** Durations over time as a heat map on a logarithmic scale; calls that timed out or failed have rows of their own on top. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { HeatmapAnswer } from "../api/types";
import { clock, count, duration } from "../ui/format";
import { onTheme, token } from "../ui/theme";
import { heat, type Heat, strength } from "./heat";

const HEIGHT = 210;
/** As wide as the gutters of the charts, so that moments lie under each other. */
const LEFT = 66;
const RIGHT = 4;
const EXTRA_ROWS = ["timed out", "failed"] as const;
const GAP = 6;

interface HeatMapProps {
  answer: HeatmapAnswer;
  from: number;
  to: number;
}

interface Grid {
  rows: number;
  top: number;
  cell: number;
}

/** The two rows on top are as high as two and a half others, at least 12 px each. */
const EXTRA = 15;
function grid(of: Heat): Grid {
  const rows = of.high - of.low + 1;
  const top = EXTRA_ROWS.length * EXTRA + GAP;
  return { rows, top, cell: (HEIGHT - top) / rows };
}

function draw(canvas: HTMLCanvasElement, { answer, from, to }: HeatMapProps, of: Heat): void {
  const width = canvas.clientWidth;
  canvas.width = width * devicePixelRatio;
  canvas.height = HEIGHT * devicePixelRatio;
  const ctx = canvas.getContext("2d");
  if (!ctx) return;
  ctx.scale(devicePixelRatio, devicePixelRatio);
  const { rows, top, cell } = grid(of);
  const perSecond = (width - LEFT - RIGHT) / (to - from);
  const [calls, timeouts, failures] = ["--line", "--o-timeout", "--o-failed"].map(token) as [string, string, string];
  const fill = (color: string, alpha: number, x: number, y: number, w: number, h: number) => {
    ctx.fillStyle = color;
    ctx.globalAlpha = alpha;
    ctx.fillRect(x, y, w, h);
  };
  fill(token("--raised"), 0.7, LEFT, 0, width - LEFT - RIGHT, EXTRA - 2);
  fill(token("--raised"), 0.7, LEFT, EXTRA, width - LEFT - RIGHT, EXTRA - 2);
  for (const { t, counts, timeout, failed } of answer.columns) {
    const x = Math.max(LEFT, LEFT + (t - from) * perSecond);
    const w = Math.min(width - RIGHT, LEFT + (t + answer.step_s - from) * perSecond) - x;
    if (w <= 0) continue;
    const wide = Math.max(1, w - (w > 4 ? 1 : 0));
    if (timeout > 0) fill(timeouts, strength(timeout, of.mostTimeout), x, 0, wide, EXTRA - 2);
    if (failed > 0) fill(failures, strength(failed, of.mostFailed), x, EXTRA, wide, EXTRA - 2);
    for (let row = 0; row < rows; row++) {
      const n = counts[of.low + row] ?? 0;
      if (n > 0) fill(calls, strength(n, of.most), x, top + (rows - 1 - row) * cell, wide, Math.max(1, cell - 0.5));
    }
  }
  labels(ctx, answer, of);
}

function labels(ctx: CanvasRenderingContext2D, { bounds_ms }: HeatmapAnswer, of: Heat): void {
  const { rows, top, cell } = grid(of);
  ctx.globalAlpha = 1;
  ctx.fillStyle = token("--soft");
  ctx.font = "12px system-ui, sans-serif";
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  EXTRA_ROWS.forEach((name, i) => ctx.fillText(name, LEFT - 8, i * EXTRA + EXTRA / 2 - 1));
  let last = Number.POSITIVE_INFINITY;
  for (let row = 0; row < rows; row++) {
    const y = top + (rows - 1 - row) * cell;
    // Bounds grow by √2, so every other one is a round power of two; the label stands at the upper edge of its row.
    if ((of.low + row) % 2 === 1 || last - y < 20 || y < top + 4) continue;
    ctx.fillText(duration(bounds_ms[of.low + row]), LEFT - 8, y);
    last = y;
  }
}

export function HeatMap(props: HeatMapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [said, setSaid] = useState("");
  const of = heat(props.answer);
  useEffect(() => {
    const element = canvas.current;
    if (!element || !of) return;
    const again = () => draw(element, props, of);
    again();
    const resized = new ResizeObserver(again);
    resized.observe(element);
    const forget = onTheme(again);
    return () => {
      resized.disconnect();
      forget();
    };
  });
  if (!of) return null;
  const point = (event: PointerEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    setSaid(words(props, of, event.clientX - box.left, event.clientY - box.top, box.width));
  };
  const summary = `Durations from ${duration(props.answer.bounds_ms[of.low])} to ${duration(props.answer.bounds_ms[of.high])}`;
  return (
    <figure class="chart heat">
      <figcaption>
        Durations <span class="soft">{said}</span>
      </figcaption>
      <canvas ref={canvas} role="img" aria-label={summary} onPointerMove={point} onPointerLeave={() => setSaid("")} />
    </figure>
  );
}

/** What the pointer is on: 20:15:10 UTC · 128–181 ms · 12 calls. */
function words({ answer, from, to }: HeatMapProps, of: Heat, x: number, y: number, width: number): string {
  const t = from + ((x - LEFT) / (width - LEFT - RIGHT)) * (to - from);
  const column = answer.columns.find((one) => t >= one.t && t < one.t + answer.step_s);
  if (!column || x < LEFT) return "";
  const at = `${clock(new Date(column.t * 1000).toISOString())} UTC`;
  const { rows, top, cell } = grid(of);
  if (y < EXTRA) return `${at} · ${count(column.timeout)} timed out`;
  if (y < top) return `${at} · ${count(column.failed)} failed`;
  const row = of.low + rows - 1 - Math.floor((y - top) / cell);
  const low = row > 0 ? duration(answer.bounds_ms[row - 1]) : "0";
  return `${at} · ${low} to ${duration(answer.bounds_ms[row])} · ${count(column.counts[row] ?? 0)} calls`;
}
