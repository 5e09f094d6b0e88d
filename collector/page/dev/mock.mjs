/**
 * A daemon that is not there: the answers of the API with eight providers, one slow, one failing and one that hangs later, for
 * development and the browser tests. Everything is a function of the clock, so series and live events tell the same story.
 */

const CAST = [
  { name: "sberbank", rate: 41.2, p50: 212, spread: 3.1, decline: 0.056, conversion: 0.934, flight: true },
  {
    name: "tinkoff-acquiring",
    rate: 28.6,
    p50: 164,
    spread: 2.6,
    decline: 0.041,
    conversion: 0.951,
    flight: true,
    trouble: "slow",
  },
  { name: "visa-3ds", rate: 19.4, p50: 388, spread: 2.4, decline: 0.012, conversion: 0.917, flight: true },
  { name: "mir-processing", rate: 12.9, p50: 141, spread: 2.2, decline: 0.033, conversion: 0.962, flight: true },
  { name: "antifraud.scoring", rate: 55.1, p50: 38, spread: 2.9, decline: 0, conversion: null, flight: true },
  { name: "sms-gateway", rate: 4.3, p50: 92, spread: 4.4, decline: 0, conversion: null, flight: false, trouble: "failing" },
  { name: "maps-geocoder", rate: 8.8, p50: 61, spread: 2.0, decline: 0, conversion: null, flight: false },
  {
    name: "qiwi-wallet",
    rate: 0.52,
    p50: 274,
    spread: 3.3,
    decline: 0.08,
    conversion: 0.883,
    flight: false,
    trouble: "learning",
  },
];

/** The troubles began this long before the mock did. */
const TROUBLE_S = 150;
const born = Math.floor(Date.now() / 1000);

/** Noise in 0..1 that is the same for the same second and name. */
function noise(name, t, salt = 0) {
  let hash = 2166136261 ^ (t * 2654435761 + salt * 97);
  for (const char of name) hash = Math.imul(hash ^ char.codePointAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822519);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}

function smooth(name, t, salt) {
  const slow = 0.5 + 0.3 * Math.sin(t / 97 + name.length + salt) + 0.2 * Math.sin(t / 31 + name.length * 2);
  return 0.7 * slow + 0.3 * noise(name, t, salt);
}

/** One provider over `seconds` ending at `t`: the figures that a row and a point of a series share. */
function figures(one, t, seconds) {
  const inTrouble = t > born - TROUBLE_S;
  const grown = Math.min(1, Math.max(0, (t - born + TROUBLE_S) / 20));
  const slower = one.trouble === "slow" && inTrouble ? 1 + 3.2 * grown : 1;
  const failing = one.trouble === "failing" && inTrouble ? 0.34 * grown : 0.002;
  const count = Math.max(0, Math.round(one.rate * seconds * (0.9 + 0.2 * smooth(one.name, t, 1))));
  const bad = Math.round(count * failing * (0.8 + 0.4 * noise(one.name, t, 2)));
  const declined = Math.round(count * one.decline);
  const timeout = Math.round(bad * 0.4);
  const connect = one.trouble === "failing" ? Math.round(bad * 0.2) : 0;
  const p50 = one.p50 * slower * (0.95 + 0.1 * smooth(one.name, t, 3));
  const p95 = p50 * one.spread * (0.9 + 0.25 * smooth(one.name, t, 4));
  return {
    count,
    ok: count - bad - declined,
    declined,
    client_fault: 0,
    failed: bad - timeout - connect,
    timeout,
    connect,
    cancelled: 0,
    p50_ms: count ? p50 : null,
    p95_ms: count ? p95 : null,
    p99_ms: count ? p95 * 1.9 : null,
    max_ms: count ? p95 * 3.4 : null,
    sum_ms: count * p50 * 1.2,
    in_flight: one.flight ? Math.round((one.rate * p50 * slower) / 900 + 3 * noise(one.name, t, 5)) : null,
    oldest_in_flight_ms: one.flight ? Math.round(p95 * (1 + noise(one.name, t, 6))) : null,
  };
}

const ratio = (part, whole) => (whole > 0 ? part / whole : null);

