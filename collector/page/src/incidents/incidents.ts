/** Alerts as a list to read: what fires stands first, and each says when it began, when it was seen and how long it lasted. */
import type { Alert } from "../api/types";
import { elapsed } from "../ui/format";
import { meaning } from "../ui/verdict";

export type Shown = "all" | "firing" | "resolved";

/** Firing before resolved; among what fires the worst, then the newest; among what is over the newest. */
export function sorted(alerts: readonly Alert[]): Alert[] {
  const rank = ({ resolved, kind, muted }: Alert) => (resolved !== null ? 200 : muted ? 100 : meaning(kind).rank);
  return [...alerts].sort((a, b) => rank(a) - rank(b) || (a.started < b.started ? 1 : a.started > b.started ? -1 : 0));
}

/** Every word must occur in the provider, the kind, the scope or the evidence. */
export function shown(alerts: readonly Alert[], which: Shown, filter: string): Alert[] {
  const words = filter.toLowerCase().split(/\s+/);
  return sorted(alerts).filter(({ resolved, provider, kind, scope, evidence }) => {
    if (which !== "all" && (which === "firing") !== (resolved === null)) return false;
    const text = `${provider} ${kind} ${scope} ${evidence}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

/** From its beginning to its end, or to now. */
export function lasted({ started, resolved }: Alert, now_ms: number): string {
  return elapsed((resolved === null ? now_ms : Date.parse(resolved)) - Date.parse(started));
}
