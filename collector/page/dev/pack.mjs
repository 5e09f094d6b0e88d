/**
 * The last step of the build: writes each file compressed beside itself, as the daemon serves it, and holds the page to its size:
 * 80 KB in all, because it is also opened over a phone's link at 3 a.m.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const BUDGET_BYTES = 80_000;
const dist = fileURLToPath(new URL("../dist/", import.meta.url));

const files = ["", "assets"].flatMap((folder) =>
  readdirSync(join(dist, folder), { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(dist, folder, entry.name)),
);
let total = 0;
for (const file of files) {
  const packed = gzipSync(readFileSync(file), { level: 9 });
  writeFileSync(`${file}.gz`, packed);
  total += packed.length;
}

console.log(
  `page: ${total.toLocaleString("en-US")} of ${BUDGET_BYTES.toLocaleString("en-US")} bytes gzip in ${files.length} files`,
);
if (total > BUDGET_BYTES) {
  console.error("page: over budget; remove something before adding more");
  rmSync(dist, { recursive: true }); // or the next cargo build would take it for a good one
  process.exit(1);
}