function provider(one, t) {
  const f = figures(one, t, 60);
  const bad = f.failed + f.timeout + f.connect;
  const learning = one.trouble === "learning";
  const verdict = one.trouble ?? "ok";
  const normal = { p95_ms: one.p50 * one.spread, failure_ratio: 0.002, calls_per_s: one.rate };
  const evidence = one.evidence ?? {
    slow: `p95 ${(f.p95_ms / 1000).toFixed(2)} s, normally ${(normal.p95_ms / 1000).toFixed(2)} s; 61 % of ${f.count} calls slower than 0.64 s, normally 5 %; 20 of 20 hosts`,
    failing: `${Math.round(100 * (ratio(bad, f.count) ?? 0))} % of ${f.count} calls failed, normally 0.2 %; mostly HTTP 503, from one address of three`,
  };
  return {
    name: one.name,
    calls_per_s: f.count / 60,
    attempts: Math.round(f.count * 1.01),
    ...f,
    failure_ratio: ratio(bad, f.count),
    conversion:
      one.conversion === null ? null : { "5m": one.conversion, "10m": one.conversion + 0.002, "15m": one.conversion + 0.001 },
    failed_p95_ms: bad > 0 ? 45001 : null,
    baseline: learning ? null : normal,
    verdict,
    since: verdict === "ok" ? null : new Date((born - TROUBLE_S) * 1000).toISOString(),
    scope: verdict === "failing" ? "endpoint:10.4.7.12:443" : "everyone",
    evidence: evidence[verdict] ?? null,
    last_success: new Date(t * 1000).toISOString(),
    owner: one.owner ?? "payments",
    runbook: one.runbook ?? null,
    status_page: null,
    muted: false,
  };
}

/** `size` repeats the cast under other names, for boards of hundreds. */
function cast(size) {
  return Array.from({ length: size }, (_, i) => {
    const one = CAST[i % CAST.length];
    return i < CAST.length
      ? one
      : { ...one, name: `${one.name}-${Math.floor(i / CAST.length)}`, ...(i > 40 ? { trouble: undefined } : {}) };
  });
}

function providers(all, muted, t = Math.floor(Date.now() / 1000)) {
  return { at: new Date(t * 1000).toISOString(), window_s: 60, providers: all.map((one) => ({ ...provider(one, t), muted: muted.has(one.name) })) };
}

function series(one, query) {
  const now = Math.floor(Date.now() / 1000);
  const to = Number(query.get("to") ?? now);
  const from = Number(query.get("from") ?? to - 900);
  const step = Number(query.get("step") ?? Math.max(10, Math.ceil((to - from) / 600 / 10) * 10));
  const points = [];
  for (let t = from - (from % step); t < to; t += step) points.push({ t, ...figures(one, t + step, step) });
  const since = born - TROUBLE_S;
  const held = ["slow", "failing", "hung"].includes(one.trouble);
  return {
    name: one.name,
    step_s: step,
    points,
    annotations: [{ id: 1, t: since - 40, at: when(since - 40), text: "deploy shop 4.2", tags: ["shop"] }],
    verdicts: held ? [{ from: since, to: null, verdict: one.trouble, scope: "everyone" }] : [],
  };
}

function stats() {
  const seconds = Math.floor(Date.now() / 1000) - born + 3600;
  return {
    received: seconds * 812,
    rejected: { malformed: 0, too_large: 0, unauthorized: 0, overload: 0 },
    masked: { pan: seconds * 2, key: seconds * 5 },
    rolled_up: seconds * 170,
    late: {},
    journal: { position: seconds * 90_000, bytes: 312_000_000, oldest_s: 3480, corrupt_records: 0 },
    destinations: {
      jaeger: {
        forwarded: seconds * 812,
        duplicates: 0,
        not_for_forwarding: 0,
        rejected_by_destination: 0,
        dropped: {},
        queued: 96,
        lag_s: 0.4,
      },
    },
  };
}

function trace(id) {
  const start = BigInt(Date.now() - 4000) * 1_000_000n;
  const at = (ms) => String(start + BigInt(Math.round(ms * 1000)) * 1000n);
  const text = (key, stringValue) => ({ key, value: { stringValue } });
  const number = (key, intValue) => ({ key, value: { intValue: String(intValue) } });
  const span = (spanId, parentSpanId, name, kind, from, to, rest = {}) => ({
    traceId: id,
    spanId,
    ...(parentSpanId ? { parentSpanId } : {}),
    name,
    kind,
    startTimeUnixNano: at(from),
    endTimeUnixNano: at(to),
    ...rest,
  });
  const shop = [
    span("a000000000000001", "", "POST /checkout", 2, 0, 3290, {
      attributes: [text("http.request.method", "POST"), number("http.response.status_code", 200)],
    }),
    span("a000000000000002", "a000000000000001", "reserve stock", 1, 12, 58),
    span("a000000000000003", "a000000000000001", "score payment", 3, 61, 96, {
      attributes: [text("peer.service", "antifraud.scoring")],
    }),
    span("a000000000000004", "a000000000000001", "authorize", 3, 102, 3173, {
      attributes: [
        text("spanmill.provider", "tinkoff-acquiring"),
        text("spanmill.operation", "authorize"),
        text("card", "427600******1234"),
        text("cvc", "[masked]"),
      ],
      events: [
        {
          timeUnixNano: at(104),
          name: "request",
          attributes: [text("body", '{"pan":"427600******1234","cvc":"[masked]","amount":129900}')],
        },
        {
          timeUnixNano: at(3170),
          name: "response",
          attributes: [number("code", 5), text("error", "gateway was slow to answer")],
        },
      ],
      status: { code: 2, message: "deadline nearly exceeded" },
    }),
    span("a000000000000006", "a000000000000001", "send receipt", 4, 3180, 3284),
  ];
  const bank = [span("b000000000000001", "a000000000000004", "Acquiring/Authorize", 2, 140, 3120)];
  return {
    complete: false,
    resourceSpans: [
      { resource: { attributes: [text("service.name", "shop"), text("host.name", "h7")] }, scopeSpans: [{ spans: shop }] },
      {
        resource: { attributes: [text("service.name", "acquiring-proxy"), text("host.name", "h9")] },
        scopeSpans: [{ spans: bank }],
      },
    ],
  };
}

