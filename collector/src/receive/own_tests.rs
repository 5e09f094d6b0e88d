//! Our own gRPC services with their generated clients, on real sockets.

use std::sync::Arc;
use std::time::Duration;

use spanmill_proto::v1::providers_client::ProvidersClient;
use spanmill_proto::v1::pulse_client::PulseClient;
use spanmill_proto::v1::{ProviderVerdict, PulseRequest, PulseSeries, WatchRequest};
use tokio::sync::{mpsc, watch};
use tonic::transport::Channel;
use tonic::{Code, Request, Streaming};

use crate::clock::Clock;
use crate::outcome::{Outcomes, Rejected};
use crate::receive::{
    Accepted, Config, Listen, Local, OpenCall, Process, ReceivedBatch, Receiver, Refusal, Sink, Source,
    Tokens, start,
};
use crate::rotate::Rotating;

const PATIENCE: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(5);

#[derive(Clone)]
struct Taker(mpsc::UnboundedSender<(Source, Vec<Process>)>);

impl Sink for Taker {
    async fn accept(&self, _: ReceivedBatch) -> Result<Accepted, Refusal> {
        Ok(Accepted { rejected_spans: 0 })
    }

    fn in_flight(&self, source: Source, processes: Vec<Process>, _: u64) {
        // The test may be over.
        let _ = self.0.send((source, processes));
    }

    fn is_overdue(&self, _: &OpenCall, _: u64) -> bool {
        false
    }
}

struct Daemon {
    receiver: Receiver,
    outcomes: Arc<Outcomes>,
    verdicts: watch::Sender<Arc<Vec<ProviderVerdict>>>,
    in_flight: mpsc::UnboundedReceiver<(Source, Vec<Process>)>,
    _dir: tempfile::TempDir,
}

fn daemon(tokens: Option<Tokens>) -> Daemon {
    let dir = tempfile::tempdir().unwrap();
    let rotating = |tokens: Tokens| {
        Rotating::new("tokens", Vec::new(), move || Ok::<_, String>(tokens.clone())).unwrap()
    };
    let tokens = tokens.map(|tokens| Arc::new(rotating(tokens)));
    let listen = Listen { address: ([127, 0, 0, 1], 0).into(), connections_max: 10, tokens, tls: None };
    let config = Config {
        grpc: listen.clone(),
        http: listen,
        local: Local { path: dir.path().join("s"), mode: 0o600, group: None },
        request_max: 1 << 20,
        memory_max: 1 << 24,
    };
    let outcomes = Arc::<Outcomes>::default();
    let (sender, in_flight) = mpsc::unbounded_channel();
    let (verdicts, watched) = watch::channel(Arc::default());
    let receiver = start(config, &Taker(sender), &Clock::default(), &outcomes, watched).unwrap();
    Daemon { receiver, outcomes, verdicts, in_flight, _dir: dir }
}

async fn channel(daemon: &Daemon) -> Channel {
    let address = format!("http://{}", daemon.receiver.grpc);
    Channel::from_shared(address).unwrap().connect().await.unwrap()
}

fn verdict(provider: &str, verdict: spanmill_proto::v1::Verdict, generation: u32) -> ProviderVerdict {
    ProviderVerdict {
        provider: provider.to_owned(),
        aliases: vec![format!("{provider}-alias")],
        verdict: verdict.into(),
        generation,
        evidence: "because".to_owned(),
        ..ProviderVerdict::default()
    }
}

/// The next message that is no heartbeat.
async fn next(stream: &mut Streaming<ProviderVerdict>) -> ProviderVerdict {
    let next = async {
        loop {
            let message = stream.message().await.unwrap().expect("the stream goes on");
            if !message.provider.is_empty() {
                return message;
            }
        }
    };
    tokio::time::timeout(PATIENCE, next).await.expect("a verdict in time")
}

