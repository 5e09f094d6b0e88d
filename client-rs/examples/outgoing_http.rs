//! Payments by HTTP: a call for each payment, the requests inside it are its attempts, made by the middleware.
//!
//! `cargo run -p spanmill --features reqwest --example outgoing_http`. The bank is a server inside the example: it fails
//! the first request of each payment, so the client sends it again.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use reqwest_middleware::reqwest::{Client, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error};
use spanmill::layers::ReqwestSpans;
use spanmill::{InSpan, Provider};

static ACME: Provider = Provider::new("acme-bank");

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let guard = spanmill::builder().service("checkout").init()?;
    let bank = bank().await?;
    let http = ClientBuilder::new(Client::new()).with(ReqwestSpans::new()).build();
    for card in ["4111111111111111", "5555555555554444"] {
        pay(&http, &format!("http://{bank}/authorize?card={card}")).await;
    }
    let report = guard.shutdown(Duration::from_secs(2));
    println!("{} spans sent, {} dropped", report.sent, report.dropped.total());
    Ok(())
}

async fn pay(http: &ClientWithMiddleware, url: &str) {
    let mut call = ACME.call("authorize");
    match post_twice(http, url).in_span(&call).await {
        Ok(answer) => {
            let code = answer.status().as_u16();
            let body = answer.text().await.unwrap_or_default();
            call.log("response", |log| log.tag("status", code).tag("body", &body));
            call.ok();
        }
        Err(Error::Reqwest(error)) if error.is_timeout() => call.timeout(),
        Err(error) => call.failed(&error),
    }
}

/// Sends a request again when the bank was not well.
async fn post_twice(http: &ClientWithMiddleware, url: &str) -> Result<Response, Error> {
    let request = || http.post(url).timeout(Duration::from_secs(5)).send();
    let answer = request().await?;
    if answer.status().is_server_error() { request().await } else { Ok(answer) }
}

async fn bank() -> std::io::Result<std::net::SocketAddr> {
    static REQUESTS: AtomicU32 = AtomicU32::new(0);
    let authorize = post(|| async {
        match REQUESTS.fetch_add(1, Relaxed) % 2 {
            0 => (StatusCode::BAD_GATEWAY, "try again"),
            _ => (StatusCode::OK, "<ok card=\"4111111111111111\"/>"),
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/authorize", authorize)).await });
    Ok(address)
}
