/** Takes a picture of a page: `node screenshot.mjs URL OUT.png [width height light|dark] [wait seconds]`. */
import { launch } from "./dev/chromium.mjs";

const [url, out, width = "1440", height = "900", theme = "light", wait = "3"] = process.argv.slice(2);
if (!url || !out || !["light", "dark"].includes(theme)) {
  console.error("usage: node screenshot.mjs URL OUT.png [width height light|dark] [wait seconds]");
  process.exit(64);
}
const browser = await launch();
try {
  const page = await browser.newPage({
    viewport: { width: Number(width), height: Number(height) },
    colorScheme: theme,
    deviceScaleFactor: Number(width) < 720 ? 2 : 1,
  });
  await page.goto(url, { waitUntil: "load" });
  // The sparklines fill after the first event; the page itself says nothing about being done, for it never is.
  await page.waitForTimeout(Number(wait) * 1000);
  await page.screenshot({ path: out });
} finally {
  await browser.close();
}
