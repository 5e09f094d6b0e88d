/** One way to ask the daemon, and to tell it something: JSON or an error with the daemon's own sentence and hint, never later than the deadline. */

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

/** For a daemon that is not on this host. Kept for the life of the page and written nowhere. */
let token: string | null = null;
export const takeToken = (given: string) => void (token = given.trim() || null);

export const getJson = <T>(path: string): Promise<T> => ask<T>(path, {});

export function postJson<T>(path: string, body: unknown): Promise<T> {
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
  return ask<T>(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...authorization },
    body: JSON.stringify(body),
  });
}

async function ask<T>(path: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    const headers = { accept: "application/json", ...(init.headers as Record<string, string> | undefined) };
    response = await fetch(path, { ...init, headers, signal: AbortSignal.timeout(DEADLINE_MS) });
  } catch (cause) {
    const late = cause instanceof DOMException && cause.name === "TimeoutError";
    throw new ApiError(0, late ? "the daemon did not answer within 10 s" : "the daemon cannot be reached", null);
  }
  const answer = (await response.json().catch(() => null)) as (T & { error?: string; hint?: string | null }) | null;
  if (!response.ok || answer === null) {
    throw new ApiError(response.status, answer?.error ?? `the daemon answered ${response.status}`, answer?.hint ?? null);
  }
  return answer;
}
