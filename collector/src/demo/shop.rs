//! The simulated shop: checkouts that call several providers each, traced as a user of the client would.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use spanmill::{InSpan, Span};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::provider::Provider;
use super::random::Random;

/// How long the shop waits for a provider: short for a bank, so that the demo shows timeouts soon.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// Checkouts at once; beyond it customers go away, as they would.
const CHECKOUTS_MAX: usize = 4_000;

/// A step of a checkout: which provider, what for, and in which share of checkouts.
struct Step {
    provider: &'static str,
    operation: &'static str,
    share: f64,
}

const CHECKOUT: [Step; 9] = [
    Step { provider: "hooli-maps", operation: "geocode", share: 0.7 },
    Step { provider: "stark-antifraud", operation: "score", share: 1.0 },
    Step { provider: "initech-3ds", operation: "authenticate", share: 0.5 },
    Step { provider: "wayne-cards", operation: "authorize", share: 0.45 },
    Step { provider: "acme-bank", operation: "authorize", share: 0.45 },
    Step { provider: "globex-wallet", operation: "pay", share: 0.4 },
    Step { provider: "acme-bank", operation: "capture", share: 0.35 },
    Step { provider: "umbrella-sms", operation: "send", share: 0.6 },
    Step { provider: "tyrell-payouts", operation: "transfer", share: 0.15 },
];

pub struct Shop {
    providers: Arc<Vec<Provider>>,
    random: Random,
    rate: f64,
}

impl Shop {
    pub fn new(providers: Arc<Vec<Provider>>, seed: u64, rate: f64) -> Shop {
        Shop { providers, random: Random::new(seed), rate }
    }

    /// Begins checkouts for ever.
    pub async fn run(mut self) {
        let places = Arc::new(Semaphore::new(CHECKOUTS_MAX));
        let mut next = tokio::time::Instant::now();
        loop {
            next += self.random.gap(self.rate);
            tokio::time::sleep_until(next).await;
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let plan = self.plan();
            tokio::spawn(async move {
                checkout(plan).await;
                drop(place);
            });
        }
    }

    /// Decides everything random of one checkout at once, so that the sequence depends on the seed alone.
    fn plan(&mut self) -> Plan {
        let card = self.random.card();
        let mut calls = Vec::with_capacity(CHECKOUT.len());
        for step in &CHECKOUT {
            if !self.random.chance(step.share) {
                continue;
            }
            let provider = self.providers.iter().find(|provider| provider.profile.name == step.provider);
            let provider = provider.expect("a test holds every step against the list of providers");
            let address = provider.addresses[self.random.below(provider.addresses.len())];
            calls.push(PlannedCall { provider: step.provider, operation: step.operation, address });
        }
        Plan { card, amount: 5 + self.random.below(20_000), calls }
    }
}

struct Plan {
    card: String,
    amount: usize,
    calls: Vec<PlannedCall>,
}

struct PlannedCall {
    provider: &'static str,
    operation: &'static str,
    address: SocketAddr,
}

async fn checkout(plan: Plan) {
    let mut span = Span::builder("POST /checkout").server().root().start();
    span.tag("http.request.method", "POST");
    span.tag("http.route", "/checkout");
    let calls = async {
        for planned in &plan.calls {
            // What comes before the money may fail without ending the checkout.
            call(planned, &plan.card, plan.amount).await;
        }
    };
    calls.in_span(&span).await;
    span.tag("http.response.status_code", 200);
}

/// One call of a provider, as an application would make and trace it.
async fn call(planned: &PlannedCall, card: &str, amount: usize) {
    let PlannedCall { provider, operation, address } = *planned;
    let body = format!(r#"{{"card":"{card}","cvv":"123","amount":{amount},"currency":"EUR"}}"#);
    let mut call = spanmill::Provider::new(provider).call(operation);
    call.tag("server.address", address.ip().to_string());
    call.tag("server.port", i64::from(address.port()));
    call.tag("http.request.method", "POST");
    call.log("request", |log| log.tag("body", body.as_str()));
    match tokio::time::timeout(CALL_TIMEOUT, post(address, operation, body.clone())).await {
        Err(_) => call.timeout(),
        Ok(Err(error)) => call.failed(&error),
        Ok(Ok((status, answer))) => {
            call.tag("http.response.status_code", i64::from(status.as_u16()));
            call.log("response", |log| log.tag("body", answer.as_str()));
            if !status.is_success() {
                call.failed(&io::Error::other(format!("HTTP status {status}")));
            } else if answer.contains("declined") {
                call.declined(&answer);
            } else {
                call.ok();
            }
        }
    }
}

/// One HTTP request on a connection of its own.
async fn post(address: SocketAddr, operation: &str, body: String) -> io::Result<(StatusCode, String)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("/{operation}"))
        .header(http::header::HOST, address.to_string())
        .body(Full::new(Bytes::from(body)))
        .map_err(io::Error::other)?;
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status();
    let answer = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    connection.abort();
    Ok((status, String::from_utf8_lossy(&answer).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_of_a_checkout_calls_a_provider_that_exists() {
        for step in &CHECKOUT {
            assert!(
                super::super::PROFILES.iter().any(|profile| profile.name == step.provider),
                "{}",
                step.provider
            );
        }
        for profile in &super::super::PROFILES {
            assert!(
                CHECKOUT.iter().any(|step| step.provider == profile.name),
                "{} is never called",
                profile.name
            );
        }
    }
}
