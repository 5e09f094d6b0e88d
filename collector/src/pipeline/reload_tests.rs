//! A thousand reloads while batches come in.

use std::path::Path as FilePath;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::command::load::payload;
use crate::demo::Random;
use crate::outcome::Transport;

const NOW: u64 = 1_800_000_000_000_000_000;

fn path(dir: &tempfile::TempDir, clock: &Clock) -> Path {
    let outcomes = Arc::<Outcomes>::default();
    let config = read(4, dir.path(), FIRST).unwrap();
    let own = journal::Config {
        dir: dir.path().to_owned(),
        segment_size: 1 << 20,
        max_size: 1 << 30,
        max_age: Duration::from_secs(60),
        durability: journal::Durability::Process,
        overflow: journal::Overflow::Reject,
    };
    let journal = journal::start(own, clock.clone(), Arc::clone(&outcomes)).unwrap();
    let rollup = rollup::start(config.rollup, &journal, clock.clone(), None);
    let (masking, standings) =
        (Masking::new(config.mask, Arc::clone(&outcomes)), watch::channel(Arc::default()).1);
    Path { masking, journal, rollup, standings, outcomes }
}

fn changing(path: &Path) -> Changing {
    Changing {
        masking: path.masking.clone(),
        rollup: path.rollup.clone(),
        cards: verdicts::Cards::default(),
        detector: detect::Settings::default(),
    }
}

fn batch(seed: u64) -> ReceivedBatch {
    let body = payload::request(&mut Random::new(seed), 10, NOW).into();
    ReceivedBatch { body, transport: Transport::Grpc, received_unix_ns: NOW, hops: 0, origin: None }
}

/// One span of `api.bank.example` whose attribute `order` has a text that only the second file masks.
fn order() -> ReceivedBatch {
    of_json(
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00112233445566778899aabbccddeeff",
        "spanId":"0011223344556677","name":"pay","kind":3,"startTimeUnixNano":"1799999999000000000",
        "endTimeUnixNano":"1800000000000000000","attributes":[
        {"key":"server.address","value":{"stringValue":"api.bank.example"}},
        {"key":"order","value":{"stringValue":"ORDER-77"}}]}]}]}]}"#,
    )
}

fn of_json(json: &str) -> ReceivedBatch {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    let request: ExportTraceServiceRequest = serde_json::from_str(json).unwrap();
    let body = prost::Message::encode_to_vec(&request).into();
    ReceivedBatch { body, transport: Transport::Http, received_unix_ns: NOW, hops: 0, origin: None }
}

const FIRST: &str = "[[provider]]\nname = \"bank\"\nhosts = [\"*.bank.example\"]\n";
const SECOND: &str = "[[provider]]\nname = \"house-bank\"\nhosts = [\"*.bank.example\"]\n\
    aliases = [\"house\"]\nowner = \"treasury\"\nmute = true\n\
    [[mask.rule]]\nname = \"order\"\npattern = \"ORDER-[0-9]+\"\n";
const BAD: [&str; 4] = [
    "[[provider]]\nname = \"Big Bank\"\n",
    "[[provider]]\nname = \"other\"\nhosts = [\"*.bank.example\"]\n[[mask.rule]]\nname = \"x\"\npattern = \"(\"\n",
    "[[provider]]\nname = \"other\"\nhosts = [\"*.bank.example\"]\n[journal]\nmax_size = \"1MiB\"\n",
    "[[provider\n",
];

/// Reads `good` for every fifth number, and the bad ones in between.
fn read(number: usize, dir: &FilePath, good: &str) -> Result<Config, config::Error> {
    let text = BAD.get(number % 5).copied().unwrap_or(good);
    Config::from_text(FilePath::new("spanmill.toml"), text, dir.to_owned())
}

