use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

use super::{Backoff, Limits, Listener, PAUSE_MAX, Peer, Workers, bind};
use crate::dial::{Pieces, Protocol, Target};
use crate::tls;
use crate::tls::testing::{Authority, client_files, server_files};

/// Longer than anything here takes on a busy machine; never waited for when all is well.
const PATIENCE: Duration = Duration::from_secs(20);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const H2_PREFACE_AND_SETTINGS: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

type Answer = Result<Response<Full<Bytes>>, Infallible>;

async fn hello(_: Request<Incoming>) -> Answer {
    Ok(Response::new(Full::new(Bytes::from_static(b"hello"))))
}

fn quick() -> Limits {
    Limits { header_timeout: Duration::from_millis(50), ..Limits::default() }
}

fn listener() -> Listener {
    bind("127.0.0.1:0".parse().unwrap()).unwrap()
}

/// A server that says hello.
fn greeter(limits: Limits) -> (Workers, SocketAddr) {
    let listener = listener();
    let address = listener.local_addr();
    let workers = Workers::start("test", 1).unwrap();
    workers.serve(listener, limits, |_| service_fn(hello)).unwrap();
    (workers, address)
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}

async fn connect(address: SocketAddr) -> TcpStream {
    soon("connect", TcpStream::connect(address)).await.unwrap()
}

/// Reads one answer whose body is "hello".
async fn read_hello(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"hello") {
        let read = soon("an answer", stream.read_buf(&mut answer)).await.unwrap();
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

/// Reads until the server closes; a reset is a close as well.
async fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    match soon("the close of the connection", stream.read_to_end(&mut rest)).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    rest
}

#[tokio::test]
async fn http1_and_http2_are_served_on_one_port() {
    let (workers, address) = greeter(Limits::default());
    let request = || Request::get(format!("http://{address}/")).body(Empty::<Bytes>::new()).unwrap();

    let io = TokioIo::new(connect(address).await);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let answer = soon("http/1.1", sender.send_request(request())).await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_11);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");

    let io = TokioIo::new(connect(address).await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let answer = soon("http/2", sender.send_request(request())).await.unwrap();
    assert_eq!(answer.version(), Version::HTTP_2);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "hello");

    drop(sender);
    soon("stop", workers.stop(PATIENCE)).await;
}

#[tokio::test]
async fn a_connection_that_sends_no_request_is_closed() {
    let (_workers, address) = greeter(quick());
    for sent in [&b""[..], b"PRI", b"GET / HTTP/1.1\r\nhost:", H2_PREFACE_AND_SETTINGS] {
        let mut stream = connect(address).await;
        stream.write_all(sent).await.unwrap();
        let answer = read_to_close(&mut stream).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{sent:?}");
    }
}

#[tokio::test]
async fn the_header_timeout_spares_a_connection_that_rests_between_requests() {
    let (_workers, address) = greeter(quick());
    let mut resting = connect(address).await;
    resting.write_all(GET).await.unwrap();
    read_hello(&mut resting).await;

    // A second connection is the clock: when it is closed, the timeout has passed for the first as well.
    read_to_close(&mut connect(address).await).await;
    resting.write_all(GET).await.unwrap();
    read_hello(&mut resting).await;
}

