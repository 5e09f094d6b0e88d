/** The keyboard: / filters, Esc clears, arrows or j and k walk the rows, Enter opens one (it is a link), p pins it, t switches the theme. */
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";
import { toggleTheme } from "../ui/theme";

function walk(table: HTMLElement | null, step: 1 | -1): void {
  const links = [...(table?.querySelectorAll<HTMLElement>("a.name") ?? [])];
  const at = links.indexOf(document.activeElement as HTMLElement);
  const next = at < 0 ? links[step > 0 ? 0 : links.length - 1] : links[at + step];
  next?.focus();
  next?.closest("tr")?.scrollIntoView({ block: "nearest" });
}

function focused(table: HTMLElement | null): string {
  const row = document.activeElement?.closest<HTMLElement>("tr[data-provider]");
  return row && table?.contains(row) ? (row.dataset["provider"] ?? "") : "";
}

export function useBoardKeys(
  box: RefObject<HTMLInputElement | null>,
  table: RefObject<HTMLElement | null>,
  touch: () => void,
  togglePin: (name: string) => void,
): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const typing = event.target instanceof HTMLInputElement;
      const actions: Record<string, () => void> = typing
        ? { Escape: () => clear(box.current), ArrowDown: () => walk(table.current, 1) }
        : {
            "/": () => box.current?.focus(),
            Escape: () => clear(box.current),
            ArrowDown: () => walk(table.current, 1),
            ArrowUp: () => walk(table.current, -1),
            j: () => walk(table.current, 1),
            k: () => walk(table.current, -1),
            p: () => togglePin(focused(table.current)),
            t: toggleTheme,
          };
      const action = Object.hasOwn(actions, event.key) ? actions[event.key] : undefined;
      if (!action) return;
      event.preventDefault();
      touch();
      action();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

function clear(box: HTMLInputElement | null): void {
  if (!box) return;
  box.value = "";
  box.dispatchEvent(new Event("input", { bubbles: true }));
  box.blur();
}