#[tokio::test]
async fn a_thousand_bad_reloads_under_load_change_nothing_and_drop_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::manual(NOW);
    let path = path(&dir, &clock);
    let rollup = path.rollup.clone();
    let turn = Arc::new(AtomicUsize::new(0));
    let (again, own_dir) = (Arc::clone(&turn), dir.path().to_owned());
    let good = Arc::new(std::sync::Mutex::new(FIRST));
    let text = Arc::clone(&good);
    let changing = changing(&path);
    let cards = changing.cards.clone();
    let reload =
        reloading(changing, move || read(again.load(Ordering::Relaxed), &own_dir, *text.lock().unwrap()));

    let load = async {
        for seed in 0..200 {
            path.accept(batch(seed)).await.unwrap();
            path.accept(order()).await.unwrap();
        }
    };
    let reloads = async {
        for number in 0..1000 {
            turn.store(number % 4, Ordering::Relaxed);
            let error = reload.now().unwrap_err();
            assert!(error.starts_with("spanmill.toml:"), "{error}");
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(load, reloads);
    assert_eq!(path.outcomes.received_total(), 200 * 11);
    assert_eq!(last_order(&path), "ORDER-77");
    assert!(cards.of("other").is_none() && cards.of("house-bank").is_none());
    wait_until(|| count(&rollup, "bank") == 200).await;

    // A good one holds from the next batch on.
    *good.lock().unwrap() = SECOND;
    turn.store(4, Ordering::Relaxed);
    reload.now().unwrap();
    let card = cards.of("house-bank").expect("it is known to people, too");
    assert_eq!(
        (card.owner.as_deref(), card.mute, &card.aliases[..]),
        (Some("treasury"), true, &["house".to_owned()][..])
    );
    let elsewhere = cards.of("house-bank@staging").expect("it is of the same people");
    assert!(elsewhere.owner.is_some() && elsewhere.aliases.is_empty(), "a board has one place for each name");
    path.accept(order()).await.unwrap();
    assert_ne!(last_order(&path), "ORDER-77");
    wait_until(|| count(&rollup, "house-bank") == 1).await;
    assert_eq!(count(&rollup, "bank"), 200, "what was counted stays where it is");
    rollup.stop().await;
    path.journal.close().await;
}

fn count(rollup: &Rollup, name: &str) -> u64 {
    let board = rollup.window(Duration::from_secs(60));
    board.providers.iter().find(|figures| figures.name == name).map_or(0, |figures| figures.count)
}

/// The value of `order` in the newest record that has one.
fn last_order(path: &Path) -> String {
    let mut records = Vec::new();
    let mut reader = path.journal.reader(path.journal.first());
    while reader.position() < *path.journal.end().borrow() {
        reader.read(1 << 20, &mut records).unwrap();
    }
    let texts = records.iter().rev().map(|record| String::from_utf8_lossy(record.batch.bytes()).into_owned());
    let with_order = texts.map(|text| text.split("order\u{12}").nth(1).map(str::to_owned));
    let value = with_order.flatten().next().expect("an order was sent");
    // Length of the AnyValue, its tag, length of the text.
    value[3..].to_owned()
}

async fn wait_until(mut holds: impl FnMut() -> bool) {
    let patience = tokio::time::timeout(Duration::from_secs(20), async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    });
    patience.await.expect("the roll-up follows");
}

#[tokio::test]
async fn a_notice_that_a_call_has_begun_is_in_flight_and_not_in_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = path(&dir, &Clock::manual(NOW));
    let notice = r#"{"traceId":"00112233445566778899aabbccddeeff","spanId":"0000000000000001",
        "parentSpanId":"0011223344556677","name":"pay","kind":3,"startTimeUnixNano":"1799999990000000000",
        "endTimeUnixNano":"1799999990000000000","attributes":[
        {"key":"server.address","value":{"stringValue":"api.bank.example"}},
        {"key":"card","value":{"stringValue":"4111111111111111"}},
        {"key":"logfire.span_type","value":{"stringValue":"pending_span"}}]}"#;
    let request =
        |spans: &str| of_json(&format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#));
    let accepted = path.accept(request(notice)).await.unwrap();
    assert_eq!((accepted.rejected_spans, path.journal.spans()), (0, 0));
    let server =
        r#"{"traceId":"00112233445566778899aabbccddeeff","spanId":"0000000000000002","name":"in","kind":2}"#;
    path.accept(request(&format!("{notice},{server}"))).await.unwrap();
    assert_eq!(
        (path.journal.spans(), path.outcomes.received_total(), path.rollup.stats().notices),
        (1, 1, 2)
    );
    let open = path.rollup.observed().open.expect("somebody tells of calls in flight");
    assert_eq!((open.len(), open[0].span_id), (1, 0x0011_2233_4455_6677));

    path.accept(order()).await.unwrap();
    wait_until(|| count(&path.rollup, "bank") == 1).await;
    assert_eq!(path.rollup.observed().open.map(|open| open.len()), Some(0), "its span has come");
    path.journal.close().await;
}
