//! PHP as it is run in production: php-fpm behind nginx, calls that nobody traced, a daemon that comes and goes.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;
use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::{Jaeger, attribute};
use spanmill_tests::php_shop::{Demo, Shop};
use spanmill_tests::wait::{self, PATIENCE};

const CARD: &str = "4000056655665556";
const PROVIDERS: [&str; 7] = [
    "acme-bank",
    "globex-wallet",
    "hooli-maps",
    "initech-3ds",
    "stark-antifraud",
    "umbrella-sms",
    "wayne-cards",
];

#[test]
#[ignore = "end to end: tests/run e2e"]
fn every_provider_of_an_untraced_shop_is_on_the_board_and_its_secrets_nowhere() {
    let Some(jaeger) = Jaeger::start() else { return };
    let demo = Demo::start(Some(jaeger.otlp()));
    let Some(shop) = Shop::start(&demo.providers(), &demo.socket()) else { return };
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let mut checkouts = 0;
    wait::until("each provider has calls of the shop", PATIENCE, || {
        shop.checkout(CARD, &format!("00-{trace}-b7ad6b7169203331-01"));
        checkouts += 1;
        let without = PROVIDERS.iter().filter(|name| demo.provider(name)["count"].as_u64() < Some(1));
        let without: Vec<_> = without.collect();
        if without.is_empty() { Ok(()) } else { Err(format!("none of {without:?}")) }
    });
    let spans = wait::until("each checkout has arrived", PATIENCE, || {
        let spans = jaeger.spans(trace);
        let roots = spans.iter().filter(|span| span["name"] == "POST /checkout").count();
        if roots == checkouts { Ok(spans) } else { Err((roots, checkouts, spans)) }
    });
    // The root, six providers and one more bank where the first declined, for each checkout.
    assert!(spans.len() >= 7 * checkouts, "{spans:?}");
    assert!(spans.iter().all(|span| span["service"] == "php-shop"), "{spans:?}");
    let urls: Vec<_> = spans.iter().filter_map(|span| attribute(span, "url.full")).collect();
    assert!(urls.iter().any(|url| url.ends_with("/authorize")), "{urls:?}");
    let message = urls.iter().find(|url| url.contains("/send?")).expect("the SMS goes by a stream");
    assert!(message.contains("400005******5556"), "{message}");
    assert!(!jaeger.trace(trace).expect("it was there").contains(CARD));
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn the_shop_goes_on_while_the_daemon_is_killed_and_is_seen_again_when_it_is_back() {
    let demo = Demo::start(None);
    let addresses = fs::read(demo.providers()).expect("the demo has written it");
    let addresses: serde_json::Value = serde_json::from_slice(&addresses).expect("as JSON");
    let ports = |name: &str| {
        let ports = addresses[name].as_array().into_iter().flatten().filter_map(|one| one.as_str());
        ports.filter_map(|one| one.rsplit(':').next()).collect::<Vec<_>>().join(", ")
    };
    let rule = format!(
        "[[provider]]\nname = \"stark-antifraud\"\nhosts = [\"127.0.0.1\"]\nports = [{}]\n",
        ports("stark-antifraud")
    );
    let mut daemon = Daemon::builder().with(&rule).start();
    let Some(shop) = Shop::start(&demo.providers(), &daemon.socket()) else { return };
    let ask =
        || shop.get("/ask?provider=stark-antifraud").expect("the shop answers").text().unwrap_or_default();
    assert_eq!(ask(), "{\"status\":200}\n");
    daemon.wait_for_calls("stark-antifraud", 1, PATIENCE);
    daemon.kill_9();
    for _ in 0..50 {
        assert_eq!(ask(), "{\"status\":200}\n", "a request fails without the daemon");
    }
    daemon.restart();
    wait::until("the daemon sees calls again", PATIENCE, || {
        ask();
        let count = daemon.provider("stark-antifraud").and_then(|provider| provider["count"].as_u64());
        // One call is known from the journal; workers try to connect again after at most 30 s.
        if count > Some(1) { Ok(()) } else { Err(count) }
    });
    for worker in shop.workers() {
        let tasks = fs::read_dir(format!("/proc/{worker}/task")).map(Iterator::count);
        assert_eq!(tasks.ok(), Some(1), "a worker has a second thread");
    }
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_provider_that_hangs_shows_while_the_worker_is_still_blocked_in_curl() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || drop(stream.read_to_end(&mut Vec::new())));
        }
    });
    let rule =
        format!("[[provider]]\nname = \"hung\"\nhosts = [\"127.0.0.1\"]\nports = [{}]\n", address.port());
    let daemon = Daemon::builder().with(&rule).start();
    let dir = tempfile::tempdir().expect("there is room for a folder");
    let providers = dir.path().join("providers.json");
    fs::write(&providers, json!({ "hung": [address.to_string()] }).to_string()).expect("the folder is ours");
    let Some(shop) = Shop::start(&providers, &daemon.socket()) else { return };
    let is_answered = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(shop.get("/ask?provider=hung&seconds=8").expect("the shop answers").status(), 200);
            is_answered.store(true, Ordering::SeqCst);
        });
        wait::until("the open call is seen to grow old", PATIENCE, || {
            let hung = daemon.provider("hung").unwrap_or_default();
            assert!(
                !is_answered.load(Ordering::SeqCst),
                "it was not seen while the worker was blocked: {hung}"
            );
            let is_seen = hung["in_flight"] == 1 && hung["oldest_in_flight_ms"].as_u64() > Some(1500);
            if is_seen { Ok(()) } else { Err(hung) }
        });
    });
    let hung = wait::until("the call is counted", PATIENCE, || {
        let hung = daemon.provider("hung").unwrap_or_default();
        if hung["timeout"] == 1 { Ok(hung) } else { Err(hung) }
    });
    assert!(hung["max_ms"].as_f64() >= Some(7_900.0), "{hung}");
    wait::until("it is in flight no more", PATIENCE, || {
        let hung = daemon.provider("hung").unwrap_or_default();
        if hung["in_flight"] == 0 { Ok(()) } else { Err(hung) }
    });
}
