//! A shop that takes three payments: one goes through, one is declined, one times out.
//!
//! Run the daemon (`spanmill run`), then `cargo run -p spanmill --example basic`. The calls appear on the
//! daemon's page under `acme-bank`.

use std::time::Duration;

use spanmill::{Call, InSpan, Kind, Provider, Span};

static ACME: Provider = Provider::new("acme-bank");

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), spanmill::InitError> {
    let guard = spanmill::builder().service("shop").init()?;
    for card in ["4111111111111111", "5555555555554444", "4000000000000002"] {
        let request = Span::builder("POST /checkout").server().start();
        checkout(card).in_span(&request).await;
    }
    let report = guard.shutdown(Duration::from_secs(2));
    println!("{} spans sent, {} dropped {:?}", report.sent, report.dropped.total(), report.dropped);
    Ok(())
}

async fn checkout(card: &str) {
    let mut call = ACME.call("authorize");
    call.tag("payment.scheme", if card.starts_with('4') { "visa" } else { "mastercard" });
    // The request is an attempt of the call, because it runs in it.
    let answer = post("/authorize", card).in_span(&call).await;
    settle(call, answer);
}

fn settle(mut call: Call, answer: Option<(u16, String)>) {
    let Some((code, body)) = answer else { return call.timeout() };
    call.log("response", |log| log.tag("code", code).tag("body", &body));
    match code {
        0 => call.ok(),
        _ => call.declined("insufficient funds"),
    }
}

/// What an HTTP client with spanmill's middleware would do.
async fn post(path: &str, card: &str) -> Option<(u16, String)> {
    let mut span = Span::builder("POST").kind(Kind::Client).start();
    span.tag("http.request.method", "POST")
        .tag("url.full", format!("https://api.acme.example{path}?card={card}"));
    tokio::time::sleep(Duration::from_millis(30)).await;
    match card {
        "4111111111111111" => Some((0, format!("<ok card=\"{card}\"/>"))),
        "5555555555554444" => Some((5, format!("<declined card=\"{card}\"/>"))),
        _ => None,
    }
}
