/** What must never happen in the page: an error in the console, a violation of the CSP, a request to anyone but the daemon. */

export async function watchTrouble(page, origin) {
  const trouble = [];
  page.on("console", (message) => {
    if (message.type() === "error") trouble.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => trouble.push(`exception: ${error.message}`));
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) trouble.push(`request outside: ${request.url()}`);
  });
  await page.exposeFunction("reportViolation", (what) => trouble.push(`CSP violation: ${what}`));
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      window.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  return trouble;
}