#[tokio::test]
async fn a_later_header_that_never_ends_closes_the_connection() {
    let (_workers, address) = greeter(quick());
    let mut stream = connect(address).await;
    stream.write_all(GET).await.unwrap();
    read_hello(&mut stream).await;
    stream.write_all(b"GET / HT").await.unwrap();
    read_to_close(&mut stream).await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_in_the_end() {
    let limits = Limits { idle_timeout: Duration::from_millis(50), ..quick() };
    let (_workers, address) = greeter(limits);
    let mut stream = connect(address).await;
    stream.write_all(GET).await.unwrap();
    read_hello(&mut stream).await;
    assert_eq!(read_to_close(&mut stream).await, b"");
}

#[tokio::test]
async fn a_header_that_is_too_large_is_refused() {
    let (_workers, address) = greeter(Limits::default());
    let mut stream = connect(address).await;
    let mut request = b"GET / HTTP/1.1\r\nhost: x\r\nx-long: ".to_vec();
    request.resize(300 << 10, b'a');
    // The server may close before it has taken all of it.
    let _ = stream.write_all(&request).await;
    let mut answer = [0; 12];
    soon("an answer", stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");

    let io = TokioIo::new(connect(address).await);
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(format!("http://{address}/")).header("x-long", "a".repeat(20 << 10));
    match soon("http/2", sender.send_request(request.body(Empty::<Bytes>::new()).unwrap())).await {
        Ok(answer) => assert_eq!(answer.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(error) => assert!(!error.is_timeout(), "{error}"),
    }
}

/// Counts services, that is connections, that are alive.
#[derive(Debug, Default)]
struct Census {
    now: AtomicUsize,
    most: AtomicUsize,
    served: AtomicUsize,
}

struct Alive(Arc<Census>);

impl Alive {
    fn new(census: &Arc<Census>) -> Alive {
        let now = census.now.fetch_add(1, Ordering::SeqCst) + 1;
        census.most.fetch_max(now, Ordering::SeqCst);
        Alive(Arc::clone(census))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
        self.0.served.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn no_more_connections_are_open_than_the_limit_says() {
    let listener = listener();
    let address = listener.local_addr();
    // All of them wait in the backlog before the first is accepted: a loop without a limit takes them all.
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut stream = connect(address).await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        clients.push(stream);
    }
    let census = Arc::new(Census::default());
    let workers = Workers::start("test", 1).unwrap();
    let limits = Limits { connections_max: 2, ..Limits::default() };
    let counted = Arc::clone(&census);
    let service = move |_| {
        let alive = Alive::new(&counted);
        service_fn(move |request| {
            let _ = &alive;
            hello(request)
        })
    };
    workers.serve(listener, limits, service).unwrap();
    for client in &mut clients {
        read_hello(client).await;
    }
    drop(clients);
    soon("stop", workers.stop(PATIENCE)).await;
    assert_eq!(census.most.load(Ordering::SeqCst), 2);
    assert_eq!(census.served.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn connections_are_spread_over_the_workers() {
    let listener = listener();
    let address = listener.local_addr();
    let workers = Workers::start("test", 2).unwrap();
    let service = |peer: Peer| {
        service_fn(move |_: Request<Incoming>| async move {
            let thread = std::thread::current().name().map(str::to_owned);
            assert_eq!(thread, Some(format!("test-{}", peer.worker)));
            Answer::Ok(Response::new(Full::new(Bytes::from(format!("{} hello", peer.worker)))))
        })
    };
    workers.serve(listener, Limits::default(), service).unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(address).await;
        stream.write_all(GET).await.unwrap();
        let answer = read_hello(&mut stream).await;
        seen.push(answer.as_bytes()[answer.len() - "0 hello".len()]);
    }
    assert_eq!(seen, b"0101");
}

/// A server whose answers wait for `release`, and which says when a request has begun.
fn slow_greeter() -> (Workers, SocketAddr, watch::Receiver<bool>, Arc<Notify>) {
    let listener = listener();
    let address = listener.local_addr();
    let workers = Workers::start("test", 1).unwrap();
    let (begun, has_begun) = watch::channel(false);
    let release = Arc::new(Notify::new());
    let wait = Arc::clone(&release);
    let service = move |_| {
        let (begun, wait) = (begun.clone(), Arc::clone(&wait));
        service_fn(move |request| {
            let (begun, wait) = (begun.clone(), Arc::clone(&wait));
            async move {
                begun.send_replace(true);
                wait.notified().await;
                hello(request).await
            }
        })
    };
    workers.serve(listener, Limits::default(), service).unwrap();
    (workers, address, has_begun, release)
}

#[tokio::test]
async fn stop_finishes_the_request_in_flight_and_accepts_no_other() {
    let (workers, address, mut begun, release) = slow_greeter();
    let mut stream = connect(address).await;
    stream.write_all(GET).await.unwrap();
    soon("the request", begun.wait_for(|begun| *begun)).await.unwrap();

    let stop = tokio::spawn(workers.stop(PATIENCE));
    let refused = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon("the listener's close", refused).await;
    assert!(!stop.is_finished());
    release.notify_one();
    // It says `connection: close` only when its worker heard of the stop before it was released.
    read_hello(&mut stream).await;
    assert_eq!(read_to_close(&mut stream).await, b"");
    soon("stop", stop).await.unwrap();
}

#[tokio::test]
async fn stop_does_not_wait_longer_than_the_grace_period() {
    let (workers, address, mut begun, _release) = slow_greeter();
    let mut stream = connect(address).await;
    stream.write_all(GET).await.unwrap();
    soon("the request", begun.wait_for(|begun| *begun)).await.unwrap();
    soon("stop", workers.stop(Duration::from_millis(10))).await;
    assert_eq!(read_to_close(&mut stream).await, b"");
}

#[test]
fn a_port_in_use_is_said_with_the_address_and_what_to_do() {
    let first = listener();
    let error = bind(first.local_addr()).unwrap_err().to_string();
    assert!(error.contains(&first.local_addr().to_string()), "{error}");
    assert!(error.contains("ss -ltnp"), "{error}");
    let error = bind("192.0.2.1:4317".parse().unwrap()).unwrap_err().to_string();
    assert!(error.contains("192.0.2.1:4317") && error.contains("no interface"), "{error}");
}

#[test]
fn the_pause_grows_while_descriptors_are_short_and_not_for_one_lost_peer() {
    let mut backoff = Backoff::default();
    backoff.failed(&io::ErrorKind::ConnectionAborted.into());
    assert_eq!(backoff.pause, None);
    let no_descriptors = rustix::io::Errno::MFILE.into();
    let mut last = Duration::ZERO;
    while last < PAUSE_MAX {
        backoff.failed(&no_descriptors);
        assert!(backoff.pause.unwrap() > last);
        last = backoff.pause.unwrap();
    }
    backoff.failed(&no_descriptors);
    assert_eq!(backoff.pause, Some(PAUSE_MAX));
}

/// Runs in a process of its own (see below), because the limit on descriptors is per process.
#[test]
#[ignore = "started by the_listener_recovers_from_running_out_of_descriptors"]
fn child_that_runs_out_of_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = listener();
        let address = listener.local_addr();
        let mut clients = Vec::new();
        for _ in 0..8 {
            let mut stream = connect(address).await;
            stream.write_all(GET).await.unwrap();
            clients.push(stream);
        }
        let workers = Workers::start("test", 1).unwrap();
        let full = getrlimit(Resource::Nofile);
        // The next descriptor would be `open`: three connections fit, the fourth accept fails.
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
        setrlimit(Resource::Nofile, Rlimit { current: Some(open + 3), ..full }).unwrap();
        workers.serve(listener, Limits::default(), |_| service_fn(hello)).unwrap();
        for client in &mut clients[..2] {
            read_hello(client).await;
        }
        assert_eq!(std::fs::File::open("/proc/self/stat").unwrap_err().raw_os_error(), Some(24), "EMFILE");
        setrlimit(Resource::Nofile, full).unwrap();
        for client in &mut clients[2..] {
            read_hello(client).await;
        }
    });
}

#[test]
fn the_listener_recovers_from_running_out_of_descriptors() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "listen::tests::child_that_runs_out_of_descriptors"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// A server that says hello over TLS, and counts the requests that it parsed.
fn secure_greeter(files: tls::ServerFiles, limits: Limits) -> (Workers, SocketAddr, Arc<AtomicUsize>) {
    let server = tls::Server::new("test", files).unwrap();
    let listener = listener().with_tls(Some(Arc::new(server)));
    let address = listener.local_addr();
    let workers = Workers::start("test", 1).unwrap();
    let parsed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&parsed);
    let service = move |_| {
        let counter = Arc::clone(&counter);
        service_fn(move |request| {
            counter.fetch_add(1, Ordering::Relaxed);
            hello(request)
        })
    };
    workers.serve(listener, limits, service).unwrap();
    (workers, address, parsed)
}

fn target(address: SocketAddr, files: tls::ClientFiles, protocol: Protocol) -> Target {
    let tls = Some(Arc::new(tls::Client::new("test", files, protocol.alpn()).unwrap()));
    Target { authority: address.to_string().parse().unwrap(), protocol, tls }
}

/// Opens a connection and asks once.
async fn ask(target: &Target) -> Result<Version, String> {
    let mut connection = soon("a connection", target.connect()).await?;
    let mut request = Request::new(Pieces::from(vec![]));
    *request.uri_mut() = target.uri("/".parse().unwrap());
    let answer = soon("an answer", connection.send(request)).await.map_err(|unanswered| unanswered.reason)?;
    let version = answer.version();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "hello");
    Ok(version)
}

