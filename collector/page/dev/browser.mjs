/**
 * The page in a real Chromium against the mock API: what a person does with it, and what must never happen. `npm run browser`
 * after `npm run build`; prints one line per claim, exits 1 when one does not hold. With a word behind it (`npm run browser -- alert`)
 * only the claims that have it.
 */
import assert from "node:assert/strict";
import { launch } from "./chromium.mjs";
import { serve } from "./serve.mjs";
import { watchTrouble } from "./trouble.mjs";

const only = process.argv[2] ?? "";
const DEADLINE_MS = 15_000;
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const EVIL = `<img src=x onerror="window.pwned=1">`;

const browser = await launch();
let failures = 0;

/** Opens `path` of a fresh mock daemon in a fresh browser profile, runs `body`, and expects no trouble that it does not allow. */
async function claim(name, { mock = {}, path = "/", view = {}, allow = null }, body) {
  if (!name.includes(only)) return;
  const { server, url } = await serve(mock);
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "light", ...view });
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  try {
    const trouble = await watchTrouble(page, url);
    await page.goto(url + path, { waitUntil: "load" });
    await body(page, { server, url });
    assert.deepEqual(allow ? trouble.filter((one) => !allow.test(one)) : trouble, []);
    console.log(`ok    ${name}`);
  } catch (error) {
    failures += 1;
    console.log(`FAIL  ${name}\n      ${error.message.split("\n").join("\n      ")}`);
  } finally {
    await context.close();
    server.closeAllConnections();
    server.close();
  }
}

const names = (page) => page.$$eval("tr[data-provider]", (rows) => rows.map((row) => row.dataset.provider));
const until = (page, done, argument) => page.waitForFunction(done, argument, { polling: 100, timeout: DEADLINE_MS });
const phase = (page, want) => until(page, (phase) => document.querySelector("[data-phase]")?.dataset.phase === phase, want);

await claim("the board shows eight live providers, worst first, each with a sparkline", {}, async (page) => {
  await phase(page, "live");
  await until(page, () => document.querySelectorAll(".spark canvas").length === 8);
  assert.deepEqual((await names(page)).slice(0, 3), ["sms-gateway", "tinkoff-acquiring", "qiwi-wallet"]);
  assert.equal(await page.title(), "1 failing, 1 slow · spanmill");
});

await claim("verdicts are told by text and by a shape of their own, not by colour alone", {}, async (page) => {
  await page.waitForSelector("tr[data-provider]");
  const seen = await page.$$eval("tr[data-provider]", (rows) =>
    rows.map((row) => `${row.querySelector(".verdict").textContent} ${row.querySelector(".shape path").getAttribute("d")}`),
  );
  const distinct = new Set(seen);
  assert.equal(new Set([...distinct].map((one) => one.split(" ")[0])).size, distinct.size);
  assert.ok([...distinct].every((one) => /^\w+ M/.test(one)));
});

await claim("figures change by events alone", {}, async (page) => {
  await phase(page, "live");
  const before = await page.textContent("tbody");
  await until(page, (before) => document.querySelector("tbody").textContent !== before, before);
});

await claim(
  "a lost connection is said at once, the last figures stay, and it heals by itself",
  { allow: /ERR_|Failed to load/ },
  async (page, { server, url }) => {
    await phase(page, "live");
    await new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
    await phase(page, "lost");
    assert.match(await page.textContent(".note"), /Connection lost.*old/s);
    assert.equal((await names(page)).length, 8);
    const again = await serve({ port: Number(new URL(url).port) });
    await phase(page, "live");
    assert.equal(await page.$(".note"), null);
    again.server.closeAllConnections();
    again.server.close();
  },
);

await claim("without traffic the page teaches how to send some", { mock: { size: 0 } }, async (page) => {
  await page.waitForSelector("text=No traffic yet");
  const text = await page.textContent("main");
  assert.ok(text.includes(":4317") && text.includes("spanmill demo"));
});

await claim("the keyboard filters, walks the rows and opens one", {}, async (page) => {
  await phase(page, "live");
  await page.keyboard.press("/");
  await page.keyboard.type("ok mi");
  await until(page, () => document.querySelectorAll("tr[data-provider]").length === 1);
  assert.deepEqual(await names(page), ["mir-processing"]);
  await page.keyboard.press("Escape");
  await until(page, () => document.querySelectorAll("tr[data-provider]").length === 8);
  await page.keyboard.press("j");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/p/tinkoff-acquiring");
  await until(page, () => document.querySelectorAll(".chart canvas").length >= 2);
  await page.goBack();
  await page.waitForSelector("tr[data-provider]");
});

