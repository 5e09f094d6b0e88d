-- Version 1. What the columns mean, and queries to begin with: docs/store.md.

CREATE TABLE providers (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- One provider over 10 seconds. A row holds all that is known of them, so writing it again changes nothing.
-- Clustered by provider: a chart reads one stretch of pages.
CREATE TABLE windows_10s (
    provider     INTEGER NOT NULL REFERENCES providers (id),
    begin_s      INTEGER NOT NULL,
    ok           INTEGER NOT NULL,
    declined     INTEGER NOT NULL,
    client_fault INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    timeout      INTEGER NOT NULL,
    connect      INTEGER NOT NULL,
    cancelled    INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    converted    INTEGER NOT NULL,
    convertible  INTEGER NOT NULL,
    late         INTEGER NOT NULL,
    sum_ns       INTEGER NOT NULL,
    max_ns       INTEGER NOT NULL,
    p50_ns       INTEGER,
    p95_ns       INTEGER,
    p99_ns       INTEGER,
    other_p95_ns INTEGER,
    answered     BLOB,
    other        BLOB,
    PRIMARY KEY (provider, begin_s)
) STRICT, WITHOUT ROWID;

-- The same over a minute: the sum of its six rows above, written with them.
CREATE TABLE windows_1m (
    provider     INTEGER NOT NULL REFERENCES providers (id),
    begin_s      INTEGER NOT NULL,
    ok           INTEGER NOT NULL,
    declined     INTEGER NOT NULL,
    client_fault INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    timeout      INTEGER NOT NULL,
    connect      INTEGER NOT NULL,
    cancelled    INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    converted    INTEGER NOT NULL,
    convertible  INTEGER NOT NULL,
    late         INTEGER NOT NULL,
    sum_ns       INTEGER NOT NULL,
    max_ns       INTEGER NOT NULL,
    p50_ns       INTEGER,
    p95_ns       INTEGER,
    p99_ns       INTEGER,
    other_p95_ns INTEGER,
    answered     BLOB,
    other        BLOB,
    PRIMARY KEY (provider, begin_s)
) STRICT, WITHOUT ROWID;

-- One provider over a minute by one dimension: 0 operation, 1 host, 2 service, 3 endpoint. Clustered by time: what
-- changes lies together.
CREATE TABLE breakdowns (
    begin_s      INTEGER NOT NULL,
    provider     INTEGER NOT NULL REFERENCES providers (id),
    dimension    INTEGER NOT NULL,
    key          TEXT NOT NULL,
    ok           INTEGER NOT NULL,
    declined     INTEGER NOT NULL,
    client_fault INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    timeout      INTEGER NOT NULL,
    connect      INTEGER NOT NULL,
    cancelled    INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    sum_ns       INTEGER NOT NULL,
    max_ns       INTEGER NOT NULL,
    p50_ns       INTEGER,
    p95_ns       INTEGER,
    p99_ns       INTEGER,
    answered     BLOB,
    PRIMARY KEY (begin_s, provider, dimension, key)
) STRICT, WITHOUT ROWID;

-- How far the journal is part of the windows; written in one transaction with them.
CREATE TABLE checkpoint (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    instance BLOB NOT NULL,
    position INTEGER NOT NULL,
    at_s     INTEGER NOT NULL
) STRICT;

CREATE TABLE annotations (
    id    INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    text  TEXT NOT NULL,
    tags  TEXT NOT NULL
) STRICT;
CREATE INDEX annotations_at ON annotations (at_ms);

-- Who muted what, why, until when. Only ever added to: the newest row of a provider holds.
CREATE TABLE mutes (
    id       INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    since_ms INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    who      TEXT NOT NULL
) STRICT;
CREATE INDEX mutes_of ON mutes (provider);

CREATE TABLE verdicts (
    id          TEXT PRIMARY KEY,
    provider    TEXT NOT NULL,
    kind        TEXT NOT NULL,
    scope       TEXT NOT NULL,
    started_ms  INTEGER NOT NULL,
    detected_ms INTEGER NOT NULL,
    resolved_ms INTEGER,
    evidence    TEXT NOT NULL,
    exemplars   TEXT NOT NULL,
    severity    TEXT NOT NULL,
    muted       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX verdicts_detected ON verdicts (detected_ms);
CREATE INDEX verdicts_of ON verdicts (provider, detected_ms);

-- Notifications that somebody is still to get.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY,
    target     TEXT NOT NULL,
    body       BLOB NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

-- What is normal for a provider, in the detector's own form.
CREATE TABLE baselines (
    provider TEXT PRIMARY KEY,
    version  INTEGER NOT NULL,
    body     BLOB NOT NULL,
    saved_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the detector saw, by hour, in its own form; each part is zstd.
CREATE TABLE detector_input (
    provider INTEGER NOT NULL REFERENCES providers (id),
    hour_s   INTEGER NOT NULL,
    part     INTEGER NOT NULL,
    body     BLOB NOT NULL,
    PRIMARY KEY (provider, hour_s, part)
) STRICT, WITHOUT ROWID;

CREATE VIEW provider_minutes AS
SELECT
    providers.name AS provider,
    strftime('%Y-%m-%dT%H:%M:%SZ', begin_s, 'unixepoch') AS minute,
    begin_s,
    ok + declined + client_fault + failed + timeout + connect + cancelled AS calls,
    ok, declined, client_fault, failed, timeout, connect, cancelled, attempts, late,
    (failed + timeout + connect) * 1.0 / nullif(ok + declined + failed + timeout + connect, 0) AS failure_ratio,
    converted, convertible,
    converted * 1.0 / nullif(convertible, 0) AS conversion,
    p50_ns / 1e6 AS p50_ms,
    p95_ns / 1e6 AS p95_ms,
    p99_ns / 1e6 AS p99_ms,
    other_p95_ns / 1e6 AS failed_p95_ms,
    max_ns / 1e6 AS max_ms,
    sum_ns / 1e6 AS sum_ms
FROM windows_1m JOIN providers ON providers.id = windows_1m.provider;

CREATE VIEW provider_ten_seconds AS
SELECT
    providers.name AS provider,
    strftime('%Y-%m-%dT%H:%M:%SZ', begin_s, 'unixepoch') AS at,
    begin_s,
    ok + declined + client_fault + failed + timeout + connect + cancelled AS calls,
    ok, declined, client_fault, failed, timeout, connect, cancelled, attempts, late,
    (failed + timeout + connect) * 1.0 / nullif(ok + declined + failed + timeout + connect, 0) AS failure_ratio,
    converted, convertible,
    converted * 1.0 / nullif(convertible, 0) AS conversion,
    p50_ns / 1e6 AS p50_ms,
    p95_ns / 1e6 AS p95_ms,
    p99_ns / 1e6 AS p99_ms,
    other_p95_ns / 1e6 AS failed_p95_ms,
    max_ns / 1e6 AS max_ms,
    sum_ns / 1e6 AS sum_ms
FROM windows_10s JOIN providers ON providers.id = windows_10s.provider;

CREATE VIEW breakdown_minutes AS
SELECT
    providers.name AS provider,
    CASE dimension WHEN 0 THEN 'operation' WHEN 1 THEN 'host' WHEN 2 THEN 'service' ELSE 'endpoint' END AS dimension,
    key,
    strftime('%Y-%m-%dT%H:%M:%SZ', begin_s, 'unixepoch') AS minute,
    begin_s,
    ok + declined + client_fault + failed + timeout + connect + cancelled AS calls,
    ok, declined, client_fault, failed, timeout, connect, cancelled,
    (failed + timeout + connect) * 1.0 / nullif(ok + declined + failed + timeout + connect, 0) AS failure_ratio,
    p50_ns / 1e6 AS p50_ms,
    p95_ns / 1e6 AS p95_ms,
    p99_ns / 1e6 AS p99_ms,
    max_ns / 1e6 AS max_ms,
    sum_ns / 1e6 AS sum_ms
FROM breakdowns JOIN providers ON providers.id = breakdowns.provider;

CREATE VIEW incidents AS
SELECT
    id, provider, kind, scope,
    strftime('%Y-%m-%dT%H:%M:%SZ', started_ms / 1000, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%SZ', detected_ms / 1000, 'unixepoch') AS detected,
    strftime('%Y-%m-%dT%H:%M:%SZ', resolved_ms / 1000, 'unixepoch') AS resolved,
    (resolved_ms - started_ms) / 1000.0 AS lasted_s,
    severity, muted, evidence
FROM verdicts;

CREATE VIEW mute_audit AS
SELECT
    provider, reason, who,
    strftime('%Y-%m-%dT%H:%M:%SZ', since_ms / 1000, 'unixepoch') AS since,
    strftime('%Y-%m-%dT%H:%M:%SZ', until_ms / 1000, 'unixepoch') AS until
FROM mutes;
