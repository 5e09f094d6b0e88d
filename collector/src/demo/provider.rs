//! A simulated provider: one or more real HTTP servers on loopback that answer as their profile and mood say.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use super::random::Random;

/// What a provider is like on a good day.
#[derive(Debug)]
pub struct Profile {
    pub name: &'static str,
    pub median_ms: f64,
    /// Spread of the log-normal response time.
    pub sigma: f64,
    pub declines: f64,
    pub failures: f64,
    /// Addresses that the shop balances over.
    pub endpoints: usize,
}

/// The shop's providers, from a fraud check of 25 ms to a bank that takes its time.
pub const PROFILES: [Profile; 8] = [
    Profile {
        name: "acme-bank",
        median_ms: 180.0,
        sigma: 0.35,
        declines: 0.06,
        failures: 0.001,
        endpoints: 4,
    },
    Profile {
        name: "wayne-cards",
        median_ms: 220.0,
        sigma: 0.4,
        declines: 0.08,
        failures: 0.002,
        endpoints: 2,
    },
    Profile {
        name: "globex-wallet",
        median_ms: 60.0,
        sigma: 0.3,
        declines: 0.02,
        failures: 0.001,
        endpoints: 2,
    },
    Profile {
        name: "initech-3ds",
        median_ms: 340.0,
        sigma: 0.5,
        declines: 0.04,
        failures: 0.003,
        endpoints: 1,
    },
    Profile {
        name: "stark-antifraud",
        median_ms: 25.0,
        sigma: 0.3,
        declines: 0.01,
        failures: 0.0,
        endpoints: 2,
    },
    Profile {
        name: "umbrella-sms",
        median_ms: 90.0,
        sigma: 0.6,
        declines: 0.0,
        failures: 0.004,
        endpoints: 1,
    },
    Profile { name: "hooli-maps", median_ms: 40.0, sigma: 0.4, declines: 0.0, failures: 0.001, endpoints: 2 },
    Profile {
        name: "tyrell-payouts",
        median_ms: 600.0,
        sigma: 0.5,
        declines: 0.01,
        failures: 0.002,
        endpoints: 1,
    },
];

/// What is wrong with a provider at the moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mood {
    Well,
    /// Answers so many times slower.
    Slow(f64),
    /// This share of calls gets a 503 at once.
    Failing(f64),
    /// Takes calls and never answers.
    Hung,
    /// This share of calls is declined.
    Declining(f64),
    /// One of its addresses answers with 500.
    BadEndpoint,
}

/// A running provider.
#[derive(Debug)]
pub struct Provider {
    pub profile: &'static Profile,
    pub addresses: Vec<SocketAddr>,
    mood: Arc<Mutex<Mood>>,
}

/// Longer than any client waits.
const NEVER: Duration = Duration::from_secs(3600);

impl Provider {
    /// Listens on loopback and answers in tasks of the current runtime.
    pub async fn start(profile: &'static Profile, seed: u64) -> io::Result<Provider> {
        let mood = Arc::new(Mutex::new(Mood::Well));
        let random = Arc::new(Mutex::new(Random::new(seed)));
        let mut addresses = Vec::with_capacity(profile.endpoints);
        for endpoint in 0..profile.endpoints {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            addresses.push(listener.local_addr()?);
            let server = Server { profile, endpoint, mood: Arc::clone(&mood), random: Arc::clone(&random) };
            tokio::spawn(accept(listener, server));
        }
        Ok(Provider { profile, addresses, mood })
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().expect("never held over a panic") = mood;
    }
}

#[derive(Clone)]
struct Server {
    profile: &'static Profile,
    endpoint: usize,
    mood: Arc<Mutex<Mood>>,
    random: Arc<Mutex<Random>>,
}

async fn accept(listener: TcpListener, server: Server) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let server = server.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| server.answer(request));
            // The shop closes connections whose call timed out; that is no error here.
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        });
    }
}

impl Server {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        drop(request.into_body().collect().await);
        let mood = *self.mood.lock().expect("never held over a panic");
        let (usual, luck) = {
            let mut random = self.random.lock().expect("never held over a panic");
            (random.duration(self.profile.median_ms, self.profile.sigma), random.unit())
        };
        let wait = match mood {
            Mood::Slow(times) => usual.mul_f64(times),
            Mood::Hung => NEVER,
            Mood::Failing(share) if luck < share => Duration::from_millis(2),
            _ => usual,
        };
        tokio::time::sleep(wait).await;
        Ok(match mood {
            Mood::Failing(share) if luck < share => error(StatusCode::SERVICE_UNAVAILABLE, "out of service"),
            Mood::BadEndpoint if self.endpoint == 0 => {
                error(StatusCode::INTERNAL_SERVER_ERROR, "disk failure")
            }
            Mood::Declining(share) if luck < share => payment("declined", "05"),
            _ if luck < self.profile.failures => error(StatusCode::BAD_GATEWAY, "upstream closed"),
            _ if luck < self.profile.failures + self.profile.declines => payment("declined", "51"),
            _ => payment("approved", "00"),
        })
    }
}

fn payment(status: &str, code: &str) -> Response<Full<Bytes>> {
    Response::new(Full::from(format!(r#"{{"status":"{status}","code":"{code}"}}"#)))
}

fn error(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!(r#"{{"error":"{text}"}}"#)));
    *response.status_mut() = status;
    response
}
