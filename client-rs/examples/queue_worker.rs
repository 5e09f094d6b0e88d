//! A worker that takes jobs from a queue: a span for each job, below the span of who put it there; no runtime.
//!
//! `cargo run -p spanmill --example queue_worker`

use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use spanmill::{Kind, Provider, Span};

static SMS: Provider = Provider::new("sms-gateway");

/// A job as it travels: its headers carry the trace.
struct Job {
    headers: Vec<(String, String)>,
    phone: &'static str,
}

fn main() -> Result<(), spanmill::InitError> {
    let guard = spanmill::builder().service("notifier").init()?;
    let (queue, jobs) = channel();
    let worker = thread::spawn(move || work(&jobs));
    for phone in ["+1 555 0100", "+1 555 0101", "unreachable"] {
        let span = Span::builder("send notifications").kind(Kind::Producer).start();
        let _current = span.enter();
        let mut headers = Vec::new();
        spanmill::inject(|name, value| headers.push((name.to_string(), value.to_string())));
        queue.send(Job { headers, phone }).expect("the worker lives as long as the queue");
    }
    drop(queue);
    worker.join().expect("the worker does not panic");
    let report = guard.shutdown(Duration::from_secs(2));
    println!("{} spans sent, {} dropped", report.sent, report.dropped.total());
    Ok(())
}

fn work(jobs: &Receiver<Job>) {
    for job in jobs {
        let find =
            |name: &str| job.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let span = Span::builder("process notifications").consumer();
        let span = match spanmill::extract(find) {
            Some(sender) => span.parent(&sender).start(),
            None => span.root().start(),
        };
        let _current = span.enter();
        let mut call = SMS.call("send");
        match send(job.phone) {
            Ok(id) => {
                call.log("accepted", |log| log.tag("message.id", id));
                call.ok();
            }
            Err(error) => call.failed(&error),
        }
    }
}

fn send(phone: &str) -> Result<u64, std::io::Error> {
    thread::sleep(Duration::from_millis(5));
    if phone.starts_with('+') { Ok(4711) } else { Err(std::io::ErrorKind::HostUnreachable.into()) }
}
