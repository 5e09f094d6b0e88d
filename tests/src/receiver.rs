//! An OTLP/HTTP receiver that does what no real one does when asked: fails, dawdles, hangs up.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// What it does with one request.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    Take,
    /// Refuses with this status.
    Refuse(u16),
    /// 429, to come back after so many seconds.
    Later(u64),
    /// Takes it and resets the connection instead of answering.
    TakeAndReset,
    /// Never answers.
    Hang,
}

type Script = Box<dyn FnMut(&[Span]) -> Reply + Send>;

/// Lives as long as the process, on a thread for each connection.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    script: Mutex<Script>,
    taken: Mutex<Vec<Span>>,
}

impl Receiver {
    pub fn start(script: impl FnMut(&[Span]) -> Reply + Send + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(State { script: Mutex::new(Box::new(script)), taken: Mutex::default() });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                // What goes wrong with a connection is what the test is about.
                thread::spawn(move || drop(serve(&stream, &state)));
            }
        });
        Receiver { address, state }
    }

    /// A `[forward.NAME]` that leads here.
    pub fn destination(&self, name: &str) -> String {
        format!("[forward.{name}]\nendpoint = \"http://{}\"\nprotocol = \"http\"\n", self.address)
    }

    /// The spans of requests that it took, again where they came again.
    pub fn taken(&self) -> Vec<Span> {
        self.state.taken.lock().expect("nobody panicked").clone()
    }
}

/// A server that reads one byte a second of whatever it is sent, and never answers.
pub fn one_byte_a_second() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                while matches!(stream.read(&mut [0]), Ok(1)) {
                    thread::sleep(Duration::from_secs(1));
                }
            });
        }
    });
    address
}

fn serve(stream: &TcpStream, state: &State) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let body = read_request(&mut reader)?;
        let request = ExportTraceServiceRequest::decode(&body[..]).expect("the daemon sends OTLP");
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        let spans: Vec<Span> = scopes.flat_map(|scope| scope.spans).collect();
        let reply = (state.script.lock().expect("nobody panicked"))(&spans);
        let take = |spans| state.taken.lock().expect("nobody panicked").extend::<Vec<Span>>(spans);
        match reply {
            Reply::Take => {
                take(spans);
                answer(stream, 200, "")?;
            }
            Reply::Refuse(status) => answer(stream, status, "")?,
            Reply::Later(seconds) => answer(stream, 429, &format!("retry-after: {seconds}\r\n"))?,
            Reply::TakeAndReset => {
                take(spans);
                return Ok(());
            }
            Reply::Hang => thread::park(),
        }
    }
}

/// The body of one request, by its content-length.
fn read_request(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length is a number");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn answer(mut stream: &TcpStream, status: u16, headers: &str) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {status} as told\r\ncontent-length: 0\r\n{headers}\r\n")
}
