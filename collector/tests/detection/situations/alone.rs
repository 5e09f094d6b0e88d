//! One provider and all who call it.

use super::{FROM, Situation, TO, bank, firing, first, nothing};
use crate::random::Random;
use crate::world::Provider;

pub const ALL: &[Situation] = &[
    Situation {
        name: "flapping, ten times",
        build: |world, random| {
            world.until = FROM + 10.0 * 900.0;
            world.add(bank(random).trouble(|call, _| {
                let (incident, since) = ((call.start - FROM) / 900.0, (call.start - FROM) % 900.0);
                if incident >= 0.0 && since < 200.0 && since % 40.0 < 20.0 {
                    call.out = "failed";
                }
            }));
        },
        judge: |told| {
            let count = firing(told).count();
            (!(10..=11).contains(&count)).then(|| format!("{count} alarms"))
        },
        wrong_max: 0.0,
    },
    Situation {
        name: "flapping hang, ten times",
        build: |world, random| {
            world.until = FROM + 10.0 * 900.0;
            world.add(bank(random).trouble(|call, _| {
                let (incident, since) = ((call.start - FROM) / 900.0, (call.start - FROM) % 900.0);
                if incident >= 0.0 && since < 200.0 && since % 40.0 < 20.0 {
                    call.hang(45.0);
                }
            }));
        },
        judge: |told| {
            let count = firing(told).count();
            (!(10..=11).contains(&count)).then(|| format!("{count} alarms"))
        },
        wrong_max: 0.0,
    },
    Situation {
        name: "1.4 times as slow for half an hour",
        build: |world, random| {
            world.until = FROM + 1800.0;
            world.add(bank(random).slows(FROM, FROM + 1800.0, 1.4));
        },
        judge: nothing,
        wrong_max: 0.05,
    },
    Situation {
        name: "a pool of workers fills",
        build: |world, random| {
            let workers = 4 + random.below(20);
            let think_s = random.between(0.3, 3.0);
            world.add(
                bank(random)
                    .rate(1.0 / think_s, move |_| 1.0 / think_s)
                    .with(|bank| bank.pool = Some(workers))
                    .hangs(FROM, TO, 1.0),
            );
        },
        judge: |told| first(told, 20.0, &["hang"], "everyone"),
        wrong_max: 0.05,
    },
    Situation {
        name: "restarts",
        build: |world, random| {
            world.restarts = (0..20).map(|at| FROM + f64::from(at) * 37.3).collect();
            world.until = FROM + 1200.0;
            world.add(bank(random));
            let rate = random.log_between(0.5, 5.0);
            world.add(Provider::new("slow-bank", rate, 25_000.0, 0.3).with(|p| p.timeout_s = 120.0));
        },
        judge: nothing,
        wrong_max: 0.0,
    },
    Situation {
        name: "spans come 5 to 25 s late",
        build: |world, random| {
            world.until = FROM + 3600.0;
            world.add(bank(random).with(|bank| {
                bank.batch_s = Some((5.0, 25.0));
                bank.in_flight = false;
            }));
            world.add(bank(random).with(|bank| {
                bank.name = "other".to_owned();
                bank.batch_s = Some((5.0, 25.0));
            }));
        },
        judge: nothing,
        wrong_max: 0.02,
    },
    Situation {
        name: "spans come 5 to 25 s late, and half fail",
        build: |world, random| {
            world.add(
                bank(random)
                    .with(|bank| {
                        bank.batch_s = Some((5.0, 25.0));
                        bank.in_flight = random.chance(0.5);
                    })
                    .fails(FROM, TO, 0.5),
            );
        },
        judge: |told| first(told, 40.0, &["errors"], "everyone"),
        wrong_max: 0.02,
    },
    Situation {
        name: "spans come 5 to 25 s late, and three times as slow",
        build: |world, random| {
            world.add(
                bank(random)
                    .with(|bank| {
                        bank.batch_s = Some((5.0, 25.0));
                        bank.in_flight = random.chance(0.5);
                    })
                    .slows(FROM, TO, 3.0),
            );
        },
        judge: |told| first(told, 50.0, &["latency", "hang"], "everyone"),
        wrong_max: 0.02,
    },
    Situation {
        name: "wrong clocks",
        build: |world, random| {
            world.until = FROM + 1800.0;
            world.add(bank(random).with(|bank| {
                bank.clocks =
                    (0..20).map(|at| if at % 4 == 0 { random.between(-600.0, 600.0) } else { 0.0 }).collect();
            }));
            world.add(bank(random).with(|bank| {
                bank.name = "other".to_owned();
                bank.clocks = (0..20).map(|_| random.between(-20.0, 20.0)).collect();
            }));
        },
        judge: nothing,
        wrong_max: 0.0,
    },
    Situation {
        name: "wrong clocks, and a hang",
        build: |world, random| {
            world.add(
                bank(random)
                    .with(|bank| {
                        bank.clocks = (0..20)
                            .map(|at| if at % 4 == 0 { random.between(-600.0, 600.0) } else { 0.0 })
                            .collect();
                    })
                    .hangs(FROM, TO, 1.0),
            );
        },
        judge: |told| first(told, 20.0, &["hang", "latency"], "everyone"),
        wrong_max: 0.02,
    },
    Situation {
        name: "approvals drop",
        build: |world, random| {
            world.until = FROM + 1800.0;
            world.add(bank(random).with(|bank| bank.declines = 0.08).trouble(|call, random| {
                if call.start >= FROM && random.chance(0.4) {
                    call.out = "declined";
                }
            }));
        },
        judge: |told| first(told, 900.0, &["declining"], "everyone"),
        wrong_max: 0.0,
    },
    Situation {
        name: "a retry storm",
        build: |world, random| {
            let rate = random.log_between(5.0, 20.0);
            world.until = TO + 600.0;
            world.add(
                bank(random)
                    .rate(4.0 * rate, move |t| if (FROM..TO).contains(&t) { 4.0 * rate } else { rate })
                    .fails(FROM, TO, 0.7),
            );
        },
        judge: |told| {
            first(told, 15.0, &["errors"], "everyone")
                .or_else(|| (firing(told).count() != 1).then(|| "told more than once".to_owned()))
        },
        wrong_max: 0.02,
    },
    Situation {
        name: "they refuse all of us",
        build: |world, random| {
            world.add(bank(random).with(|bank| bank.services = 4).trouble(trouble!(|_| true, |c, r| {
                if r.chance(0.9) {
                    c.out = "client_fault";
                }
            })));
        },
        judge: |told| first(told, 20.0, &["errors"], "everyone"),
        wrong_max: 0.0,
    },
    Situation {
        name: "two modes, three times as slow",
        build: |world, random| {
            let share = random.between(0.02, 0.4);
            world.add(bank(random).slows(FROM, TO, 3.0).latency(move |_, random| {
                let median_ms = if random.chance(share) { 2500.0 } else { 150.0 };
                random.log_normal(median_ms, 0.3)
            }));
        },
        judge: |told| first(told, 60.0, &["latency", "hang"], "everyone"),
        wrong_max: 0.05,
    },
    Situation {
        name: "a shift of the mix",
        build: |world, random| {
            world.until = FROM + 1800.0;
            let rate = random.log_between(5.0, 20.0);
            world.add(
                bank(random)
                    .with(|bank| bank.operations = vec![10.0, 1.0])
                    .latency(|call, random| {
                        random.log_normal(if call.operation == 1 { 2500.0 } else { 200.0 }, 0.4)
                    })
                    .rate(4.0 * rate, move |t| if t > FROM { 4.0 * rate } else { rate })
                    .trouble(|call, random| {
                        if call.start > FROM && call.operation == 0 && random.chance(0.8) {
                            call.operation = 1;
                            call.ms = random.log_normal(2500.0, 0.4);
                        }
                    }),
            );
        },
        judge: nothing,
        wrong_max: 0.02,
    },
    Situation {
        name: "a batch of an operation that was never seen",
        build: |world, random| {
            world.until = FROM + 1800.0;
            world.add(bank(random).with(|bank| bank.operations = vec![1.0, 1e-12]).trouble(
                |call, random| {
                    if call.start > FROM && random.chance(0.7) {
                        call.operation = 1;
                        call.ms = random.log_normal(2000.0, 0.4);
                    }
                },
            ));
        },
        judge: nothing,
        wrong_max: 0.02,
    },
    Situation {
        name: "a ramp to four times over 120 s",
        build: |world, random| {
            world.add(bank(random).trouble(|call, _| {
                if (FROM..TO).contains(&call.start) {
                    call.ms *= 1.0 + 3.0 * ((call.start - FROM) / 120.0).min(1.0);
                }
            }));
        },
        judge: |told| first(told, 120.0, &["latency"], "everyone"),
        wrong_max: 0.02,
    },
    Situation {
        name: "latency capped at the client's timeout",
        build: |world, random| {
            world.add(
                Provider::new("bank", random.log_between(5.0, 30.0), 400.0, 0.4)
                    .with(|bank| bank.timeout_s = 1.5)
                    .slows(FROM, TO, 6.0),
            );
        },
        judge: |told| first(told, 20.0, &["latency", "hang", "errors"], "everyone"),
        wrong_max: 0.02,
    },
    Situation {
        name: "one call a minute, hanging",
        build: |world, random| {
            world.until = 4.0 * 3600.0 + 1200.0;
            world.add(
                Provider::new("bank", 1.0 / 60.0, 300.0, 0.5)
                    .with(|bank| bank.in_flight = random.chance(0.5))
                    .hangs(4.0 * 3600.0, 5.0 * 3600.0, 1.0),
            );
        },
        judge: |told| {
            first(told, 12_000.0 + 900.0, &["hang", "errors", "latency"], "everyone")
                .or_else(|| firing(told).any(|line| line.t < 4.0 * 3600.0).then(|| "too early".to_owned()))
        },
        wrong_max: 0.1,
    },
    Situation {
        name: "one call a minute, failing",
        build: |world, _| {
            world.until = 4.0 * 3600.0 + 1200.0;
            world.add(Provider::new("bank", 1.0 / 60.0, 300.0, 0.5).fails(4.0 * 3600.0, 5.0 * 3600.0, 1.0));
        },
        judge: |told| {
            first(told, 12_000.0 + 900.0, &["errors"], "everyone")
                .or_else(|| firing(told).any(|line| line.t < 4.0 * 3600.0).then(|| "too early".to_owned()))
        },
        wrong_max: 0.1,
    },
    Situation {
        name: "20 % fail by nature, now 70 %",
        build: |world, random| {
            world.add(bank(random).with(|bank| bank.failures = 0.2).fails(FROM, TO, 0.63));
        },
        judge: |told| first(told, 30.0, &["errors"], "everyone"),
        wrong_max: 0.02,
    },
    Situation {
        name: "2 ms, hanging",
        build: |world, random| {
            let rate = random.log_between(5.0, 50.0);
            world.add(Provider::new("bank", rate, 2.0, 0.4).hangs(FROM, TO, 1.0));
        },
        judge: |told| first(told, 15.0, &["hang"], "everyone"),
        wrong_max: 0.02,
    },
    Situation {
        name: "2 ms, three times as slow",
        build: |world, random| {
            let rate = random.log_between(5.0, 50.0);
            world.add(Provider::new("bank", rate, 2.0, 0.4).slows(FROM, TO, 3.0));
        },
        judge: |told| first(told, 20.0, &["latency"], "everyone"),
        wrong_max: 0.02,
    },
    Situation {
        name: "25 s, nothing",
        build: |world, random| {
            world.until = FROM + 3600.0;
            let rate = random.log_between(0.5, 20.0);
            world.add(Provider::new("bank", rate, 25_000.0, 0.3).with(|bank| bank.timeout_s = 120.0));
        },
        judge: nothing,
        wrong_max: 0.02,
    },
    Situation {
        name: "25 s, hanging",
        build: |world, random| {
            let rate = random.log_between(1.0, 20.0);
            world.add(
                Provider::new("bank", rate, 25_000.0, 0.3)
                    .with(|bank| bank.timeout_s = 120.0)
                    .hangs(FROM, TO, 1.0),
            );
        },
        judge: |told| first(told, 75.0, &["latency", "hang"], "everyone"),
        wrong_max: 0.05,
    },
    Situation {
        name: "20 % hang for a while, and all is well after",
        build: |world, random| {
            world.until = TO + 900.0;
            world.add(bank(random).hangs(FROM, TO, 0.2));
        },
        judge: |told| {
            let resolved = told.iter().find(|line| line.state == "resolved").map(|line| line.t - TO);
            first(told, 60.0, &["hang", "latency"], "everyone")
                .or_else(|| (firing(told).count() != 1).then(|| "told more than once".to_owned()))
                .or_else(|| match resolved {
                    Some(after) if (20.0..200.0).contains(&after) => None,
                    other => Some(format!("resolved {other:?}")),
                })
        },
        wrong_max: 0.02,
    },
];
