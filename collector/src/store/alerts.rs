//! The verdicts that fell, for the list of incidents and the bands of a chart.

use rusqlite::{Connection, Row, params};

use super::annotations::{list, texts};
use super::file::Error;
use super::row::integer;

/// Alerts in one answer, the newest.
pub const ANSWER_MAX: u64 = 1_000;

/// One verdict, from its first evidence to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Chosen by the detector; the same one is written again when something of it changes.
    pub id: String,
    pub provider: String,
    /// `slow`, `failing`, `hung`, `declining` or `silent`.
    pub kind: String,
    /// `everyone`, `host:NAME` and so on.
    pub scope: String,
    pub started_ms: u64,
    pub detected_ms: u64,
    pub resolved_ms: Option<u64>,
    pub evidence: String,
    /// Trace ids.
    pub exemplars: Vec<String>,
    /// `page`, `warn` or `info`.
    pub severity: String,
    pub muted: bool,
}

/// Which alerts are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Firing,
    Resolved,
    All,
}

pub fn put(connection: &Connection, alert: &Alert) -> Result<(), Error> {
    let put = "INSERT OR REPLACE INTO verdicts (id, provider, kind, scope, started_ms, detected_ms, resolved_ms, \
               evidence, exemplars, severity, muted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(put)?.execute(params![
        alert.id,
        alert.provider,
        alert.kind,
        alert.scope,
        integer(alert.started_ms),
        integer(alert.detected_ms),
        alert.resolved_ms.map(integer),
        alert.evidence,
        list(&alert.exemplars),
        alert.severity,
        alert.muted,
    ])?;
    Ok(())
}

const COLUMNS: &str = "id, provider, kind, scope, started_ms, detected_ms, resolved_ms, evidence, exemplars, \
                       severity, muted";

/// The newest [`ANSWER_MAX`], newest first.
pub fn newest(connection: &Connection, state: State) -> Result<Vec<Alert>, Error> {
    let which = match state {
        State::Firing => "WHERE resolved_ms IS NULL",
        State::Resolved => "WHERE resolved_ms IS NOT NULL",
        State::All => "",
    };
    let query = format!("SELECT {COLUMNS} FROM verdicts {which} ORDER BY detected_ms DESC, id DESC LIMIT ?");
    let mut query = connection.prepare_cached(&query)?;
    let rows = query.query_map([integer(ANSWER_MAX)], alert)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Those of one provider that held within `from_s..to_s`, oldest first.
pub fn of_provider(
    connection: &Connection,
    provider: &str,
    from_s: u64,
    to_s: u64,
) -> Result<Vec<Alert>, Error> {
    let query = format!(
        "SELECT {COLUMNS} FROM verdicts WHERE provider = ?1 AND detected_ms < ?3 \
         AND (resolved_ms IS NULL OR resolved_ms >= ?2) ORDER BY detected_ms DESC LIMIT ?4"
    );
    let mut query = connection.prepare_cached(&query)?;
    let of = |seconds: u64| integer(seconds.saturating_mul(1000));
    let rows = query.query_map(params![provider, of(from_s), of(to_s), integer(ANSWER_MAX)], alert)?;
    let mut found = rows.collect::<Result<Vec<_>, _>>()?;
    found.reverse();
    Ok(found)
}

fn alert(row: &Row<'_>) -> rusqlite::Result<Alert> {
    let ms = |at: i64| at.max(0) as u64;
    Ok(Alert {
        id: row.get(0)?,
        provider: row.get(1)?,
        kind: row.get(2)?,
        scope: row.get(3)?,
        started_ms: ms(row.get(4)?),
        detected_ms: ms(row.get(5)?),
        resolved_ms: row.get::<_, Option<i64>>(6)?.map(ms),
        evidence: row.get(7)?,
        exemplars: texts(&row.get::<_, String>(8)?),
        severity: row.get(9)?,
        muted: row.get(10)?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{self, NOW_S};
    use super::*;

    fn alert(id: &str, at_s: u64, resolved_s: Option<u64>) -> Alert {
        Alert {
            id: id.to_owned(),
            provider: "bank".to_owned(),
            kind: "hung".to_owned(),
            scope: "everyone".to_owned(),
            started_ms: at_s * 1000,
            detected_ms: at_s * 1000 + 7200,
            resolved_ms: resolved_s.map(|s| s * 1000),
            evidence: "12 calls open past 4.0 s".to_owned(),
            exemplars: vec!["4bf92f3577b34da6a3ce929d0e0e4736".to_owned()],
            severity: "page".to_owned(),
            muted: false,
        }
    }

    #[test]
    fn alerts_are_found_by_state_and_by_the_time_in_which_they_held() {
        let (_dir, connection) = fixture::database();
        let over = alert("a", NOW_S - 900, Some(NOW_S - 600));
        let mut firing = alert("b", NOW_S - 60, None);
        put(&connection, &over).unwrap();
        put(&connection, &firing).unwrap();
        firing.muted = true;
        put(&connection, &firing).unwrap();
        assert_eq!(newest(&connection, State::Firing).unwrap(), [firing.clone()]);
        assert_eq!(newest(&connection, State::Resolved).unwrap(), std::slice::from_ref(&over));
        assert_eq!(newest(&connection, State::All).unwrap(), [firing.clone(), over.clone()]);
        let of = |from, to| of_provider(&connection, "bank", from, to).unwrap();
        assert_eq!(of(NOW_S - 700, NOW_S), [over.clone(), firing.clone()]);
        assert_eq!(of(NOW_S - 500, NOW_S - 100), []);
        assert_eq!(of(NOW_S + 500, NOW_S + 900), [firing]);
        assert_eq!(of_provider(&connection, "other", 0, NOW_S).unwrap(), []);
    }
}
