//! The PHP extension in a real PHP: what a script records is what the daemon counts, masked on the way.

use std::process::Command;

use spanmill_tests::daemon::Daemon;
use spanmill_tests::jaeger::{Jaeger, attribute};
use spanmill_tests::program;
use spanmill_tests::wait::PATIENCE;

const CARD: &str = "4111111111111111";

const SCRIPT: &str = r#"
use Spanmill\{Provider, Span, Tracer};
$request = Tracer::start('POST /checkout', [], Span::SERVER);
$call = Provider::call('sberbank', 'authorize', ['payment.note' => "card $argv[1]"]);
$call->log('response', ['body' => "<card>$argv[1]</card>"]);
$call->declined('insufficient funds');
Provider::call('sberbank', 'capture')->ok();
$trace = Tracer::traceId();
$request->end();
echo Tracer::flush() ? $trace : 'not flushed';
"#;

#[test]
#[ignore = "end to end: tests/run e2e"]
fn calls_recorded_in_php_arrive_masked_with_their_outcomes() {
    let Some(extension) = program::tool("libspanmill_php.so") else { return };
    let Some(jaeger) = Jaeger::start() else { return };
    let daemon = Daemon::builder().forwarding_to(jaeger.otlp()).start();
    let ini = |key: &str, value: &str| format!("-d{key}={value}");
    let ran = Command::new("php")
        .arg("-n")
        .arg(ini("extension", &extension.display().to_string()))
        .arg(ini("spanmill.socket", &daemon.socket().display().to_string()))
        .arg(ini("spanmill.service", "php-shop"))
        .args(["-r", SCRIPT, CARD])
        .output()
        .expect("php starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));

    let sberbank = daemon.wait_for_calls("sberbank", 2, PATIENCE);
    assert_eq!((&sberbank["ok"], &sberbank["declined"]), (&1.into(), &1.into()), "{sberbank}");
    let trace_id: &str = said.trim();
    let spans = jaeger.wait_for_spans(trace_id, 3);
    assert!(spans.iter().all(|span| span["service"] == "php-shop"), "{spans:?}");
    let note = spans.iter().find_map(|span| attribute(span, "payment.note")).expect("tags travel");
    assert_eq!(note, "card 411111******1111");
    assert!(!jaeger.trace(trace_id).expect("it was there").contains(CARD));
}
