/** The page's one connection, its histories and the daemon's health, as Preact state. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, getJson } from "../api/get";
import type { Alert, AlertsAnswer, ProvidersAnswer, SeriesAnswer, Stats } from "../api/types";
import { browserWorld, Feed, type FeedState } from "./feed";
import { Histories } from "./history";

const WINDOW = "60s";
/** Health moves slowly; the board itself comes by events. */
const STATS_EVERY_MS = 3_000;
/** Alerts come by events; this only heals what an event that was missed left behind. */
export const ALERTS_EVERY_MS = 15_000;

export const feed = new Feed(browserWorld("/api/v1/events"));
export const histories = new Histories((name, from, to) =>
  getJson<SeriesAnswer>(`/api/v1/providers/${encodeURIComponent(name)}/series?from=${from}&to=${to}`),
);

/** Opens the connection for the life of the page. The histories hear of an answer before anything is drawn from it. */
export function startLive(): void {
  let gaps = 0;
  feed.subscribe((state) => {
    if (state.gaps !== gaps) histories.gap();
    gaps = state.gaps;
    if (state.answer) histories.append(state.answer);
  });
  feed.connect();
  setInterval(() => feed.tick(), 500);
  getJson<ProvidersAnswer>(`/api/v1/providers?window=${WINDOW}`).then(
    (answer) => feed.offer(answer),
    () => {}, // the feed shows the state of the connection; it need not be said twice
  );
}

export function useFeed(): FeedState {
  const [state, setState] = useState(feed.state);
  useEffect(() => {
    setState(feed.state);
    return feed.subscribe(setState);
  }, []);
  return state;
}

/** This browser's clock, each second: ages keep growing when nothing else comes. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export interface Polled<T> {
  value: T | null;
  /** The one before, with the time between them, for rates. */
  before: T | null;
  betweenMs: number;
  error: ApiError | null;
}

/**
 * Asks again and again while the component is shown, and at once when `again` changes; keeps the last good answer beside the
 * error. A path may depend on the time of asking; `key` says when it is another question.
 */
export function usePolled<T>(key: string, everyMs: number, again = 0, path: () => string = () => key): Polled<T> {
  const [state, setState] = useState<Polled<T>>({ value: null, before: null, betweenMs: 0, error: null });
  const hurry = useRef<(() => void) | null>(null);
  useEffect(() => {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let answeredAt = 0;
    let asking = false;
    let onceMore = false;
    setState({ value: null, before: null, betweenMs: 0, error: null });
    const ask = async () => {
      clearTimeout(timer);
      asking = true;
      onceMore = false;
      try {
        const value = await getJson<T>(path());
        const now = performance.now();
        const betweenMs = answeredAt ? now - answeredAt : 0;
        answeredAt = now;
        if (!over) setState((last) => ({ value, before: last.value, betweenMs, error: null }));
      } catch (error) {
        if (!over && error instanceof ApiError) setState((last) => ({ ...last, error }));
      }
      asking = false;
      if (over) return;
      if (onceMore) void ask();
      else if (everyMs > 0) timer = setTimeout(ask, everyMs);
    };
    // A storm of news is one question at a time, not one for each.
    hurry.current = () => {
      if (asking) onceMore = true;
      else void ask();
    };
    void ask();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [key, everyMs]);
  const first = useRef(again);
  useEffect(() => {
    if (again !== first.current) hurry.current?.();
    first.current = again;
  }, [again]);
  return state;
}

/** The alerts that fire now. */
export const useFiring = (news: number): Alert[] =>
  usePolled<AlertsAnswer>("/api/v1/alerts?state=firing", ALERTS_EVERY_MS, news).value?.alerts ?? [];

export const useStats = (): Polled<Stats> => usePolled<Stats>("/api/v1/stats", STATS_EVERY_MS);
