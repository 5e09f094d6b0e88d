/** What lies over a chart: verdicts that held as tinted bands with their name, notes as lines, normal as a dashed line. */
import type uPlot from "uplot";
import type { Annotation, Held } from "../api/types";
import { token } from "../ui/theme";
import { meaning } from "../ui/verdict";

/** Colour tokens by the verdict's name; a newer daemon's verdict is drawn as unknown. */
const colorOf = (verdict: string) => token(meaning(verdict).label === "Unknown" ? "--unknown" : `--${verdict}`);

function inside({ ctx, bbox }: uPlot, draw: () => void): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw();
  ctx.restore();
}

export function drawVerdicts(plot: uPlot, verdicts: readonly Held[], now: number): void {
  const { ctx, bbox } = plot;
  inside(plot, () => {
    for (const { from, to, verdict } of verdicts) {
      const left = plot.valToPos(from, "x", true);
      const width = Math.max(2 * devicePixelRatio, plot.valToPos(to ?? now, "x", true) - left);
      ctx.fillStyle = colorOf(verdict);
      ctx.globalAlpha = 0.13;
      ctx.fillRect(left, bbox.top, width, bbox.height);
      ctx.globalAlpha = 1;
      ctx.fillRect(left, bbox.top, width, 3 * devicePixelRatio);
      const label = meaning(verdict).label;
      ctx.font = `600 ${11 * devicePixelRatio}px system-ui, sans-serif`;
      const visible = Math.max(left, bbox.left);
      if (left + width - visible > ctx.measureText(label).width + 8 * devicePixelRatio) {
        ctx.textBaseline = "top";
        ctx.textAlign = "left";
        ctx.fillText(label, visible + 5 * devicePixelRatio, bbox.top + 7 * devicePixelRatio);
      }
    }
  });
}

export function drawNotes(plot: uPlot, notes: readonly Annotation[]): void {
  const { ctx, bbox } = plot;
  inside(plot, () => {
    ctx.strokeStyle = token("--focus");
    ctx.fillStyle = token("--focus");
    ctx.lineWidth = devicePixelRatio;
    for (const { t } of notes) {
      const x = Math.round(plot.valToPos(t, "x", true)) + 0.5;
      const size = 5 * devicePixelRatio;
      ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x - size, bbox.top + bbox.height);
      ctx.lineTo(x + size, bbox.top + bbox.height);
      ctx.lineTo(x, bbox.top + bbox.height - 1.6 * size);
      ctx.fill();
    }
  });
}

/** Normal p95 as a dashed line, with the area below it, where 95 of 100 calls normally lie, tinted. */
export function drawNormal(plot: uPlot, p95_ms: number | null): void {
  if (p95_ms === null) return;
  const { ctx, bbox } = plot;
  const y = Math.round(plot.valToPos(p95_ms, "y", true)) + 0.5;
  inside(plot, () => {
    ctx.fillStyle = token("--line-fill");
    ctx.fillRect(bbox.left, y, bbox.width, bbox.top + bbox.height - y);
    ctx.strokeStyle = token("--line");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
  });
}
