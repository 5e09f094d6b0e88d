/**
 * Opens the page of a running daemon as a person would, and says in one line of JSON what it saw:
 * `node drive.mjs URL [providers at least, default 1] [deadline in seconds, default 60]`. Exit 0, or 1 with the reason on stderr.
 */
import { launch } from "./dev/chromium.mjs";
import { watchTrouble } from "./dev/trouble.mjs";

const [url, least = "1", deadline = "60"] = process.argv.slice(2);
if (!url || !(Number(least) >= 0) || !(Number(deadline) > 0)) {
  console.error("usage: node drive.mjs URL [providers at least] [deadline in seconds]");
  process.exit(64);
}
const until = Date.now() + Number(deadline) * 1000;

/** Runs inside the page: what a reader sees of each row, and of the connection. */
function look() {
  const text = (row, selector) => row.querySelector(selector)?.textContent.trim() ?? "";
  return {
    phase: document.querySelector("[data-phase]")?.dataset.phase ?? null,
    at: document.querySelector("[data-phase] time")?.dateTime ?? null,
    rows: [...document.querySelectorAll("tr[data-provider]")].map((row) => ({
      name: row.dataset.provider,
      verdict: text(row, ".verdict"),
      calls_per_s: text(row, ".c-calls"),
      failed: text(row, ".c-failed"),
      p95: text(row, ".c-p95 .value"),
    })),
    sparklines: document.querySelectorAll(".spark canvas").length,
  };
}

const numeric = (row) => /^[\d.,]+/.test(row.p95);

async function waitFor(page, what, done) {
  for (;;) {
    const seen = await page.evaluate(look);
    if (done(seen)) return seen;
    if (Date.now() > until) throw new Error(`${what} not within ${deadline} s; last seen: ${JSON.stringify(seen)}`);
    await page.waitForTimeout(200);
  }
}

async function drive(page, trouble) {
  const response = await page.goto(url, { waitUntil: "load", timeout: Number(deadline) * 1000 });
  if (response?.status() !== 200) throw new Error(`${url} answered ${response?.status()}`);
  const csp = response.headers()["content-security-policy"] ?? "";
  if (!csp.includes("script-src 'self'") || csp.includes("unsafe")) throw new Error(`the page has no strict CSP: '${csp}'`);

  const first = await waitFor(page, `${least} live rows with a numeric p95`, (seen) => {
    return seen.phase === "live" && seen.rows.filter(numeric).length >= Number(least);
  });
  const later = await waitFor(page, "an update over SSE", (seen) => {
    const moved = JSON.stringify(seen.rows) !== JSON.stringify(first.rows);
    return seen.phase === "live" && Date.parse(seen.at) >= Date.parse(first.at) + 2000 && (moved || first.rows.length === 0);
  });
  if (later.rows.length > 0 && later.sparklines === 0) throw new Error("no sparkline was drawn");
  if (trouble.length > 0) throw new Error(`the browser complained: ${trouble.join(" | ")}`);
  return later;
}

const browser = await launch().catch((error) => {
  console.error(`drive: ${error.message}`);
  process.exit(1);
});
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const trouble = await watchTrouble(page, new URL(url).origin);
  const seen = await drive(page, trouble);
  console.log(JSON.stringify({ ok: true, ...seen, console_errors: 0, csp_violations: 0, outside_requests: 0 }));
} catch (error) {
  console.log(JSON.stringify({ ok: false, reason: error.message }));
  console.error(`drive: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
