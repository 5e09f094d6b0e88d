//! Agents that forward to a centre, each killed in turn: the centre counts every call once.

use std::iter;
use std::time::Duration;

use prost::Message;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::Jaeger;
use spanmill_tests::senders::{SPANS_PER_REQUEST, Senders};
use spanmill_tests::spans::{call, request, trace_id};
use spanmill_tests::sums::sums_hold;
use spanmill_tests::wait::{self, PATIENCE};

use super::kill::{calls, spans_of, wait_for_all};
use super::number;

const BETWEEN: usize = 40;

fn agent_of(centre: &Daemon) -> Daemon {
    let toml = format!("[forward.centre]\nkind = \"spanmill\"\nendpoint = \"http://{}\"\n", centre.grpc());
    Daemon::builder().with(&toml).start()
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn two_agents_and_a_centre_killed_in_turn_lose_nothing_and_count_once() {
    let Some(jaeger) = Jaeger::start() else { return };
    let mut centre = Daemon::builder().forwarding_to(jaeger.otlp()).start();
    let mut agents = [agent_of(&centre), agent_of(&centre)];
    let senders = Senders::start(agents.iter().map(Daemon::http));
    for _ in 0..number("SPANMILL_ROUNDS", 2) {
        senders.wait_for(BETWEEN);
        agents[0].kill_9_and_restart();
        senders.wait_for(BETWEEN);
        centre.kill_9_and_restart();
        senders.wait_for(BETWEEN);
        agents[1].kill_9_and_restart();
        // The centre is down for a while, and the agents judge by themselves.
        centre.kill_9();
        let before: u64 = agents.iter().map(calls).sum();
        std::thread::sleep(Duration::from_secs(number("SPANMILL_CENTRE_DOWN_S", 0) as u64));
        senders.wait_for(BETWEEN);
        wait::until("the agents judge", PATIENCE, || {
            let calls: u64 = agents.iter().map(calls).sum();
            if calls >= before + SPANS_PER_REQUEST * BETWEEN as u64 / 2 { Ok(()) } else { Err(calls) }
        });
        centre.restart();
    }
    let sent = senders.stop();
    for agent in &agents {
        let queued = |stats: &serde_json::Value| stats["destinations"]["centre"]["queued"] == 0;
        sums_hold(agent, queued);
    }
    sums_hold(&centre, |stats| stats["destinations"]["jaeger"]["queued"] == 0);
    wait_for_all(&jaeger, &sent.acknowledged);

    let of_agents: u64 = agents.iter().map(calls).sum();
    wait::until("the centre counts what the agents count", PATIENCE, || match calls(&centre) {
        count if count == of_agents => Ok(()),
        count => Err((count, of_agents)),
    });
    assert_eq!(of_agents, spans_of(&jaeger, &sent));
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_batch_that_is_sent_again_or_merged_anew_counts_once_also_after_a_restart() {
    let mut centre = Daemon::builder().start();
    let trace_id = trace_id();
    let body = |n: u64| {
        let one = call(&trace_id, n, "api.acme-bank.example", Duration::from_millis(9));
        request(vec![one]).encode_to_vec()
    };
    let send = |centre: &Daemon, range: &str, body: Vec<u8>| {
        let name = format!("000000000000000000000000000000aa/{range}");
        let headers = [("content-type", "application/x-protobuf"), ("spanmill-batch", name.as_str())];
        centre.post(&headers, body).status().as_u16()
    };
    // Out of order, twice each.
    for n in [2, 0, 1, 1, 0, 2] {
        let range = format!("{}-{}", n * 100, n * 100 + 100);
        assert_eq!(send(&centre, &range, body(n)), 200);
    }
    for _ in 0..2 {
        assert_eq!(send(&centre, "0-300", [body(0), body(1), body(2)].concat()), 200, "all of it is here");
        assert_eq!(send(&centre, "200-400", [body(2), body(3)].concat()), 409, "a part of it is here");
        centre.wait_for_calls("acme-bank.example", 3, PATIENCE);
        assert_eq!(calls(&centre), 3);
        centre.kill_9_and_restart();
    }
    assert_eq!(send(&centre, "300-400", body(3)), 200);
    centre.wait_for_calls("acme-bank.example", 4, PATIENCE);
    let stats = centre.json("/api/v1/stats");
    assert_eq!((&stats["received"], &stats["known"]), (&1.into(), &0.into()), "{stats}");
    let all: Vec<u8> = iter::once(0).chain(1..4).flat_map(body).collect();
    assert_eq!(send(&centre, "0-400", all), 200);
    assert_eq!(centre.json("/api/v1/stats")["known"], 4);
}
