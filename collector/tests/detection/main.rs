//! The detector against a simulated company: what `docs/detection.md` promises.

mod calm;
mod random;
mod table;
mod world;

use table::Row;

const ROWS: [Row; 12] = [
    Row {
        name: "hang, 2-50/s",
        rates: (2.0, 50.0),
        incident: |p, a, b| p.hangs(a, b, 1.0),
        lasts_s: 120.0,
        in_flight: true,
        p90_max_s: 15.0,
        missed_max: 0.0,
    },
    Row {
        name: "hang, 0.5-1/s",
        rates: (0.5, 1.0),
        incident: |p, a, b| p.hangs(a, b, 1.0),
        lasts_s: 180.0,
        in_flight: true,
        p90_max_s: 35.0,
        missed_max: 0.0,
    },
    Row {
        name: "hang, without in-flight",
        rates: (0.5, 50.0),
        incident: |p, a, b| p.hangs(a, b, 1.0),
        lasts_s: 180.0,
        in_flight: false,
        p90_max_s: 75.0,
        missed_max: 0.0,
    },
    Row {
        name: "x3, 5-50/s",
        rates: (5.0, 50.0),
        incident: |p, a, b| p.slows(a, b, 3.0),
        lasts_s: 180.0,
        in_flight: true,
        p90_max_s: 20.0,
        missed_max: 0.0,
    },
    Row {
        name: "x3, 5-50/s, without",
        rates: (5.0, 50.0),
        incident: |p, a, b| p.slows(a, b, 3.0),
        lasts_s: 180.0,
        in_flight: false,
        p90_max_s: 20.0,
        missed_max: 0.0,
    },
    Row {
        name: "x3, 0.5-2/s",
        rates: (0.5, 2.0),
        incident: |p, a, b| p.slows(a, b, 3.0),
        lasts_s: 300.0,
        in_flight: true,
        p90_max_s: 120.0,
        missed_max: 0.02,
    },
    Row {
        name: "x3, 0.5-2/s, without",
        rates: (0.5, 2.0),
        incident: |p, a, b| p.slows(a, b, 3.0),
        lasts_s: 300.0,
        in_flight: false,
        p90_max_s: 120.0,
        missed_max: 0.02,
    },
    Row {
        name: "50 % fail, 5-50/s",
        rates: (5.0, 50.0),
        incident: |p, a, b| p.fails(a, b, 0.5),
        lasts_s: 120.0,
        in_flight: true,
        p90_max_s: 12.0,
        missed_max: 0.0,
    },
    Row {
        name: "5 % fail, 10-50/s",
        rates: (10.0, 50.0),
        incident: |p, a, b| p.fails(a, b, 0.05),
        lasts_s: 180.0,
        in_flight: true,
        p90_max_s: 45.0,
        missed_max: 0.0,
    },
    Row {
        name: "5 % fail, 10/s",
        rates: (10.0, 10.1),
        incident: |p, a, b| p.fails(a, b, 0.05),
        lasts_s: 180.0,
        in_flight: true,
        p90_max_s: 45.0,
        missed_max: 0.0,
    },
    Row {
        name: "20 % hang, 5-50/s",
        rates: (5.0, 50.0),
        incident: |p, a, b| p.hangs(a, b, 0.2),
        lasts_s: 180.0,
        in_flight: true,
        p90_max_s: 30.0,
        missed_max: 0.0,
    },
    Row {
        name: "all fail in 2 ms, 0.5-50/s",
        rates: (0.5, 50.0),
        incident: |p, a, b| {
            p.trouble(move |call, _| {
                if (a..b).contains(&call.start) {
                    call.ms = 2.0;
                    call.out = "failed"
                }
            })
        },
        lasts_s: 120.0,
        in_flight: true,
        p90_max_s: 25.0,
        missed_max: 0.0,
    },
];

#[test]
#[ignore = "long: tests/soak/detection"]
fn the_table() {
    let trials = std::env::var("TRIALS").ok().and_then(|t| t.parse().ok()).unwrap_or(60);
    let only = std::env::var("ONLY").unwrap_or_default();
    println!(
        "{:<28} {:>6} {:>6} {:>6} {:>7} {:>6} {:>5}",
        "incident", "p50 s", "p90 s", "max s", "missed", "limit", "early"
    );
    for row in ROWS.iter().filter(|row| row.name.contains(&only)) {
        let reached = row.run(trials, 7, "");
        println!(
            "{:<28} {:>6.1} {:>6.1} {:>6.1} {:>6.1}% {:>6.1} {:>5} {:?}",
            row.name,
            reached.quantile(0.5),
            reached.quantile(0.9),
            reached.delays.iter().copied().fold(0.0, f64::max),
            reached.missed() * 100.0,
            row.p90_max_s,
            reached.early,
            (reached.kinds, reached.earlies),
        );
    }
}

#[test]
#[ignore = "long: tests/soak/detection"]
fn false_alarms() {
    let days = std::env::var("TRIALS").ok().and_then(|t| t.parse().ok()).unwrap_or(20);
    let only = std::env::var("ONLY").unwrap_or_default();
    for row in calm::ROWS.iter().filter(|row| row.name.contains(&only)) {
        let wrong = calm::run(row, days, (0.5, 8.0), 11);
        println!(
            "{:<28} {:>6.2} a day, limit {:.2} {wrong:?}",
            row.name,
            wrong.len() as f64 / days as f64,
            row.per_day_max
        );
    }
}