const when = (t) => (t === null ? null : new Date(t * 1000).toISOString());

/** What the troubles of the cast have raised, and one that is over. */
function alerts(all, muted, ours, state) {
  const now = Math.floor(Date.now() / 1000);
  const since = born - TROUBLE_S;
  const alert = (i, name, kind, scope, started, resolved, evidence) => ({
    id: `01KAZ0000000000000000000${String(i).padStart(2, "0")}`,
    provider: name,
    kind,
    scope,
    started: when(started),
    detected: when(started + 7),
    resolved: when(resolved),
    detected_after_s: 7.2,
    evidence,
    exemplars: ["0af7651916cd43dd8448eb211c80319c", "1bf7651916cd43dd8448eb211c80319c"],
    severity: scope === "everyone" ? "page" : "info",
    muted: muted.has(name),
  });
  const rows = all.map((one) => provider(one, now)).filter(({ verdict }) => ["slow", "failing", "hung"].includes(verdict));
  const fallen = rows.map((one, i) => alert(i, one.name, one.verdict, one.scope, since, null, one.evidence));
  const firing = [...fallen, ...ours.map((one) => ({ ...alert(50, "", "", "", since, null, ""), ...one }))];
  const over = alert(90, "visa-3ds", "declining", "operation:refund", since - 3_900, since - 3_300, "41 % of 220 declined, normally 1.2 %");
  const listed = state === "firing" ? firing : state === "resolved" ? [over] : [over, ...firing];
  return { alerts: all.length > 0 ? listed : [] };
}

const KEYS = {
  operation: ["authorize", "capture", "refund"],
  host: ["h1", "h2", "h7", "h9"],
  service: ["shop", "billing"],
  endpoint: ["10.4.7.11:443", "10.4.7.12:443", "10.4.7.13:443"],
};

function breakdown(one, query) {
  const by = query.get("by") ?? "operation";
  const seconds = { m: 60, h: 3_600, d: 86_400, s: 1 }[query.get("window").at(-1)] * parseInt(query.get("window"), 10);
  const whole = figures(one, Math.floor(Date.now() / 1000), 60);
  const row = (key, i) => {
    const share = 0.9 / KEYS[by].length;
    const worse = i === 1 && one.trouble ? 2 : 0.8;
    const { p50_ms, p95_ms, p99_ms, failed, timeout, connect, count } = whole;
    return {
      key,
      count: Math.round((count / 60) * seconds * share),
      share,
      failure_ratio: Math.min(1, ((failed + timeout + connect) / Math.max(1, count)) * worse),
      p50_ms: p50_ms * worse,
      p95_ms: p95_ms * worse,
      p99_ms: p99_ms * worse,
    };
  };
  const rows = KEYS[by].map(row);
  return { by, rows, other: { ...row("", 0), key: undefined, count: 3, share: 0.1 }, lost_keys: 12 };
}

function exemplars(one, kind) {
  const now = Math.floor(Date.now() / 1000);
  const outcomes = { slow: ["ok", "timeout"], failed: ["timeout", "failed"], recent: ["ok", "declined"] }[kind];
  return {
    exemplars: Array.from({ length: 8 }, (_, i) => ({
      trace_id: `${i}af7651916cd43dd8448eb211c80319c`,
      span_id: "a000000000000004",
      at: when(now - 7 * i),
      operation: KEYS.operation[i % 3],
      service: "shop",
      host: `h${i}`,
      ms: kind === "slow" ? 45_000 / (i + 1) : one.p50 * (1 + i),
      outcome: outcomes[i % 2],
      jaeger_url: i === 0 ? "http://jaeger.example:16686/trace/x" : null,
    })),
  };
}

