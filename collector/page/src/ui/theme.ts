/** Light or dark: what the system says until the reader chooses otherwise; the choice is kept in this browser. */

export type Theme = "light" | "dark";

const KEY = "spanmill.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function chosen(): Theme | null {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : null;
  } catch {
    return null; // storage may be forbidden; the system's choice is good enough
  }
}

export function theme(): Theme {
  return chosen() ?? (system.matches ? "dark" : "light");
}

function apply(): void {
  document.documentElement.dataset["theme"] = theme();
  for (const listener of listeners) listener();
}

export function toggleTheme(): void {
  const next: Theme = theme() === "dark" ? "light" : "dark";
  try {
    // Back to what the system says: forget the choice, so that the page follows the system again.
    if (next === (system.matches ? "dark" : "light")) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
  } catch {
    return;
  }
  apply();
}

export function startTheme(): void {
  system.addEventListener("change", apply);
  apply();
}

/** Canvas has no style sheet: charts redraw when the colours change. Returns how to stop listening. */
export function onTheme(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The value of a colour token such as `--line`, for canvas. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}