#[tokio::test]
async fn tls_serves_both_protocols_and_refuses_everything_else_unparsed() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, stranger) = (Authority::new(dir.path(), "ca"), Authority::new(dir.path(), "stranger"));
    let files = server_files(ca.issue(dir.path(), "server", "127.0.0.1"), Some(&ca));
    let (_workers, address, parsed) = secure_greeter(files, Limits::default());
    let with = |pair| target(address, client_files(&ca, pair), Protocol::Http2);
    let good = ca.issue(dir.path(), "good", "agent");
    assert_eq!(ask(&with(Some(good.clone()))).await, Ok(Version::HTTP_2));
    let http1 = target(address, client_files(&ca, Some(good.clone())), Protocol::Http1);
    assert_eq!(ask(&http1).await, Ok(Version::HTTP_11));
    assert_eq!(parsed.swap(0, Ordering::Relaxed), 2);

    let refused = |pair, wanted: &'static str| {
        let target = with(pair);
        async move {
            let error = ask(&target).await.unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
    };
    refused(None, "set cert_file and key_file").await;
    refused(Some(stranger.issue(dir.path(), "strange", "agent")), "UnknownCA").await;
    refused(Some(ca.issue_expired(dir.path(), "old", "agent")), "CertificateExpired").await;
    let mut plain = connect(address).await;
    plain.write_all(GET).await.unwrap();
    let answer = read_to_close(&mut plain).await;
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(parsed.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_server_that_cannot_be_trusted_is_refused_with_the_fix() {
    let dir = tempfile::tempdir().unwrap();
    let (ca, stranger) = (Authority::new(dir.path(), "ca"), Authority::new(dir.path(), "stranger"));
    for (pair, wanted) in [
        (ca.issue_expired(dir.path(), "old", "127.0.0.1"), "has expired: renew it there"),
        (stranger.issue(dir.path(), "strange", "127.0.0.1"), "put that CA into ca_file"),
        (ca.issue(dir.path(), "elsewhere", "elsewhere.example"), "set server_name"),
    ] {
        let (_workers, address, parsed) = secure_greeter(server_files(pair, None), Limits::default());
        let error = ask(&target(address, client_files(&ca, None), Protocol::Http2)).await.unwrap_err();
        assert!(error.contains(wanted), "{error}");
        assert_eq!(parsed.load(Ordering::Relaxed), 0);
    }
    let (_workers, address) = greeter(Limits::default());
    let error = ask(&target(address, client_files(&ca, None), Protocol::Http2)).await.unwrap_err();
    assert!(error.contains("does not speak TLS"), "{error}");
    let server = server_files(ca.issue(dir.path(), "other-name", "elsewhere.example"), None);
    let (_workers, address, _) = secure_greeter(server, Limits::default());
    let server_name = Some("elsewhere.example".to_owned());
    let named = tls::ClientFiles { server_name, ..client_files(&ca, None) };
    assert!(ask(&target(address, named, Protocol::Http2)).await.is_ok());
}

#[tokio::test]
async fn a_new_certificate_is_used_and_no_request_fails_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(dir.path(), "old"), Authority::new(dir.path(), "new"));
    let files = server_files(old.issue(dir.path(), "server", "127.0.0.1"), None);
    let (_workers, address, _) = secure_greeter(files, Limits::default());
    let before = target(address, client_files(&old, None), Protocol::Http2);
    let after = target(address, client_files(&new, None), Protocol::Http2);
    // Trusts both, as everybody must while a CA is changed.
    let both = dir.path().join("both.pem");
    let read = |file| std::fs::read_to_string(file).unwrap();
    std::fs::write(&both, read(&old.file) + &read(&new.file)).unwrap();
    let files = tls::ClientFiles { ca: Some(both), ..tls::ClientFiles::default() };
    let during = target(address, files, Protocol::Http2);
    assert!(ask(&before).await.is_ok() && ask(&after).await.is_err());
    // Certificate first, then key: between the two they do not belong together.
    new.issue(dir.path(), "server", "127.0.0.1");
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while ask(&after).await.is_err() {
        assert_eq!(ask(&during).await, Ok(Version::HTTP_2));
        assert!(tokio::time::Instant::now() < deadline, "the new certificate is not used");
    }
    assert!(ask(&before).await.is_err());
}

