/** One provider. A row out of sight is not drawn again: with 500 providers only what is seen costs anything. */
import { Component, createRef } from "preact";
import type { Provider } from "../api/types";
import { histories } from "../live/hooks";
import { declineRatio } from "../live/ratio";
import { conversionShare, duration, elapsed, NOTHING, rate, share, times } from "../ui/format";
import { Link, providerPath } from "../ui/router";
import { Shape } from "../ui/Shape";
import { isBad, meaning, scopeText } from "../ui/verdict";
import { Spark } from "./Spark";

interface RowProps {
  provider: Provider;
  /** The daemon's clock, unix seconds: ages are counted by it, since ours may be wrong. */
  now: number;
  pinned: boolean;
  onPin: (name: string) => void;
}

/** Rows near the edge of sight are drawn too, so that scrolling meets no blank ones. */
const MARGIN = "300px 0px";

export class Row extends Component<RowProps, { seen: boolean }> {
  override state = { seen: false };
  private readonly element = createRef<HTMLTableRowElement>();
  private watch: IntersectionObserver | null = null;

  override componentDidMount() {
    const element = this.element.current;
    if (!element) return;
    this.watch = new IntersectionObserver((entries) => this.setState({ seen: entries.at(-1)?.isIntersecting ?? false }), {
      rootMargin: MARGIN,
    });
    this.watch.observe(element);
  }

  override componentWillUnmount() {
    this.watch?.disconnect();
  }

  override shouldComponentUpdate(next: RowProps, state: { seen: boolean }) {
    return state.seen || this.state.seen || this.changed(next);
  }

  private changed({ provider, pinned }: RowProps): boolean {
    const { verdict, muted } = this.props.provider;
    return provider.verdict !== verdict || provider.muted !== muted || pinned !== this.props.pinned;
  }

  override render({ provider, now, pinned, onPin }: RowProps) {
    const { name, verdict, baseline } = provider;
    const { seen } = this.state;
    if (seen) histories.want(name);
    const bad = isBad(verdict) && !provider.muted;
    return (
      <tr
        role="row"
        ref={this.element}
        class={`row v-${verdict}${bad ? " bad" : ""}`}
        data-provider={name}
        data-verdict={verdict}
      >
        <th role="rowheader" scope="row" class="c-name">
          <Shape verdict={verdict} />
          <Link to={providerPath(name)} class="name" title={name}>
            {name}
          </Link>
          {provider.muted && <span class="tag">muted</span>}
          <button
            type="button"
            class="pin"
            aria-pressed={pinned}
            aria-label={`Keep ${name} on top`}
            title="Keep on top (p)"
            onClick={() => onPin(name)}
          >
            <svg viewBox="0 0 16 16" aria-hidden="true">
              <path d="M5 2h6l-1 5 2 2.5H4L6 7zM8 9.5V14" class={pinned ? "filled drawn" : "drawn"} />
            </svg>
          </button>
        </th>
        <VerdictCell provider={provider} now={now} />
        <td role="cell" class="c-calls num" data-label="calls/s">
          {rate(provider.calls_per_s)}
        </td>
        <ShareCell class="c-failed" label="failed" value={provider.failure_ratio} normal={baseline?.failure_ratio ?? null} />
        <td role="cell" class="c-declined num" data-label="declined">
          {share(declineRatio(provider))}
        </td>
        <td role="cell" class="c-p50 num" data-label="p50">
          {duration(provider.p50_ms)}
        </td>
        <P95Cell value={provider.p95_ms} normal={baseline?.p95_ms ?? null} />
        <td role="cell" class="c-p99 num" data-label="p99">
          {duration(provider.p99_ms)}
        </td>
        <InFlightCell provider={provider} />
        <ConversionCell provider={provider} />
        <td role="cell" class="c-spark" aria-label={`p95 over ten minutes, now ${duration(provider.p95_ms)}`}>
          {seen && <Spark points={histories.points(name)} now={now} normal={baseline?.p95_ms ?? null} />}
        </td>
        {bad && provider.evidence && (
          <td role="cell" class="c-evidence">
            {provider.evidence}
            {provider.scope && <span class="scope"> · {scopeText(provider.scope)}</span>}
          </td>
        )}
      </tr>
    );
  }
}