const BOUNDS_MS = Array.from({ length: 34 }, (_, i) => Number((2 ** (i / 2)).toFixed(2)));

function heatmap(one, query) {
  const { step_s, points } = series(one, query);
  const column = ({ t, count, timeout, failed, connect, p50_ms, p95_ms }) => {
    const counts = BOUNDS_MS.map((bound) => {
      if (!p50_ms) return 0;
      const distance = Math.log2(bound / p50_ms) / Math.log2(p95_ms / p50_ms);
      return Math.round((count / 4) * Math.exp(-2 * distance * distance));
    });
    return { t, counts, timeout, failed: failed + connect };
  };
  return { step_s, bounds_ms: BOUNDS_MS, columns: points.map(column) };
}

const UNMAPPED = {
  peers: ["api.newbank.example", "hooks.partner.example", "203.0.113.9"].map((peer, i) => ({
    peer,
    count: 5_120 >> (3 * i),
    services: ["shop", "billing"].slice(i % 2),
    rule: `[[provider]]\nname = "${peer.split(".").at(-2)}"\nhosts = ["${peer}"]`,
  })),
};

async function body(request) {
  let text = "";
  for await (const piece of request) text += piece;
  return JSON.parse(text);
}

/** Mutes as the daemon does; with a `token` only for those who bring it. */
async function mute(request, response, name, muted, token) {
  const given = request.headers.authorization;
  if (token && !given) return json(response, 401, { error: "a token is needed", hint: "authorization: Bearer TOKEN" });
  if (token && given !== `Bearer ${token}`) return json(response, 403, { error: "this token may not write", hint: null });
  const { for: span, reason, by } = await body(request);
  if (!reason || !by) return json(response, 400, { error: "reason or by is empty", hint: "say something" });
  if (span === "1s") muted.delete(name);
  else muted.add(name);
  return json(response, 200, { provider: name, since: when(born), until: when(born + 3600), reason, by });
}

function json(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

function events(request, response, all, muted) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  let id = 0;
  const send = () => response.write(`event: providers\nid: ${++id}\ndata: ${JSON.stringify(providers(all, muted))}\n\n`);
  send();
  const timer = setInterval(send, 1000);
  request.on("close", () => clearInterval(timer));
}

/**
 * Connect-style middleware for `/api/*`; `size` providers, 0 for a daemon without traffic; `also` adds some of one's own; `ours` adds alerts;
 * with a `token` writing needs it; `news` gets a function that sends an event to all who listen.
 */
export function mockApi({ size = CAST.length, also = [], ours = [], token = null, news = () => {} } = {}) {
  const all = [...cast(size), ...also];
  const muted = new Set();
  const listeners = new Set();
  news((kind, data) => listeners.forEach((to) => to.write(`event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`)));
  const of = { series, heatmap, breakdown, exemplars: (one, query) => exemplars(one, query.get("kind") ?? "slow") };
  return (request, response, next) => {
    const url = new URL(request.url, "http://mock");
    if (url.pathname === "/api/v1/providers") return json(response, 200, providers(all, muted));
    if (url.pathname === "/api/v1/events") {
      listeners.add(response);
      request.on("close", () => listeners.delete(response));
      return events(request, response, all, muted);
    }
    if (url.pathname === "/api/v1/stats") return json(response, 200, stats());
    if (url.pathname === "/api/v1/alerts") return json(response, 200, alerts(all, muted, ours, url.searchParams.get("state")));
    if (url.pathname === "/api/v1/unmapped") return json(response, 200, size > 0 ? UNMAPPED : { peers: [] });
    const traceId = /^\/api\/v1\/traces\/([0-9a-f]{32})$/.exec(url.pathname)?.[1];
    if (traceId?.startsWith("dead"))
      return json(response, 404, { error: `trace ${traceId} is not in the journal`, hint: "Jaeger may still have it" });
    if (traceId) return json(response, 200, trace(traceId));
    const [, name, view] = /^\/api\/v1\/providers\/([^/]+)\/(\w+)$/.exec(url.pathname) ?? [];
    const one = view && all.find((candidate) => candidate.name === decodeURIComponent(name));
    if (one && view === "mute" && request.method === "POST") return mute(request, response, one.name, muted, token);
    if (one && Object.hasOwn(of, view)) return json(response, 200, of[view](one, url.searchParams));
    if (url.pathname.startsWith("/api/")) return json(response, 404, { error: `nothing at ${url.pathname}`, hint: null });
    return next();
  };
}
