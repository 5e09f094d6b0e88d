/**
 * The last ten minutes of each provider, for its sparkline: asked of the daemon once, when the row first comes into sight,
 * then continued from the live events. Asked again only after a gap in the events.
 */
import type { Provider, ProvidersAnswer, SeriesAnswer } from "../api/types";
import { failureRatio } from "./ratio";

export const SPAN_S = 600;
/** One live point per this many seconds until the daemon has said its own step. */
const STEP_S = 10;
/** A page of 500 rows must not send 500 requests at once. */
const FETCHES_MAX = 4;
/** A daemon that could not answer is asked again, but not each second. */
const RETRY_AFTER_S = 30;

export interface Point {
  t: number;
  p95: number | null;
  failed: number | null;
}

interface Track {
  points: Point[];
  step: number;
  filled: "no" | "asked" | "yes";
  askAgainAt: number;
}

type Fetcher = (name: string, from: number, to: number) => Promise<SeriesAnswer>;

export class Histories {
  private readonly tracks = new Map<string, Track>();
  private readonly queue: string[] = [];
  private running = 0;
  private now = 0;

  constructor(private readonly fetchSeries: Fetcher) {}

  points(name: string): readonly Point[] {
    return this.tracks.get(name)?.points ?? [];
  }

  /** Continues every history by one event; the current step is overwritten until it is over. */
  append({ at, providers }: ProvidersAnswer): void {
    const now = Math.floor(Date.parse(at) / 1000);
    if (!Number.isFinite(now)) return;
    this.now = now;
    for (const provider of providers) this.extend(this.track(provider.name), provider, now);
    if (this.tracks.size > providers.length) this.forget(new Set(providers.map(({ name }) => name)));
  }

  /** A row is in sight: fetch its past unless that is done or under way. */
  want(name: string): void {
    const track = this.track(name);
    if (track.filled !== "no" || this.now < track.askAgainAt || this.now === 0) return;
    track.filled = "asked";
    this.queue.push(name);
    this.pump();
  }

  /** Events were missed: what is drawn has a hole that only the daemon can fill. */
  gap(): void {
    for (const track of this.tracks.values()) if (track.filled === "yes") track.filled = "no";
  }

  private track(name: string): Track {
    let track = this.tracks.get(name);
    if (!track) {
      track = { points: [], step: STEP_S, filled: "no", askAgainAt: 0 };
      this.tracks.set(name, track);
    }
    return track;
  }

  private extend(track: Track, provider: Provider, now: number): void {
    const point = { t: now - (now % track.step), p95: provider.p95_ms, failed: provider.failure_ratio };
    const last = track.points.at(-1);
    if (last && last.t >= point.t) track.points[track.points.length - 1] = { ...point, t: last.t };
    else track.points.push(point);
    const oldest = now - SPAN_S - track.step;
    while (track.points[0] && track.points[0].t < oldest) track.points.shift();
  }

  private pump(): void {
    while (this.running < FETCHES_MAX) {
      const name = this.queue.shift();
      if (name === undefined) return;
      this.running += 1;
      void this.fill(name).finally(() => {
        this.running -= 1;
        this.pump();
      });
    }
  }

  private async fill(name: string): Promise<void> {
    const series = await this.fetchSeries(name, this.now - SPAN_S, this.now).catch(() => null);
    const track = this.tracks.get(name);
    if (!track) return; // the provider left the board meanwhile
    if (!series || !Array.isArray(series.points)) {
      track.filled = "no";
      track.askAgainAt = this.now + RETRY_AFTER_S;
      return;
    }
    const past = series.points.map((point) => ({ t: point.t, p95: point.p95_ms, failed: failureRatio(point) }));
    const pastEnd = past.at(-1)?.t ?? 0;
    track.points = [...past, ...track.points.filter((point) => point.t > pastEnd)];
    if (series.step_s > 0) track.step = series.step_s;
    track.filled = "yes";
  }

  private forget(present: Set<string>): void {
    for (const name of this.tracks.keys()) if (!present.has(name)) this.tracks.delete(name);
  }
}
