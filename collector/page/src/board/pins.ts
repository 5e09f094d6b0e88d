/** Providers that somebody wants on top whatever happens; kept in this browser. */
import { useState } from "preact/hooks";
import type { Provider } from "../api/types";

const KEY = "spanmill.pins";
/** More on top than this and nothing is. */
const PINS_MAX = 50;

/** Pinned rows first; among themselves, as the others, they stay in the order they have. */
export function pinnedFirst(rows: readonly Provider[], pins: ReadonlySet<string>): Provider[] {
  return [...rows.filter(({ name }) => pins.has(name)), ...rows.filter(({ name }) => !pins.has(name))];
}

/** With `name` if it was not there, without it if it was; the oldest pin gives way. */
export function toggled(pins: ReadonlySet<string>, name: string): Set<string> {
  const next = new Set(pins);
  if (!next.delete(name)) next.add(name);
  return new Set([...next].slice(-PINS_MAX));
}

/** Whatever somebody or an older page left there: names, or nothing. */
export function parsePins(text: string | null): Set<string> {
  try {
    const kept: unknown = JSON.parse(text ?? "[]");
    return new Set(Array.isArray(kept) ? kept.filter((one) => typeof one === "string").slice(-PINS_MAX) : []);
  } catch {
    return new Set();
  }
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage may be forbidden; pins then last as long as the view
  }
}

export function usePins(): [ReadonlySet<string>, (name: string) => void] {
  const [pins, setPins] = useState(() => parsePins(stored()));
  const toggle = (name: string) => {
    if (name === "") return;
    setPins((now) => {
      const next = toggled(now, name);
      try {
        localStorage.setItem(KEY, JSON.stringify([...next]));
      } catch {
        // see above
      }
      return next;
    });
  };
  return [pins, toggle];
}
