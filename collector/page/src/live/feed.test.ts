import { beforeEach, describe, expect, it } from "vitest";
import { Feed, REPLACE_AFTER_MS, retryDelayMs, STALE_AFTER_MS } from "./feed";

class FakeSource {
  onerror: ((event: Event) => void) | null = null;
  closed = false;
  private readonly listeners = new Map<string, (event: MessageEvent<string>) => void>();
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void) {
    this.listeners.set(type, listener);
  }
  close() {
    this.closed = true;
  }
  send(data: unknown, type = "providers") {
    this.listeners.get(type)?.({ data: typeof data === "string" ? data : JSON.stringify(data) } as MessageEvent<string>);
  }
  fail() {
    this.onerror?.({} as Event);
  }
}

const answer = (at: string) => ({ at, window_s: 60, providers: [] });

let now = 0;
let sources: FakeSource[] = [];
let retries: { ms: number; then: () => void }[] = [];
let feed: Feed;

beforeEach(() => {
  now = 1_000_000;
  sources = [];
  retries = [];
  feed = new Feed({
    open: () => {
      const source = new FakeSource();
      sources.push(source);
      return source;
    },
    now: () => now,
    random: () => 0.5,
    after: (ms, then) => {
      retries.push({ ms, then });
      return () => {};
    },
  });
  feed.connect();
});

describe("the live feed", () => {
  it("is connecting until the first event, then live", () => {
    expect(feed.state.phase).toBe("connecting");
    sources[0]?.send(answer("a"));
    expect(feed.state).toMatchObject({ phase: "live", answer: { at: "a" }, heardAt: now, gaps: 0 });
  });

  it("says stale after three missed events and live again with the next, without reconnecting", () => {
    sources[0]?.send(answer("a"));
    now += STALE_AFTER_MS - 1;
    feed.tick();
    expect(feed.state.phase).toBe("live");
    now += 1;
    feed.tick();
    expect(feed.state.phase).toBe("stale");
    sources[0]?.send(answer("b"));
    expect(feed.state.phase).toBe("live");
    expect(sources).toHaveLength(1);
  });

  it("replaces a connection that is open but silent", () => {
    sources[0]?.send(answer("a"));
    now += REPLACE_AFTER_MS;
    feed.tick();
    expect(feed.state.phase).toBe("lost");
    expect(sources[0]?.closed).toBe(true);
    retries[0]?.then();
    expect(sources).toHaveLength(2);
  });

  it("keeps the last answer while lost, waits longer each time and starts over once it is live", () => {
    sources[0]?.send(answer("a"));
    for (let i = 0; i < 8; i++) {
      sources.at(-1)?.fail();
      retries.at(-1)?.then();
    }
    expect(feed.state).toMatchObject({ phase: "lost", answer: { at: "a" } });
    const waits = retries.map((retry) => retry.ms);
    expect(waits.slice(0, 5)).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
    expect(waits.at(-1)).toBe(15_000);
    sources.at(-1)?.send(answer("b"));
    sources.at(-1)?.fail();
    expect(retries.at(-1)?.ms).toBe(500);
  });

  it("counts a gap only when events were missed for long", () => {
    sources[0]?.send(answer("a"));
    now += 2_000;
    sources[0]?.send(answer("b"));
    expect(feed.state.gaps).toBe(0);
    now += REPLACE_AFTER_MS;
    sources[0]?.send(answer("c"));
    expect(feed.state.gaps).toBe(1);
  });

  it("counts alerts and notes, and a gap too, since some may have come in it", () => {
    sources[0]?.send(answer("a"));
    sources[0]?.send({}, "alert");
    sources[0]?.send({}, "annotation");
    sources[0]?.send({}, "verdict");
    expect(feed.state.news).toBe(2);
    now += REPLACE_AFTER_MS;
    sources[0]?.send(answer("b"));
    expect(feed.state).toMatchObject({ gaps: 1, news: 3 });
  });

  it("ignores what is not an answer, and events of a connection already replaced", () => {
    sources[0]?.send("{torn");
    sources[0]?.send({ unexpected: true });
    expect(feed.state.answer).toBeNull();
    sources[0]?.fail();
    retries[0]?.then();
    sources[0]?.send(answer("old"));
    expect(feed.state.answer).toBeNull();
  });

  it("takes an offered answer only when nothing newer came", () => {
    feed.offer(answer("first"));
    expect(feed.state).toMatchObject({ phase: "connecting", answer: { at: "first" } });
    sources[0]?.send(answer("second"));
    feed.offer(answer("third"));
    expect(feed.state.answer?.at).toBe("second");
  });

  it("spreads retries so that pages do not come back all at once", () => {
    expect(retryDelayMs(0, 0)).toBe(375);
    expect(retryDelayMs(0, 1)).toBe(625);
  });
});