await claim("a column sorts, and sorting it again returns to worst first", {}, async (page) => {
  await phase(page, "live");
  await page.click("th.c-calls button");
  assert.equal((await names(page))[0], "antifraud.scoring");
  assert.equal(await page.getAttribute("th.c-calls", "aria-sort"), "descending");
  await page.mouse.move(5, 5);
  await page.click("th.c-calls button");
  await until(page, () => document.querySelector("tr[data-provider]").dataset.provider === "sms-gateway");
});

await claim("a pinned provider stays on top, by its button or a key, also after a reload", {}, async (page) => {
  await phase(page, "live");
  await page.locator("tr[data-provider=visa-3ds]").hover();
  await page.click("tr[data-provider=visa-3ds] .pin");
  assert.equal((await names(page))[0], "visa-3ds");
  await page.focus("tr[data-provider=mir-processing] a.name");
  await page.keyboard.press("p");
  await page.reload();
  await page.waitForSelector("tr[data-provider]");
  assert.deepEqual((await names(page)).slice(0, 3).sort().slice(0, 1), ["mir-processing"]);
  await page.click("tr[data-provider=visa-3ds] .pin");
  await page.click("tr[data-provider=mir-processing] .pin");
  await page.mouse.move(5, 5);
  await until(page, () => document.querySelector("tr[data-provider]").dataset.provider === "sms-gateway");
});

await claim("who has no in-flight data is told what that means", {}, async (page) => {
  await page.waitForSelector("text=No in-flight data of 3 providers: hangs are seen only after the timeout");
});

await claim("every view leads to the others, and says how many alerts fire", {}, async (page) => {
  await page.waitForSelector("nav b");
  assert.equal(await page.textContent("nav b"), "2");
  await page.click("nav >> text=Incidents");
  await page.waitForURL("**/incidents");
  await page.click("nav >> text=Board");
  await page.waitForSelector("tr[data-provider]");
});

await claim(
  "the theme follows the system, can be changed, and stays changed",
  { view: { colorScheme: "dark" } },
  async (page) => {
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    assert.equal(await theme(), "dark");
    await page.keyboard.press("t");
    assert.equal(await theme(), "light");
    await page.reload();
    await page.waitForSelector("tr[data-provider]");
    assert.equal(await theme(), "light");
  },
);

await claim(
  "dragging over a chart zooms it, data that comes later does not undo that, a double click does",
  { path: "/p/sberbank" },
  async (page) => {
    await until(page, () => document.querySelectorAll(".chart .u-over").length >= 2);
    const box = await (await page.$(".chart .u-over")).boundingBox();
    const point = (part) => [box.x + box.width * part, box.y + 60];
    /** The time under the left edge of the first chart, as its legend says it. */
    const leftEdge = async () => {
      await page.mouse.move(...point(0.5));
      await page.mouse.move(...point(0.002));
      const text = await page.textContent(".chart .u-legend .u-value");
      return text.slice(0, 5);
    };
    const whole = await leftEdge();
    await page.mouse.move(...point(0.5));
    await page.mouse.down();
    await page.mouse.move(...point(0.8), { steps: 5 });
    await page.mouse.up();
    const zoomed = await leftEdge();
    assert.notEqual(zoomed, whole);
    await page.waitForResponse(/\/series/);
    await page.waitForResponse(/\/series/);
    assert.equal(await leftEdge(), zoomed);
    await page.mouse.dblclick(...point(0.5));
    assert.notEqual(await leftEdge(), zoomed);
  },
);

await claim("a provider in trouble says why, since when, for whom, and leads to one of its calls", {}, async (page) => {
  await page.click("tr[data-provider=sms-gateway] a.name");
  await page.waitForSelector(".why");
  const head = await page.textContent(".head-card");
  assert.match(head, /Failing for .*only endpoint 10.4.7.12:443.*mostly HTTP 503.*failed.*normally 0.2.%.*seen after 7.20.s/s);
  await page.waitForSelector(".heat canvas");
  await page.getByRole("radio", { name: "Endpoint" }).click();
  await page.waitForSelector(".breakdown .out");
  assert.match(await page.textContent(".breakdown .out"), /10.4.7.12:443.*fails most/);
  await page.getByRole("radio", { name: "Failed" }).click();
  await page.waitForSelector(".calls [data-outcome=timeout]");
  await page.click(".calls a");
  await page.waitForURL("**/t/*");
  await page.waitForSelector("li.span");
});

