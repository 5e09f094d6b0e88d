//! The verdicts of a central spanmill, by its `Providers.Watch`: one call that lasts, begun anew whenever it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, TE};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use prost::Message;
use spanmill_proto::grpc::{self, PREFIX};
use spanmill_proto::v1::{ProviderVerdict, WatchRequest};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::dial::{Pieces, Target};

/// Who it is and how to reach it.
#[derive(Debug, Clone)]
pub struct Centre {
    /// `NAME` of its `[forward.NAME]`.
    pub name: String,
    pub target: Target,
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// Heartbeats come each second; a centre that says nothing for so long is not believed any more.
const SILENT: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A verdict has a few hundred bytes.
const MESSAGE_MAX: usize = 1 << 20;
/// More providers have no place on a board.
const PROVIDERS_MAX: usize = spanmill_proto::board::ENTRIES;

/// What the centre has said.
#[derive(Debug, Clone, Default)]
pub struct Told {
    heard: Option<Instant>,
    verdicts: BTreeMap<String, ProviderVerdict>,
}

impl Told {
    /// Its verdicts, as long as it is there.
    pub fn fresh(&self) -> BTreeMap<String, ProviderVerdict> {
        match self.heard {
            Some(heard) if heard.elapsed() < SILENT => self.verdicts.clone(),
            _ => BTreeMap::new(),
        }
    }

    fn hear(&mut self, verdict: ProviderVerdict) {
        self.heard = Some(Instant::now());
        if verdict.removed {
            self.verdicts.remove(&verdict.provider);
        } else if !verdict.provider.is_empty()
            && (self.verdicts.len() < PROVIDERS_MAX || self.verdicts.contains_key(&verdict.provider))
        {
            self.verdicts.insert(verdict.provider.clone(), verdict);
        }
    }
}

/// Watches on a task of the current runtime, until nobody wants to know any more.
pub fn start(centre: Centre) -> watch::Receiver<Told> {
    let (told, receiver) = watch::channel(Told::default());
    tokio::spawn(async move {
        let mut pause = PAUSE_MIN;
        while !told.is_closed() {
            let began = Instant::now();
            let reason = follow(&centre, &told).await;
            if pause == PAUSE_MIN {
                let name = &centre.name;
                tracing::warn!(
                    "no verdicts from {name}, those of this daemon count until it is back: {reason}"
                );
            }
            pause = if began.elapsed() > PAUSE_MAX { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
            sleep(pause / 2 + pause.mul_f64(jitter() / 2.0)).await;
        }
    });
    receiver
}

/// From 0 to 1: the agents of a fleet must not come back all at once.
fn jitter() -> f64 {
    use std::hash::BuildHasher;
    f64::from(std::hash::RandomState::new().hash_one(0_u8) as u32) / f64::from(u32::MAX)
}

/// One call, to its end; says why it ended.
async fn follow(centre: &Centre, told: &watch::Sender<Told>) -> String {
    let mut connection = match centre.target.connect().await {
        Ok(connection) => connection,
        Err(reason) => return reason,
    };
    let answer = match timeout(SILENT, connection.send(request(centre))).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return error.reason,
        Err(_) => return format!("no answer within {SILENT:?}"),
    };
    if let Some(refusal) = refusal(answer.headers()) {
        return refusal;
    }
    if !answer.status().is_success() {
        return format!("HTTP {}", answer.status());
    }
    // What an earlier call has told may be outdated; a full list comes first.
    told.send_modify(|told| told.verdicts.clear());
    let mut body = answer.into_body();
    let mut bytes = BytesMut::new();
    loop {
        match timeout(SILENT, next(&mut body, &mut bytes)).await {
            Ok(Ok(verdict)) => told.send_modify(|told| told.hear(verdict)),
            Ok(Err(reason)) => return reason,
            Err(_) => return format!("nothing heard for {SILENT:?}"),
        }
    }
}

fn request(centre: &Centre) -> Request<Pieces> {
    let message = WatchRequest { service: "spanmill".to_owned(), ..WatchRequest::default() }.encode_to_vec();
    let prefix = grpc::prefix(false, message.len() as u32).to_vec();
    let path = PathAndQuery::from_static("/spanmill.v1.Providers/Watch");
    let mut request = Request::post(centre.target.uri(path));
    let headers = request.headers_mut().expect("an address of ours is one");
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.extend(centre.headers.iter().cloned());
    request.body(vec![prefix.into(), message.into()].into()).expect("every part of it is valid")
}

/// The next message. The error says why there is none.
async fn next(body: &mut Incoming, bytes: &mut BytesMut) -> Result<ProviderVerdict, String> {
    loop {
        if let Some(prefix) = bytes.first_chunk::<PREFIX>() {
            let (is_compressed, length) = grpc::parse_prefix(*prefix);
            let length = length as usize;
            if is_compressed || length > MESSAGE_MAX {
                return Err("its answer is not one that we asked for".to_owned());
            }
            if bytes.len() >= PREFIX + length {
                bytes.advance(PREFIX);
                return ProviderVerdict::decode(bytes.split_to(length)).map_err(|error| error.to_string());
            }
        }
        match body.frame().await {
            None => return Err("it has ended the stream".to_owned()),
            Some(Err(error)) => return Err(crate::dial::chain(&error)),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => bytes.extend_from_slice(&data),
                Err(frame) => {
                    let refusal = frame.trailers_ref().and_then(refusal);
                    return Err(refusal.unwrap_or_else(|| "it has ended the stream".to_owned()));
                }
            },
        }
    }
}

/// What a gRPC status other than 0 says.
fn refusal(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let status = text("grpc-status").filter(|status| *status != "0")?;
    let message = grpc::decode_message(text("grpc-message").unwrap_or_default());
    Some(format!("gRPC status {status}: {message}"))
}
