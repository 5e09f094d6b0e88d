/** What the board says when there is nothing to show: never just a blank. */

export function EmptyState() {
  const host = location.hostname || "127.0.0.1";
  return (
    <section class="state">
      <h1>No traffic yet</h1>
      <p>
        The daemon is up and waiting for spans. Every outgoing call that arrives becomes part of a row here within two seconds.
      </p>
      <dl class="ways">
        <dt>Just looking</dt>
        <dd>
          <code>spanmill demo</code> runs a simulated shop with eight providers that take turns at misbehaving.
        </dd>
        <dt>From a service</dt>
        <dd>
          Point its OTLP exporter here: <code>OTEL_EXPORTER_OTLP_ENDPOINT=http://{host}:4317</code> for gRPC, or{" "}
          <code>http://{host}:4318</code> for HTTP.
        </dd>
        <dt>Load to try it with</dt>
        <dd>
          <code>spanmill load --target http://{host}:4317 --rate 200</code>
        </dd>
      </dl>
      <p class="faint">
        Spans arrive but nothing shows? Only calls to systems outside count: spans of kind CLIENT or PRODUCER with a peer.{" "}
        <code>spanmill explain HOST</code> says how a peer is named.
      </p>
    </section>
  );
}

export function ConnectingState() {
  return (
    <section class="state" aria-busy="true">
      <p class="faint">Connecting to the daemon…</p>
    </section>
  );
}

export function ErrorState() {
  return (
    <section class="state" role="alert">
      <h1>The daemon does not answer</h1>
      <p>
        This page was served from <code>{location.origin}</code>, but its live data cannot be reached now. It keeps trying and
        will show the board as soon as there is one.
      </p>
      <dl class="ways">
        <dt>Is it alive?</dt>
        <dd>
          <a href="/healthz">/healthz</a> says whether the process runs, <a href="/readyz">/readyz</a> whether it is ready.
        </dd>
        <dt>Behind a proxy?</dt>
        <dd>
          Events must not be buffered: <code>/api/v1/events</code> is a stream that never ends.
        </dd>
      </dl>
    </section>
  );
}
