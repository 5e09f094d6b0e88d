/** Serves the built page with the headers of the daemon and the mock API: `node dev/serve.mjs [port] [providers]`. */
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { mockApi } from "./mock.mjs";

const DIST = new URL("../dist/", import.meta.url);
const TYPES = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};
const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

async function file(path, response) {
  const asset = /^\/assets\/[\w.-]+$/.test(path);
  const body = await readFile(new URL(asset ? `.${path}` : "index.html", DIST)).catch(() => null);
  if (!body) return response.writeHead(404).end();
  const type = TYPES[asset ? path.split(".").at(-1) : "html"] ?? "application/octet-stream";
  response.writeHead(200, { "content-type": type, "content-security-policy": CSP, "x-content-type-options": "nosniff" });
  return response.end(body);
}

export function serve({ port = 0, ...mock } = {}) {
  const api = mockApi(mock);
  const server = createServer((request, response) =>
    api(request, response, () => file(new URL(request.url, "http://x").pathname, response)),
  );
  return new Promise((resolve) =>
    server.listen(port, "127.0.0.1", () => resolve({ server, url: `http://127.0.0.1:${server.address().port}` })),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port, size] = process.argv.slice(2).map(Number);
  const { url } = await serve({ port: port ?? 5316, ...(size === undefined ? {} : { size }) });
  console.log(url);
}