await claim("time range and breakdown stand in the address and survive a reload", { path: "/p/sberbank" }, async (page) => {
  await page.getByRole("radio", { name: "15 min" }).focus();
  const month = page.waitForRequest((request) => {
    const query = new URL(request.url()).searchParams;
    return request.url().includes("/series?") && query.get("to") - query.get("from") === 2_592_000;
  });
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  await month;
  assert.equal(new URL(page.url()).search, "?range=30d");
  await page.getByRole("radio", { name: "Host" }).click();
  await page.reload();
  await page.waitForSelector("[aria-checked=true] >> text=30 d");
  await page.waitForSelector(".breakdown >> text=h7");
  assert.equal(new URL(page.url()).search, "?range=30d&by=host");
  assert.ok(await page.evaluate(() => document.querySelector(".panel h2").textContent.includes("7 d")));
});

await claim("the heat map says what is under the pointer", { path: "/p/sberbank" }, async (page) => {
  const canvas = await page.waitForSelector(".heat canvas");
  await canvas.scrollIntoViewIfNeeded();
  const box = await canvas.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await until(page, () => /UTC · .* to .* · \d+ calls/.test(document.querySelector(".heat figcaption").textContent));
  await page.mouse.move(box.x + box.width / 2, box.y + 4);
  await until(page, () => /timed out/.test(document.querySelector(".heat figcaption").textContent));
});

