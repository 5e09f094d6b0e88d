/**
 * The live connection: the daemon's events in, one state out. It reconnects by itself, and it always knows how old what it
 * shows is: a board that has silently stopped is worse than no board.
 */
import type { ProvidersAnswer } from "../api/types";

/** connecting: nothing yet · live · stale: connected but quiet · lost: no connection, trying again */
export type Phase = "connecting" | "live" | "stale" | "lost";

export interface FeedState {
  phase: Phase;
  answer: ProvidersAnswer | null;
  /** When the last answer came, by this browser's clock. */
  heardAt: number | null;
  /** Counts every reconnect after a gap, so that histories know to fill it. */
  gaps: number;
  /** Counts alerts and notes as they come: lists of them are then asked for anew. */
  news: number;
}

/** The daemon sends each second; three missed ones are no accident. */
export const STALE_AFTER_MS = 3_500;
/** A half-open connection (laptop woke, NAT forgot) never reports an error: after this long it is replaced. */
export const REPLACE_AFTER_MS = 10_000;
/** Events that change a list rather than the board. */
const NEWS = ["alert", "annotation"] as const;
/** Quick first retry, then slower, so that a restarting daemon is not met by every open page at once. */
export const retryDelayMs = (attempt: number, random: number) => Math.min(15_000, 500 * 2 ** attempt) * (0.75 + random / 2);

interface Source {
  onerror: ((event: Event) => void) | null;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

/** What the feed needs of the world; tests bring their own. */
export interface World {
  open(): Source;
  now(): number;
  random(): number;
  after(ms: number, then: () => void): () => void;
}

export class Feed {
  private current: FeedState = { phase: "connecting", answer: null, heardAt: null, gaps: 0, news: 0 };
  private source: Source | null = null;
  private openedAt = 0;
  private attempt = 0;
  private cancelRetry: (() => void) | null = null;
  private readonly listeners = new Set<(state: FeedState) => void>();

  constructor(private readonly world: World) {}

  get state(): FeedState {
    return this.current;
  }

  subscribe(listener: (state: FeedState) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  connect(): void {
    this.cancelRetry?.();
    this.cancelRetry = null;
    this.source?.close();
    this.openedAt = this.world.now();
    const source = this.world.open();
    this.source = source;
    source.addEventListener("providers", (event) => {
      if (source === this.source) this.hear(event.data);
    });
    for (const kind of NEWS) {
      source.addEventListener(kind, () => {
        if (source === this.source) this.set({ news: this.current.news + 1 });
      });
    }
    source.onerror = () => {
      if (source === this.source) this.lose();
    };
  }

  /** Called about once a second: decides whether silence has lasted too long. */
  tick(): void {
    if (!this.source) return;
    const quietMs = this.world.now() - Math.max(this.openedAt, this.current.heardAt ?? 0);
    if (quietMs >= REPLACE_AFTER_MS) this.lose();
    else if (quietMs >= STALE_AFTER_MS && this.current.phase === "live") this.set({ phase: "stale" });
  }

  /** The first paint need not wait for the first event. An event that came meanwhile is newer. */
  offer(answer: ProvidersAnswer): void {
    if (!this.current.answer) this.set({ answer, heardAt: this.world.now() });
  }

  private hear(data: string): void {
    let answer: ProvidersAnswer;
    try {
      answer = JSON.parse(data) as ProvidersAnswer;
    } catch {
      return; // a torn event; the next one comes in a second
    }
    if (!Array.isArray(answer.providers)) return;
    const heardAt = this.world.now();
    const gap = this.current.heardAt !== null && heardAt - this.current.heardAt >= REPLACE_AFTER_MS;
    this.attempt = 0;
    this.set({ phase: "live", answer, heardAt, gaps: this.current.gaps + (gap ? 1 : 0), news: this.current.news + (gap ? 1 : 0) });
  }

  private lose(): void {
    this.source?.close();
    this.source = null;
    this.set({ phase: "lost" });
    const delay = retryDelayMs(this.attempt++, this.world.random());
    this.cancelRetry = this.world.after(delay, () => this.connect());
  }

  private set(change: Partial<FeedState>): void {
    this.current = { ...this.current, ...change };
    for (const listener of this.listeners) listener(this.current);
  }
}

export function browserWorld(url: string): World {
  return {
    open: () => new EventSource(url),
    now: () => Date.now(),
    random: Math.random,
    after: (ms, then) => {
      const timer = setTimeout(then, ms);
      return () => clearTimeout(timer);
    },
  };
}