#[tokio::test]
async fn a_watcher_gets_all_verdicts_then_each_change_and_a_heartbeat() {
    use spanmill_proto::v1::Verdict::{Hung, Ok as Well};
    let daemon = daemon(None);
    daemon.verdicts.send_replace(Arc::new(vec![verdict("acme", Well, 1), verdict("globex", Well, 1)]));
    let mut client = ProvidersClient::new(channel(&daemon).await);
    let mut all = client.watch(WatchRequest::default()).await.unwrap().into_inner();
    let request = WatchRequest { providers: vec!["ACME-alias".to_owned()], ..Default::default() };
    let mut one = client.watch(request).await.unwrap().into_inner();
    let mut first = [next(&mut all).await.provider, next(&mut all).await.provider];
    first.sort();
    assert_eq!(first, ["acme", "globex"]);
    assert_eq!(next(&mut one).await.provider, "acme");

    // What has not changed is not told again; the same board may come every second.
    daemon.verdicts.send_replace(Arc::new(vec![verdict("acme", Well, 1), verdict("globex", Well, 1)]));
    daemon.verdicts.send_replace(Arc::new(vec![verdict("acme", Hung, 2), verdict("globex", Well, 1)]));
    for stream in [&mut all, &mut one] {
        let told = next(stream).await;
        assert_eq!(
            (told.provider.as_str(), told.verdict(), told.evidence.as_str()),
            ("acme", Hung, "because")
        );
    }
    daemon.verdicts.send_replace(Arc::new(vec![verdict("globex", Well, 1)]));
    let gone = next(&mut all).await;
    assert!(gone.removed && gone.provider == "acme");
    let heartbeat = tokio::time::timeout(PATIENCE, all.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(heartbeat, ProviderVerdict::default());

    daemon.receiver.stop(GRACE).await;
    let end = async { while let Ok(Some(_)) = all.message().await {} };
    tokio::time::timeout(PATIENCE, end).await.expect("a stop ends the streams");
}

#[tokio::test]
async fn pulses_become_calls_in_flight() {
    let mut daemon = daemon(None);
    let mut client = PulseClient::new(channel(&daemon).await);
    let (requests, stream) = mpsc::unbounded_channel();
    let stream =
        futures_util::stream::unfold(stream, |mut stream: mpsc::UnboundedReceiver<PulseRequest>| async {
            let next = stream.recv().await?;
            Some((next, stream))
        });
    let report = tokio::spawn(async move { client.report(Box::pin(stream)).await });
    let series = PulseSeries {
        address: "api.acme.example".to_owned(),
        port: 443,
        operation: "pay".to_owned(),
        started: 3,
        open: 3,
        age_buckets: vec![3],
        ..PulseSeries::default()
    };
    let request = PulseRequest { stream_id: 1, sequence: 1, series: vec![series], ..PulseRequest::default() };
    requests.send(request).unwrap();
    let seen = async {
        loop {
            let (source, processes) = daemon.in_flight.recv().await.unwrap();
            if source == Source::Pulses && processes.iter().any(|process| process.calls.len() == 3) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("three calls in flight");
    drop(requests);
    tokio::time::timeout(PATIENCE, report).await.unwrap().unwrap().expect("the end is answered");
    daemon.receiver.stop(GRACE).await;
}

#[tokio::test]
async fn our_services_ask_for_the_same_token_as_the_spans() {
    let daemon = daemon(Some(Tokens::parse("secret")));
    let channel = channel(&daemon).await;
    let refused = ProvidersClient::new(channel.clone()).watch(WatchRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let none = futures_util::stream::empty::<PulseRequest>();
    let refused = PulseClient::new(channel.clone()).report(none).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert_eq!(daemon.outcomes.rejected_by(Rejected::Unauthorized), 2);
    let mut request = Request::new(WatchRequest::default());
    request.metadata_mut().insert("authorization", "Bearer secret".parse().unwrap());
    assert!(ProvidersClient::new(channel).watch(request).await.is_ok());
    daemon.receiver.stop(GRACE).await;
}
