//! The detector against a simulated company: what `docs/detection.md` promises.

#![allow(clippy::unwrap_used)] // every file here is a test

mod calm;
mod random;
mod situations;
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

/// Trials of each row; many of them with `tests/soak/detection`.
fn trials(otherwise: usize) -> usize {
    std::env::var("TRIALS").ok().and_then(|trials| trials.parse().ok()).unwrap_or(otherwise)
}

/// Rows by a part of their name.
fn is_chosen(name: &str) -> bool {
    std::env::var("ONLY").map_or(true, |only| name.contains(&only))
}

#[test]
fn incidents_are_told_in_time() {
    let trials = trials(4);
    let mut wrong = Vec::new();
    println!(
        "{:<28} {:>7} {:>7} {:>7} {:>8} {:>7} {:>6}",
        "incident", "p50 s", "p90 s", "max s", "missed", "limit", "early"
    );
    for row in ROWS.iter().filter(|row| is_chosen(row.name)) {
        let reached = row.run(trials, 7, "");
        let longest = reached.delays.iter().copied().fold(0.0, f64::max);
        let line = format!(
            "{:<28} {:>7.1} {:>7.1} {longest:>7.1} {:>6.1} % {:>7.1} {:>6} {:?}",
            row.name,
            reached.quantile(0.5),
            reached.quantile(0.9),
            reached.missed() * 100.0,
            row.p90_max_s,
            reached.early.len(),
            reached.kinds,
        );
        println!("{line}");
        if reached.quantile(0.9) > row.p90_max_s || reached.missed() > row.missed_max {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn each_situation_has_its_answer() {
    let trials = trials(1);
    let mut wrong = Vec::new();
    for situation in situations::ALL.iter().filter(|situation| is_chosen(situation.name)) {
        let found = situations::run(situation, trials, 5);
        let line = format!("{:<66} {} of {trials} wrong {:?}", situation.name, found.len(), found.first());
        println!("{line}");
        if found.len() as f64 > situation.wrong_max * trials as f64 {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
#[ignore = "many days: tests/soak/detection"]
fn days_without_incident_are_quiet() {
    let days = trials(20);
    let mut wrong = Vec::new();
    for row in calm::ROWS.iter().filter(|row| is_chosen(row.name)) {
        let told = calm::run(row, days, (0.5, 8.0), 11);
        let per_day = told.len() as f64 / days as f64;
        let line = format!("{:<28} {per_day:>6.3} a day, limit {:.2} {told:?}", row.name, row.per_day_max);
        println!("{line}");
        if per_day > row.per_day_max {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