function VerdictCell({ provider: { verdict, since, muted }, now }: { provider: Provider; now: number }) {
  const { label, sentence } = meaning(verdict);
  const started = since === null ? Number.NaN : Date.parse(since);
  const calm = !isBad(verdict) || muted;
  return (
    <td role="cell" class="c-verdict" title={since ? `${sentence}, since ${since}` : sentence}>
      <span class="verdict">{label}</span>
      {!calm && Number.isFinite(started) && <span class="since">{elapsed(now * 1000 - started)}</span>}
    </td>
  );
}

/** Each with its own threshold for bold type; the verdict judges, this only leads the eye along the row. */
const FAILED_LOUD = 0.05;
const SLOWER_LOUD = 2;
const OLDEST_LOUD_MS = 10_000;

function ShareCell(props: { class: string; label: string; value: number | null; normal: number | null }) {
  const loud = (props.value ?? 0) >= FAILED_LOUD;
  const normal = props.normal === null ? undefined : `normally ${share(props.normal)}`;
  return (
    <td role="cell" class={`${props.class} num${loud ? " loud" : ""}`} data-label={props.label} title={normal}>
      {share(props.value)}
    </td>
  );
}

function P95Cell({ value, normal }: { value: number | null; normal: number | null }) {
  const ratio = times(value, normal);
  const loud = normal !== null && value !== null && value >= SLOWER_LOUD * normal;
  return (
    <td
      role="cell"
      class={`c-p95 num${loud ? " loud" : ""}`}
      data-label="p95"
      title={normal === null ? undefined : `normally ${duration(normal)}`}
    >
      <span class="value">{duration(value)}</span>
      <span class="beside">{ratio}</span>
    </td>
  );
}

function InFlightCell({ provider: { in_flight, oldest_in_flight_ms } }: { provider: Provider }) {
  if (in_flight === null) {
    return (
      <td
        role="cell"
        class="c-flight num none"
        data-label="in flight"
        title="No in-flight data: its callers send finished spans only, so a hang is seen only after the callers' timeout."
      >
        <span class="value">no data</span>
        <span class="beside" />
      </td>
    );
  }
  const loud = (oldest_in_flight_ms ?? 0) >= OLDEST_LOUD_MS;
  return (
    <td role="cell" class={`c-flight num${loud ? " loud" : ""}`} data-label="in flight">
      <span class="value">{in_flight}</span>
      <span class="beside">{in_flight > 0 && oldest_in_flight_ms !== null && `oldest ${duration(oldest_in_flight_ms)}`}</span>
    </td>
  );
}

function ConversionCell({ provider: { conversion } }: { provider: Provider }) {
  const five = conversion?.["5m"] ?? null;
  const longer = [conversion?.["10m"], conversion?.["15m"]].map(conversionShare);
  if (five === null && longer.every((text) => text === NOTHING)) {
    return (
      <td
        role="cell"
        class="c-conversion num none"
        data-label="conversion"
        title="No operation of this provider reports an explicit outcome."
      >
        <span class="value">{NOTHING}</span>
        <span class="beside" />
      </td>
    );
  }
  const title = `5 min ${conversionShare(five)}, 10 min ${longer[0]}, 15 min ${longer[1]}`;
  return (
    <td role="cell" class="c-conversion num" data-label="conversion" title={title}>
      <span class="value">{conversionShare(five)}</span>
      <span class="beside">
        {longer.map((text, i) => (
          <span key={i}>{text.replace(/\s?%$/, "")}</span>
        ))}
      </span>
    </td>
  );
}
