/** Hosts that no rule names yet, by their calls, each with the rule to paste. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { UnmappedAnswer } from "../api/types";
import { StaleNote, TopBar } from "../board/Header";
import type { FeedState } from "../live/feed";
import { usePolled } from "../live/hooks";
import { count } from "../ui/format";

const EVERY_MS = 10_000;
/** How long the button says that it worked. */
const COPIED_MS = 2_000;

export function Unmapped({ state }: { state: FeedState }) {
  const { value, error } = usePolled<UnmappedAnswer>("/api/v1/unmapped", EVERY_MS);
  useEffect(() => {
    document.title = "Unmapped · spanmill";
  }, []);
  const peers = value?.peers ?? [];
  return (
    <>
      <TopBar state={state} />
      <main class="unmapped">
        <StaleNote state={state} />
        {error && (
          <p class="note" role="alert">
            <b>The list cannot be read:</b> {error.message}
            {error.hint && `; ${error.hint}`}
          </p>
        )}
        {!value && !error && <p class="soft">Asking the daemon…</p>}
        {value && peers.length === 0 && (
          <section class="state">
            <h1>Every host has a name</h1>
            <p class="soft">Hosts that are called and that no rule names appear here, by their calls of the last half hour.</p>
          </section>
        )}
        {peers.length > 0 && (
          <>
            <div class="titled">
              <h1>Unmapped hosts</h1>
              <p class="soft">
                Paste a rule into the configuration, give it a better name, then <code>kill -HUP</code> the daemon: the host gets a row of
                its own on the board.
              </p>
            </div>
            <ol class="peers">
              {peers.map((peer) => (
                <Peer key={peer.peer} {...peer} />
              ))}
            </ol>
          </>
        )}
      </main>
    </>
  );
}

function Peer({ peer, count: calls, services, rule }: UnmappedAnswer["peers"][number]) {
  return (
    <li class="peer" data-peer={peer}>
      <header>
        <h2>{peer}</h2>
        <span class="soft">
          {count(calls)} {calls === 1 ? "call" : "calls"}
          {services.length > 0 && ` from ${services.join(", ")}`}
        </span>
      </header>
      <Rule text={rule} peer={peer} />
    </li>
  );
}

function Rule({ text, peer }: { text: string; peer: string }) {
  const shown = useRef<HTMLPreElement>(null);
  const [state, setState] = useState<"" | "Copied" | "Press Ctrl-C">("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("Copied");
    } catch {
      // Without TLS a page may not write the clipboard, but it may select what is to be copied.
      if (shown.current) getSelection()?.selectAllChildren(shown.current);
      setState("Press Ctrl-C");
    }
    setTimeout(() => setState(""), COPIED_MS);
  };
  return (
    <div class="rule">
      <pre ref={shown}>{text}</pre>
      <button type="button" class="plain" aria-label={`Copy the rule for ${peer}`} onClick={copy}>
        <span aria-live="polite">{state || "Copy"}</span>
      </button>
    </div>
  );
}
