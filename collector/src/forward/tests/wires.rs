//! The same spans over everything that is spoken to a destination.

use super::*;
use crate::tls;
use crate::tls::testing::{Authority, client_files, server_files};

fn over_http(dir: &Path, address: SocketAddr) -> Config {
    let config = config(dir, address);
    let target = Target { protocol: Protocol::Http1, ..config.target.clone() };
    Config { target, path: "/v1/traces".parse().unwrap(), ..config }
}

fn over_tls(config: Config, files: tls::ClientFiles) -> Config {
    let client = tls::Client::new("forward.jaeger", files, config.target.protocol.alpn()).unwrap();
    let target = Target { tls: Some(Arc::new(client)), ..config.target.clone() };
    Config { target, endpoint: config.endpoint.replace("http", "https"), ..config }
}

#[tokio::test]
async fn grpc_and_http_plain_and_compressed_carry_the_same_bytes() {
    let server = Server::start(|_| Reply::Take).await;
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        for wire in [config, over_http] {
            let dir = TempDir::new().unwrap();
            let journal = open_journal(dir.path());
            let config = Config { compression, ..wire(dir.path(), server.address) };
            let protocol = config.target.protocol;
            let destination = begin(config, &journal);
            let label = format!("{compression:?} {protocol:?}");
            let mut sent = append(&journal, &label, 100, 300).await;
            sent.extend(append(&journal, &format!("large {label}"), 3, 20_000).await);
            until_settled(&destination).await;
            let arrived = server.records().into_iter().filter(|record| contains(record, &label)).collect();
            assert_eq!(sorted(arrived), sorted(sent), "{label}");
            let status = destination.status();
            assert_eq!((status.forwarded, status.duplicates), (309, 0), "{label}");
        }
    }
}

#[tokio::test]
async fn the_answers_of_http_have_their_consequences() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let mut once = [Reply::Later(1), Reply::Http(503), Reply::TakePartly(2), Reply::TakeAndDie].into_iter();
    let server = Server::start(move |body| {
        if contains(body, "record-150#") {
            Reply::Http(400)
        } else if body.len() > 70_000 {
            Reply::Http(413)
        } else {
            once.next().unwrap_or(Reply::Take)
        }
    })
    .await;
    let destination = begin(over_http(dir.path(), server.address), &journal);
    let mut sent = append(&journal, "record", 200, 500).await;
    until_settled(&destination).await;
    sent.retain(|record| !contains(record, "record-150#"));
    assert_all_arrived(server.records(), sent);
    let status = destination.status();
    assert_eq!((status.forwarded, status.rejected_by_destination), (595, 5), "{status:?}");
    assert_sums(&status, 600);
}

#[tokio::test]
async fn tls_carries_grpc_and_http_to_whom_both_sides_trust() {
    let dir = TempDir::new().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let agent = ca.issue(dir.path(), "agent", "agent.example");
    let files = server_files(ca.issue(dir.path(), "server", "127.0.0.1"), Some(&ca));
    let server = Server::start_with_tls(files).await;
    let journal = open_journal(dir.path());
    let mut sent = Vec::new();
    for (name, wire) in [("grpc", config as fn(&Path, SocketAddr) -> Config), ("http", over_http)] {
        let config = Config { name: name.into(), ..wire(dir.path(), server.address) };
        let config = over_tls(config, client_files(&ca, Some(agent.clone())));
        let destination = begin(config, &journal);
        sent.extend(append(&journal, name, 50, 1_000).await);
        until_settled(&destination).await;
    }
    assert_eq!(sorted(server.records()), sorted(sent));
}

#[tokio::test]
async fn a_destination_that_cannot_be_trusted_gets_nothing_and_the_error_names_the_fix() {
    let dir = TempDir::new().unwrap();
    let ca = Authority::new(dir.path(), "ca");
    let journal = open_journal(dir.path());
    let (expired, elsewhere) =
        (ca.issue_expired(dir.path(), "old", "127.0.0.1"), ca.issue(dir.path(), "else", "else.example"));
    let strange = Authority::new(dir.path(), "strange").issue(dir.path(), "strange", "127.0.0.1");
    let mutual = ca.issue(dir.path(), "mutual", "127.0.0.1");
    for (name, files, wanted) in [
        ("expired", server_files(expired, None), "renew it there"),
        ("elsewhere", server_files(elsewhere, None), "server_name"),
        ("strange", server_files(strange, None), "ca_file"),
        ("mutual", server_files(mutual, Some(&ca)), "set cert_file and key_file"),
    ] {
        let server = Server::start_with_tls(files).await;
        let config = Config { name: name.into(), ..config(dir.path(), server.address) };
        let destination = begin(over_tls(config, client_files(&ca, None)), &journal);
        append(&journal, name, 1, 10).await;
        let fix = || destination.status().last_error.unwrap_or_default().contains(wanted);
        until(&format!("{name} says {wanted}: {:?}", destination.status().last_error), fix).await;
        assert_eq!((server.requests(), destination.status().queued), (0, 3), "{name}");
    }
}

#[tokio::test]
async fn our_own_certificate_is_replaced_without_a_restart() {
    let dir = TempDir::new().unwrap();
    let (old, new) = (Authority::new(dir.path(), "old"), Authority::new(dir.path(), "new"));
    let server = server_files(old.issue(dir.path(), "server", "127.0.0.1"), Some(&new));
    let server = Server::start_with_tls(server).await;
    let agent = old.issue(dir.path(), "agent", "agent.example");
    let journal = open_journal(dir.path());
    let config = over_tls(config(dir.path(), server.address), client_files(&old, Some(agent)));
    let destination = begin(config, &journal);
    let sent = append(&journal, "record", 5, 10).await;
    until("the old certificate is refused", || destination.status().last_error.is_some()).await;
    assert_eq!(server.requests(), 0);
    new.issue(dir.path(), "agent", "agent.example");
    until_settled(&destination).await;
    assert_eq!(sorted(server.records()), sorted(sent));
}
