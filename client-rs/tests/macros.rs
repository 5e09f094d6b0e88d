//! `#[spanmill::call]` as users write it.

use spanmill::testing::capture;
use spanmill::{InSpan, Outcome, Provider, Span};

static ACME: Provider = Provider::new("acme-bank");

struct Card(&'static str);

#[spanmill::call(provider = "acme-bank", tags(order, "payment.card" = card.0))]
async fn authorize(order: u64, card: Card, secret: &str) -> Result<String, std::fmt::Error> {
    Span::builder("POST").client().start().end();
    if order == 0 {
        return Err(std::fmt::Error);
    }
    Ok(format!("{order} {secret}"))
}

#[spanmill::call(provider = ACME, operation = "void")]
fn cancel(order: Option<u64>) -> Option<u64> {
    let order = order?;
    Some(order + 1)
}

/// A refusal is an answer.
fn outcome(answer: &Result<u8, String>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Ok,
        Err(text) if text == "no" => Outcome::Declined,
        Err(_) => Outcome::Failed,
    }
}

#[spanmill::call(provider = ACME, outcome = outcome)]
async fn pay(refused: bool) -> Result<u8, String> {
    std::future::ready(()).await;
    if refused { Err("no".into()) } else { Ok(1) }
}

#[tokio::test]
async fn a_function_is_a_call_and_only_what_is_named_is_recorded() {
    let capture = capture();
    assert_eq!(authorize(7, Card("4111111111111111"), "hidden").await.as_deref(), Ok("7 hidden"));
    assert!(authorize(0, Card(""), "hidden").await.is_err());
    assert_eq!(capture.tree(), "acme-bank authorize\n  POST\nacme-bank authorize\n  POST\n");
    let spans = capture.spans();
    let call = &spans[1];
    assert_eq!(call.tag("payment.card"), Some(&"411111******1111".into()));
    assert_eq!(call.tag("order"), Some(&spanmill::testing::CapturedValue::Int(7)));
    assert_eq!(call.tag("secret"), None);
    assert_eq!(call.tag("spanmill.outcome"), Some(&"ok".into()));
    assert_eq!(spans[3].tag("error.type"), Some(&"core::fmt::Error".into()));
    assert!(!capture.encoded().concat().windows(6).any(|bytes| bytes == b"hidden"));
}

#[test]
fn a_question_mark_ends_the_function_and_not_the_call() {
    let capture = capture();
    assert_eq!((cancel(Some(1)), cancel(None)), (Some(2), None));
    let spans = capture.spans();
    assert!(spans.iter().all(|span| span.name == "acme-bank void"));
    assert!(spans.iter().all(|span| span.tag("spanmill.outcome") == Some(&"ok".into())));
}

#[tokio::test]
async fn a_refusal_is_no_failure() {
    let capture = capture();
    assert_eq!((pay(false).await, pay(true).await.is_err()), (Ok(1), true));
    let outcomes: Vec<_> = capture.spans().iter().map(|span| span.tag("spanmill.outcome").cloned()).collect();
    assert_eq!(outcomes, [Some("ok".into()), Some("declined".into())]);
}

#[tokio::test]
async fn a_future_that_is_dropped_is_cancelled() {
    #[spanmill::call(provider = "acme-bank")]
    async fn wait() {
        std::future::pending::<()>().await;
    }
    let capture = capture();
    {
        let mut future = std::pin::pin!(wait().in_span(&None::<spanmill::Context>));
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(Future::poll(future.as_mut(), &mut task).is_pending());
    }
    assert_eq!(capture.spans()[0].tag("spanmill.outcome"), Some(&"cancelled".into()));
}
