/** One way to ask the daemon: JSON or an error with the daemon's own sentence and hint, never later than the deadline. */

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly hint: string | null,
  ) {
    super(message);
  }
}

/** The daemon answers in milliseconds; after this long it is hanging, and saying so beats a spinner. */
const DEADLINE_MS = 10_000;

export async function getJson<T>(path: string): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { headers: { accept: "application/json" }, signal: AbortSignal.timeout(DEADLINE_MS) });
  } catch (cause) {
    const late = cause instanceof DOMException && cause.name === "TimeoutError";
    throw new ApiError(0, late ? "the daemon did not answer within 10 s" : "the daemon cannot be reached", null);
  }
  const body = (await response.json().catch(() => null)) as (T & { error?: string; hint?: string | null }) | null;
  if (!response.ok || body === null) {
    throw new ApiError(response.status, body?.error ?? `the daemon answered ${response.status}`, body?.hint ?? null);
  }
  return body;
}
