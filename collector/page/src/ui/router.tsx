/** The addresses of the page, and links that change them without loading it anew. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

export type Route =
  | { view: "board" | "incidents" | "unmapped" | "nothing" }
  | { view: "provider"; name: string }
  | { view: "trace"; id: string };

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

export function parseRoute(path: string): Route {
  if (path === "/" || path === "/index.html") return { view: "board" };
  const [, list] = /^\/(incidents|unmapped)\/?$/.exec(path) ?? [];
  if (list === "incidents" || list === "unmapped") return { view: list };
  const [, view, value] = /^\/([pt])\/([^/]+)\/?$/.exec(path) ?? [];
  const name = value === undefined ? null : decoded(value);
  if (name && view === "p") return { view: "provider", name };
  if (name && view === "t" && /^[0-9a-f]{32}$/i.test(name)) return { view: "trace", id: name.toLowerCase() };
  return { view: "nothing" };
}

export const providerPath = (name: string) => `/p/${encodeURIComponent(name)}`;
export const tracePath = (id: string) => `/t/${encodeURIComponent(id)}`;

/** The permalink of one incident. */
export const incidentPath = (id: string) => `/incidents?id=${encodeURIComponent(id)}`;

export function go(path: string): void {
  history.pushState(null, "", path);
  dispatchEvent(new PopStateEvent("popstate"));
  scrollTo(0, 0);
}

export function useRoute(): Route {
  const [path, setPath] = useState(location.pathname);
  useEffect(() => {
    const changed = () => setPath(location.pathname);
    addEventListener("popstate", changed);
    return () => removeEventListener("popstate", changed);
  }, []);
  return parseRoute(path);
}

/** What stands behind the `?`, and how to change some of it: choices that a copied address should carry. */
export function useQuery(): [URLSearchParams, (change: Record<string, string | null>) => void] {
  const [search, setSearch] = useState(location.search);
  useEffect(() => {
    const changed = () => setSearch(location.search);
    addEventListener("popstate", changed);
    return () => removeEventListener("popstate", changed);
  }, []);
  const change = (some: Record<string, string | null>) => {
    const next = new URLSearchParams(location.search);
    for (const [key, value] of Object.entries(some)) value === null ? next.delete(key) : next.set(key, value);
    const text = next.toString();
    history.replaceState(null, "", location.pathname + (text && `?${text}`));
    dispatchEvent(new PopStateEvent("popstate"));
  };
  return [new URLSearchParams(search), change];
}

interface LinkProps {
  to: string;
  "aria-current"?: "page";
  class?: string;
  title?: string;
  children: ComponentChildren;
}

/** A real link (opens in a new tab, can be copied) that stays in the page on a plain click. */
export function Link({ to, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(to);
  };
  return (
    <a href={to} onClick={follow} {...rest}>
      {children}
    </a>
  );
}
