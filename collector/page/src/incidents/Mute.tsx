/** A provider's mute button: for how long, why and who, then a token where the daemon wants one. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, postJson, takeToken } from "../api/get";

const SPANS: [string, string][] = [
  ["15m", "15 min"],
  ["1h", "1 h"],
  ["4h", "4 h"],
  ["1d", "1 d"],
  ["7d", "7 d"],
];
/** A later mute replaces the earlier one, so the shortest ends it. */
const UNMUTE = "1s";

interface MuteProps {
  provider: string;
  muted: boolean;
  /** Called when the daemon has taken it, before its board says so. */
  onDone?: () => void;
}

export function Mute({ provider, muted, onDone }: MuteProps) {
  const [open, setOpen] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const refused = error?.status === 401 || error?.status === 403;

  const form = useRef<HTMLFormElement>(null);
  // Once, when there is something new to fill in: the view is drawn anew each second, and must not take the cursor away.
  useEffect(() => {
    form.current?.querySelector<HTMLElement>(refused ? "[name=token]" : "[name]")?.focus();
  }, [open, refused]);

  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget as HTMLFormElement);
    const text = (name: string) => String(given.get(name) ?? "").trim();
    if (given.has("token")) takeToken(text("token"));
    setBusy(true);
    try {
      const span = muted ? UNMUTE : text("for");
      const body = { for: span, reason: text("reason") || (muted ? "unmuted" : ""), by: text("by") };
      await postJson(`/api/v1/providers/${encodeURIComponent(provider)}/mute`, body);
      setOpen(false);
      setError(null);
      onDone?.();
    } catch (cause) {
      if (cause instanceof ApiError) setError(cause);
      else throw cause;
    } finally {
      setBusy(false);
    }
  };

  const label = muted ? "Unmute" : "Mute";
  if (!open) {
    return (
      <button type="button" class="plain" aria-label={`${label} ${provider}`} onClick={() => setOpen(true)}>
        {label}
      </button>
    );
  }
  return (
    <form ref={form} class="mute" onSubmit={send} onKeyDown={(event) => event.key === "Escape" && setOpen(false)}>
      {!muted && (
        <label>
          Mute for
          <select name="for">
            {SPANS.map(([value, words]) => (
              <option key={value} value={value} selected={value === "1h"}>
                {words}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        Reason
        <input name="reason" maxLength={200} required={!muted} placeholder={muted ? "it is well again" : "maintenance"} />
      </label>
      <label>
        By
        <input name="by" maxLength={64} required autocomplete="username" placeholder="your name" />
      </label>
      {refused && (
        <label>
          Token
          <input name="token" type="password" autocomplete="off" />
        </label>
      )}
      <span class="buttons">
        <button type="submit" class="plain strong" disabled={busy}>
          {label}
        </button>
        <button type="button" class="plain" onClick={() => setOpen(false)}>
          Cancel
        </button>
      </span>
      {error && (
        <p role="alert">
          <b>Not {muted ? "unmuted" : "muted"}:</b> {error.message}
          {error.hint && `; ${error.hint}`}
        </p>
      )}
    </form>
  );
}
