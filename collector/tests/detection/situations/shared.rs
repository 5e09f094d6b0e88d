//! Whose fault it is: theirs, ours, or that of one part.

use super::{FROM, Situation, TO, bank, firing, nothing_wide, scoped};
use crate::random::Random;
use crate::world::Provider;

pub const ALL: &[Situation] = &[
    Situation {
        name: "one host of twenty hangs",
        build: |world, random| {
            world.add(bank(random).trouble(trouble!(|c| c.host == 7, |c, _| c.hang(45.0))));
        },
        judge: nothing_wide,
        wrong_max: 0.0,
    },
    Situation {
        name: "one host of twenty fails",
        build: |world, random| {
            world.add(bank(random).trouble(trouble!(|c| c.host == 7, |c, _| c.out = "failed")));
        },
        judge: nothing_wide,
        wrong_max: 0.0,
    },
    Situation {
        name: "one host of twenty is told of",
        build: |world, random| {
            world.add(
                Provider::new("bank", 20.0, 200.0, 0.5)
                    .trouble(trouble!(|c| c.host == 7, |c, _| c.out = "failed")),
            );
            random.next();
        },
        judge: |told| scoped(told, "host:h7"),
        wrong_max: 0.02,
    },
    Situation {
        name: "one host of twenty, ten times as slow",
        build: |world, random| {
            world.add(bank(random).trouble(trouble!(|c| c.host == 7, |c, _| c.ms *= 10.0)));
        },
        judge: nothing_wide,
        wrong_max: 0.0,
    },
    Situation {
        name: "our egress, twelve providers",
        build: |world, random| {
            for at in 0..12 {
                let mut one = bank(random).hangs(FROM, TO, 1.0);
                one.name = format!("bank-{at}");
                world.add(one);
            }
            world.until = TO + 900.0;
        },
        judge: |told| {
            let all: Vec<String> =
                firing(told).map(|l| format!("{:.0} {} {}", l.t - FROM, l.provider, l.scope)).collect();
            let one = all.len() == 1 && all[0].ends_with("* our_side");
            let resolved = told.iter().any(|l| l.provider == "*" && l.state == "resolved");
            (!one || !resolved).then(|| format!("{all:?}"))
        },
        wrong_max: 0.0,
    },
    Situation {
        name: "our egress, twelve providers from 0.5 to 50 a second, refused",
        build: |world, random| {
            for at in 0..12 {
                let rate = random.log_between(0.5, 50.0);
                let mut one = Provider::new(format!("bank-{at}"), rate, random.log_between(60.0, 900.0), 0.5);
                one.in_flight = at % 2 == 0;
                world.add(one.trouble(trouble!(|_| true, |c, _| {
                    c.ms = 3.0;
                    c.out = "connect";
                })));
            }
            world.until = TO + 900.0;
        },
        judge: |told| {
            let all: Vec<String> =
                firing(told).map(|l| format!("{:.0} {} {}", l.t - FROM, l.provider, l.scope)).collect();
            (!(all.len() == 1 && all[0].ends_with("* our_side"))).then(|| format!("{all:?}"))
        },
        wrong_max: 0.0,
    },
    Situation {
        name: "two of twelve fail",
        build: |world, random| {
            for at in 0..12 {
                let mut one = bank(random);
                one.name = format!("bank-{at}");
                world.add(if at < 2 { one.fails(FROM, TO, 0.9) } else { one });
            }
        },
        judge: |told| {
            let mut all: Vec<&str> = firing(told).map(|line| &*line.provider).collect();
            all.sort_unstable();
            (all != ["bank-0", "bank-1"]).then(|| format!("{all:?}"))
        },
        wrong_max: 0.0,
    },
    Situation {
        name: "the deploy of one service of four makes 4xx",
        build: |world, random| {
            let some = random.between(0.3, 1.0);
            world.add(bank(random).with(|bank| bank.services = 4).trouble(move |call, random| {
                if call.start > FROM && call.service == 2 && random.chance(some) {
                    call.out = "client_fault";
                }
            }));
        },
        judge: nothing_wide,
        wrong_max: 0.0,
    },
    Situation {
        name: "one service of four, four times as slow",
        build: |world, random| {
            world.add(
                bank(random)
                    .with(|bank| bank.services = 4)
                    .trouble(trouble!(|c| c.service == 1, |c, _| c.ms *= 4.0)),
            );
        },
        judge: |told| scoped(told, "service:svc1"),
        wrong_max: 0.05,
    },
    Situation {
        name: "one service of two, four times as slow",
        build: |world, random| {
            world.add(
                bank(random)
                    .with(|bank| bank.services = 2)
                    .trouble(trouble!(|c| c.service == 1, |c, _| c.ms *= 4.0)),
            );
        },
        judge: |told| scoped(told, "service:svc1"),
        wrong_max: 0.05,
    },
    Situation {
        name: "one operation of three, three times as slow",
        build: |world, random| {
            world.add(
                bank(random)
                    .with(|bank| {
                        bank.operations = vec![1.0, 1.0, 1.0];
                        bank.services = 3;
                    })
                    .trouble(trouble!(|c| c.operation == 1, |c, _| c.ms *= 3.0)),
            );
        },
        judge: |told| scoped(told, "operation:op1"),
        wrong_max: 0.05,
    },
    Situation {
        name: "one operation of four hangs",
        build: |world, random| {
            world.add(
                bank(random)
                    .with(|bank| bank.operations = vec![3.0, 1.0, 1.0, 1.0])
                    .trouble(trouble!(|c| c.operation == 2, |c, _| c.hang(45.0))),
            );
        },
        judge: |told| scoped(told, "operation:op2"),
        wrong_max: 0.05,
    },
    Situation {
        name: "one endpoint of three, five times as slow",
        build: |world, random| {
            world.add(
                bank(random)
                    .with(|bank| bank.endpoints = 3)
                    .trouble(trouble!(|c| c.endpoint == 0, |c, _| c.ms *= 5.0)),
            );
        },
        judge: |told| scoped(told, "endpoint:10.0.0.0:443"),
        wrong_max: 0.05,
    },
    Situation {
        name: "one endpoint of three fails",
        build: |world, random| {
            world.add(
                bank(random)
                    .with(|bank| bank.endpoints = 3)
                    .trouble(trouble!(|c| c.endpoint == 0, |c, _| c.out = "failed")),
            );
        },
        judge: |told| scoped(told, "endpoint:10.0.0.0:443"),
        wrong_max: 0.05,
    },
];