await claim("a pasted trace id opens its waterfall, with logs inside their span and masks visible", {}, async (page) => {
  await phase(page, "live");
  await page.fill("input[type=search]", TRACE);
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/t/${TRACE}`);
  await page.waitForSelector("li.span.failed .details");
  assert.equal((await page.$$("li.span")).length, 6);
  assert.equal(await page.textContent("li.span.failed .details mark"), "427600******1234");
  assert.match(await page.textContent("li.span.failed .details"), /response.*gateway was slow/s);
  const widths = await page.$$eval(".bar", (bars) => bars.map((bar) => bar.getBoundingClientRect().width));
  assert.ok(Math.max(...widths) > 300, `bars must be placed under the CSP, found ${widths}`);
});

await claim("a trace that is not here says where it may be", { path: `/t/dead${TRACE.slice(4)}`, allow: /404/ }, async (page) => {
  await page.waitForSelector("text=This trace is not here");
  assert.match(await page.textContent("main"), /Jaeger may still have it/);
});

const row = (page, name) => page.locator(`[data-alert]:has(header :text-is("${name}"))`);
await claim("incidents stand firing first, with their evidence, and lead to a trace", { path: "/incidents" }, async (page) => {
  await page.waitForSelector("[data-alert]");
  const states = await page.$$eval("[data-alert]", (rows) => rows.map((row) => row.dataset.state));
  assert.deepEqual(states, ["firing", "firing", "resolved"]);
  const text = await row(page, "sms-gateway").textContent();
  assert.match(text, /Failing.*only endpoint 10.4.7.12:443.*mostly HTTP 503.*detected after7.20.s/s);
  assert.match(await row(page, "visa-3ds").textContent(), /Declining.*lasted10.min/s);
  await page.click(".chip >> text=resolved");
  assert.equal((await page.$$("[data-alert]")).length, 1);
  await page.reload();
  await until(page, () => document.querySelectorAll("[data-alert]").length === 1);
  await page.click(".traces a");
  await page.waitForURL(`**/t/${TRACE}`);
  await page.waitForSelector("li.span");
});

await claim("an incident has an address of its own", { path: "/incidents" }, async (page) => {
  await row(page, "sms-gateway").getByText("Permalink").click();
  await page.waitForURL("**/incidents?id=*");
  await until(page, () => document.querySelectorAll("[data-alert]").length === 1);
  await page.reload();
  await page.waitForSelector("text=One incident");
  assert.equal(await row(page, "sms-gateway").count(), 1);
});

const ours = [{ id: "ours", provider: "*", kind: "hung", scope: "our_side", evidence: "5 providers at once, so egress or DNS" }];
await claim("when many fall at once, the board says first that it is most likely us", { mock: { ours } }, async (page) => {
  await page.click(".note >> text=The incident");
  await page.waitForURL("**/incidents?id=ours");
  assert.match(await row(page, "Many providers").textContent(), /most likely our side.*egress or DNS/s);
  assert.equal(await page.getByRole("button", { name: "Mute" }).count(), 0);
});

let tell = null;
await claim(
  "a new alert is there at once, not with the next question",
  { path: "/incidents", mock: { news: (send) => (tell = send) } },
  async (page) => {
    await phase(page, "live");
    await page.waitForSelector("[data-alert]");
    const asked = page.waitForRequest(/alerts\?state=all/, { timeout: 5_000 });
    tell("alert", { id: "new" });
    await asked;
  },
);

await claim(
  "muting asks for a token only where the daemon wants one, and can be taken back",
  { path: "/incidents", mock: { token: "secret" }, allow: /40[13]/ },
  async (page) => {
    const one = row(page, "tinkoff-acquiring");
    await one.getByRole("button", { name: "Mute" }).click();
    assert.equal(await one.getByLabel("Token").count(), 0);
    await one.getByLabel("By").focus();
    const drawn = await page.textContent("[data-phase] time");
    await until(page, (drawn) => document.querySelector("[data-phase] time").textContent !== drawn, drawn);
    await page.keyboard.type("anna");
    await one.getByLabel("Reason").fill("maintenance");
    await one.getByRole("button", { name: "Mute" }).click();
    await one.getByLabel("Token").fill("wrong");
    await one.getByRole("button", { name: "Mute" }).click();
    await one.getByText("this token may not write").waitFor();
    assert.equal(await one.getByLabel("By").inputValue(), "anna");
    await one.getByLabel("Token").fill("secret");
    await page.keyboard.press("Enter");
    await one.getByRole("button", { name: "Unmute" }).click();
    await one.getByLabel("By").fill("anna");
    await one.getByRole("button", { name: "Unmute" }).click();
    await one.getByRole("button", { name: /^Mute/ }).waitFor();
  },
);

await claim("unmapped hosts come with the rule to copy", { path: "/unmapped" }, async (page) => {
  await page.waitForSelector("[data-peer]");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.click("[data-peer='api.newbank.example'] button");
  await page.waitForSelector("text=Copied");
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, await page.textContent("[data-peer] pre"));
  assert.match(copied, /^\[\[provider\]\]\nname = "newbank"/);
});

await claim("with nothing to list the lists say what would be there", { mock: { size: 0 } }, async (page, { url }) => {
  await page.goto(`${url}/incidents`);
  await page.waitForSelector("text=Nothing has fallen yet");
  await page.goto(`${url}/unmapped`);
  await page.waitForSelector("text=Every host has a name");
});

const evil = { name: EVIL, rate: 3, p50: 10, spread: 2, decline: 0, conversion: null, flight: true, trouble: "hung" };
const hostile = { also: [{ ...evil, evidence: { hung: EVIL }, owner: EVIL, runbook: "javascript:window.pwned=1" }] };
await claim("markup in names, evidence and addresses is text", { mock: hostile }, async (page) => {
  await phase(page, "live");
  assert.equal((await names(page))[0], EVIL);
  await page.click("a.name");
  await until(page, () => document.querySelectorAll(".chart canvas").length >= 2);
  assert.ok((await page.textContent("main")).includes(EVIL));
  assert.equal(await page.$("main img, a[href^=javascript]"), null);
  await page.click("nav >> text=Incidents");
  await page.waitForSelector("[data-alert]");
  assert.ok((await page.textContent("main")).includes(EVIL));
  assert.equal(await page.$("main img"), null);
  assert.equal(await page.evaluate(() => window.pwned), undefined);
});

await claim("nothing is wider than a phone", { view: { viewport: { width: 390, height: 844 } } }, async (page, { url }) => {
  for (const path of ["/", "/p/sms-gateway", `/t/${TRACE}`, "/incidents", "/unmapped"]) {
    await page.goto(url + path);
    await page.waitForSelector("main :is(tr[data-provider], h1)");
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${path} scrolls sideways`);
  }
});

await claim("of 500 providers only the rows in sight are drawn, wherever one scrolls", { mock: { size: 500 } }, async (page) => {
  await until(page, () => document.querySelectorAll("tr[data-provider]").length === 500);
  await phase(page, "live");
  const drawn = () => page.$$eval("tr[data-provider]", (rows) => rows.map((row) => row.querySelector(".spark canvas") !== null));
  await until(page, () => document.querySelectorAll(".spark canvas").length > 5);
  assert.ok((await drawn()).filter(Boolean).length < 50);
  const last = page.locator("tr[data-provider]").last();
  await last.scrollIntoViewIfNeeded();
  await last.locator(".spark canvas").waitFor();
  await until(page, () => document.querySelectorAll(".spark canvas").length < 50);
  assert.equal((await drawn())[0], false);
});

await browser.close();
process.exit(failures === 0 ? 0 : 1);