#[tokio::test]
async fn a_peer_that_does_not_finish_its_handshake_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let files = server_files(ca.issue(dir.path(), "server", "127.0.0.1"), None);
    let (_workers, address, _) = secure_greeter(files, quick());
    let mut silent = connect(address).await;
    assert_eq!(read_to_close(&mut silent).await, b"");
    let mut slow = connect(address).await;
    // The head of a record that never comes.
    slow.write_all(&[22, 3, 1, 1, 0]).await.unwrap();
    assert_eq!(read_to_close(&mut slow).await, b"");
}

#[tokio::test]
async fn handshakes_are_limited_in_number_and_the_silent_take_no_place() {
    let dir = tempfile::tempdir().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let files = server_files(ca.issue(dir.path(), "server", "127.0.0.1"), None);
    let limits =
        Limits { handshakes_max: 1, header_timeout: Duration::from_millis(500), ..Limits::default() };
    let (_workers, address, _) = secure_greeter(files, limits);
    let good = target(address, client_files(&ca, None), Protocol::Http2);
    let silent = connect(address).await;
    assert_eq!(ask(&good).await, Ok(Version::HTTP_2));
    drop(silent);
    let mut slow = connect(address).await;
    slow.write_all(&[22, 3, 1, 1, 0]).await.unwrap();
    // Whoever comes meanwhile waits for the place, and gets it when the slow one's time is over.
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while ask(&good).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "the slow one keeps its place");
    }
    assert_eq!(read_to_close(&mut slow).await, b"");
}
