//! The detector against a simulated company: what `docs/detection.md` promises.

#![allow(clippy::unwrap_used)] // every file here is a test

mod calm;
mod random;
mod situations;
mod table;
mod world;

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
    for row in table::ROWS.iter().filter(|row| is_chosen(row.name)) {
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
    for situation in situations::all().filter(|situation| is_chosen(situation.name)) {
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
fn soak_days_without_incident_are_quiet() {
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
