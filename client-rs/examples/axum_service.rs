//! A service that takes payments over HTTP, and ends cleanly on SIGTERM: what was recorded is sent before it goes.
//!
//! `cargo run -p spanmill --features axum --example axum_service`, then
//! `curl -X POST http://127.0.0.1:PORT/payments/7` with the port that it prints.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use spanmill::Outcome;
use spanmill::layers::HttpServer;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _guard = spanmill::builder().service("payments").init()?;
    let app = Router::new().route("/payments/{id}", post(payment)).layer(HttpServer::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}

async fn payment(Path(id): Path<u64>) -> (StatusCode, String) {
    match authorize(id, "4111111111111111").await {
        Ok(receipt) => (StatusCode::OK, receipt),
        Err(Refusal(code)) => (StatusCode::PAYMENT_REQUIRED, format!("refused: {code}")),
    }
}

#[derive(Debug)]
struct Refusal(&'static str);

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

/// A refusal is an answer of the bank, not its failure.
fn outcome(answer: &Result<String, Refusal>) -> Outcome {
    if answer.is_ok() { Outcome::Ok } else { Outcome::Declined }
}

#[spanmill::call(provider = "acme-bank", tags(id, "payment.card" = card), outcome = outcome)]
async fn authorize(id: u64, card: &str) -> Result<String, Refusal> {
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    if id % 2 == 0 {
        Err(Refusal("insufficient funds"))
    } else {
        Ok(format!("receipt {id} for {}", spanmill::pan(card)))
    }
}
