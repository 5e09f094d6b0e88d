//! Destinations that fail in ways that no healthy program does; the daemon is the real one.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use prost::Message;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::receiver::{Receiver, Reply, one_byte_a_second};
use spanmill_tests::spans::{call, request, text, trace_id, with};
use spanmill_tests::sums::sums_hold;
use spanmill_tests::wait::{self, PATIENCE};

/// Sends a request of five spans, each with `label` as an attribute.
fn send(daemon: &Daemon, label: &str) -> Vec<u8> {
    let id = trace_id();
    let spans = (0..5).map(|n| {
        let span = call(&id, n, "api.acme-bank.example", Duration::from_millis(9));
        with(span, text("label", label))
    });
    daemon.send(request(spans.collect()).encode_to_vec());
    id
}

fn is_poison(span: &opentelemetry_proto::tonic::trace::v1::Span) -> bool {
    span.attributes.iter().any(|attribute| {
        let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
        format!("{value:?}").contains("poison")
    })
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn nothing_is_lost_but_the_poison_through_resets_delays_refusals_and_a_kill() {
    let mut count = 0;
    let receiver = Receiver::start(move |spans| {
        if spans.iter().any(is_poison) {
            return Reply::Refuse(400);
        }
        count += 1;
        match count % 7 {
            2 => Reply::TakeAndReset,
            4 => Reply::Refuse(503),
            6 if count < 10 => Reply::Later(1),
            _ => Reply::Take,
        }
    });
    let mut daemon = Daemon::builder().with(&receiver.destination("faulty")).start();
    let mut sent = BTreeSet::new();
    for round in 0..3 {
        for n in 0..40 {
            if round == 1 && n == 20 {
                send(&daemon, "poison 4111 1111 1111 1111");
            } else {
                sent.insert(send(&daemon, "fine"));
            }
        }
        if round < 2 {
            let some = |stats: &serde_json::Value| stats["destinations"]["faulty"]["forwarded"] != 0;
            sums_hold(&daemon, some);
            daemon.kill_9_and_restart();
        }
    }
    let stats = sums_hold(&daemon, |stats| stats["destinations"]["faulty"]["queued"] == 0);
    let missing = |taken: BTreeSet<Vec<u8>>| sent.difference(&taken).count();
    assert_eq!(missing(receiver.taken().into_iter().map(|span| span.trace_id).collect()), 0, "{stats}");
    assert!(!receiver.taken().iter().any(is_poison));

    let folder = daemon.data_dir().join("poison/faulty");
    let files: Vec<_> = fs::read_dir(&folder)
        .expect("what was refused is kept")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pb"))
        .collect();
    assert!(!files.is_empty(), "{folder:?}");
    for file in files {
        let bytes = fs::read(&file).expect("the file can be read");
        let has = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(has(b"poison") && !has(b"4111 1111 1111 1111"), "{file:?} holds the poison, masked");
    }
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn destinations_that_take_one_byte_a_second_or_never_answer_hold_up_nobody() {
    let (good, silent) = (Receiver::start(|_| Reply::Take), Receiver::start(|_| Reply::Hang));
    let slow = one_byte_a_second();
    let toml = format!(
        "{}{}[forward.slow]\nendpoint = \"http://{slow}\"\nprotocol = \"http\"\n",
        good.destination("good"),
        silent.destination("silent")
    );
    let mut daemon = Daemon::builder().with(&toml).start();
    for _ in 0..100 {
        send(&daemon, "fine");
    }
    let stats = sums_hold(&daemon, |stats| stats["destinations"]["good"]["forwarded"] == 500);
    for name in ["slow", "silent"] {
        let destination = &stats["destinations"][name];
        assert_eq!((&destination["queued"], &destination["forwarded"]), (&500.into(), &0.into()), "{stats}");
    }
    assert_eq!(good.taken().len(), 500);
    // And the end does not wait for them: `terminate` allows ten seconds.
    assert_eq!(daemon.terminate().code(), Some(0), "{}", daemon.log());
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_destination_that_is_taken_out_and_put_back_is_told_of_and_goes_on() {
    let receiver = Receiver::start(|_| Reply::Take);
    let down = "[forward.here]\nendpoint = \"http://127.0.0.1:9\"\n";
    let mut daemon = Daemon::builder().with(down).start();
    send(&daemon, "before");
    daemon.reconfigure(|toml| toml.replace(down, ""));
    assert!(daemon.log().contains("there is no [forward.here] any more: 5 spans"), "{}", daemon.log());
    send(&daemon, "meanwhile");
    daemon.reconfigure(|toml| toml + &receiver.destination("here"));
    wait::until("both arrive, as the journal still has them", PATIENCE, || {
        let taken = receiver.taken().len();
        if taken >= 10 { Ok(()) } else { Err(taken) }
    });
    let stats = sums_hold(&daemon, |stats| stats["destinations"]["here"]["queued"] == 0);
    assert_eq!(stats["destinations"]["here"]["recovered"], 10, "{stats}");
}
