//! TLS between whole programs: an agent, a centre, a sender; certificates are replaced while they work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use spanmill_tests::daemon::{self, Daemon};
use spanmill_tests::spans::{call, request, trace_id};
use spanmill_tests::sums::sums_hold;
use spanmill_tests::wait::{self, PATIENCE};
use tempfile::TempDir;

/// Certificates of one authority, in a folder.
struct Authority {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let key = KeyPair::generate().expect("there is randomness");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no names are fine names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities of one name would be one.
        let name = trace_id().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let dir = tempfile::tempdir().expect("there is room for a folder");
        let own = params.self_signed(&key).expect("it signs itself").pem();
        fs::write(dir.path().join("ca.pem"), own).expect("the folder is ours");
        Authority { dir, issuer: Issuer::new(params, key) }
    }

    fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Puts a certificate for 127.0.0.1 and its key into `dir`, one after the other in place of the last ones.
    fn issue(&self, dir: &Path, name: &str) {
        let key = KeyPair::generate().expect("there is randomness");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address is a name");
        let cert = params.signed_by(&key, &self.issuer).expect("the authority signs");
        for (extension, text) in [("crt", cert.pem()), ("key", key.serialize_pem())] {
            fs::write(dir.join("new"), text).expect("the folder is ours");
            fs::rename(dir.join("new"), dir.join(name).with_extension(extension))
                .expect("the folder is ours");
        }
    }
}

fn file(dir: &Path, name: &str) -> String {
    format!("{:?}", dir.join(name))
}

/// A centre that wants certificates of `ca`, and its own in `dir`.
fn centre(dir: &Path, ca: &Authority) -> Daemon {
    ca.issue(dir, "centre");
    let tls = format!(
        "[receive.otlp_grpc.tls]\ncert_file = {}\nkey_file = {}\nclient_ca_file = {:?}\n",
        file(dir, "centre.crt"),
        file(dir, "centre.key"),
        ca.ca()
    );
    Daemon::builder().with(&tls).start()
}

fn agent(dir: &Path, ca: &Authority, centre: &Daemon) -> Daemon {
    ca.issue(dir, "agent");
    let forward = format!(
        "[forward.centre]\nkind = \"spanmill\"\nendpoint = \"https://{}\"\ncompression = \"zstd\"\n\
         [forward.centre.tls]\nca_file = {:?}\ncert_file = {}\nkey_file = {}\n",
        centre.grpc(),
        ca.ca(),
        file(dir, "agent.crt"),
        file(dir, "agent.key")
    );
    Daemon::builder().with(&forward).start()
}

fn send(daemon: &Daemon, count: u64) {
    for n in 0..count {
        let span = call(&trace_id(), n, "api.acme-bank.example", Duration::from_millis(9));
        daemon.send(request(vec![span]).encode_to_vec());
    }
}

/// `spanmill load` against the centre; its output, where it failed.
fn load(centre: &Daemon, more: &[&str]) -> Result<(), String> {
    let target = format!("https://{}", centre.grpc());
    let load = Command::new(daemon::executable())
        .args(["load", "--rate", "100", "--seconds", "1", "--target", &target])
        .args(more)
        .output()
        .expect("spanmill starts");
    if load.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&load.stderr).into_owned()) }
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn an_agent_forwards_over_mutual_tls_and_strangers_get_nothing_in() {
    let (dir, ca) = (tempfile::tempdir().expect("there is room"), Authority::new());
    let centre = centre(dir.path(), &ca);
    let agent = agent(dir.path(), &ca, &centre);
    send(&agent, 30);
    let stats = sums_hold(&agent, |stats| stats["destinations"]["centre"]["forwarded"] == 30);
    assert_eq!(stats["destinations"]["centre"]["duplicates"], 0, "{stats}");
    centre.wait_for_calls("acme-bank.example", 30, PATIENCE);

    let (ca_file, strange) = (ca.ca().display().to_string(), Authority::new());
    let refused = |more: &[&str], wanted: &str| {
        let error = load(&centre, more).expect_err("it is refused");
        assert!(error.contains(wanted), "{error}");
    };
    refused(&["--ca-file", &strange.ca().display().to_string()], "ca_file");
    refused(&["--ca-file", &ca_file], "set cert_file and key_file");
    assert_eq!(centre.json("/api/v1/stats")["received"], 30);
    let (cert, key) = (dir.path().join("agent.crt"), dir.path().join("agent.key"));
    let pair = ["--cert-file", &cert.display().to_string(), "--key-file", &key.display().to_string()];
    load(&centre, &[&["--ca-file", &ca_file][..], &pair].concat()).expect("with both it is let in");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn a_certificate_is_replaced_under_load_and_no_request_fails() {
    let (dir, ca) = (tempfile::tempdir().expect("there is room"), Authority::new());
    let centre = centre(dir.path(), &ca);
    let agent = agent(dir.path(), &ca, &centre);
    let ca_file = ca.ca().display().to_string();
    let [cert, key] =
        ["crt", "key"].map(|end| dir.path().join("agent").with_extension(end).display().to_string());
    let in_use = "the certificate of receive.otlp_grpc: the files have changed and are in use now";
    let mut sent = 0;
    for rotation in 1..=2 {
        ca.issue(dir.path(), "centre");
        wait::until("the new one is in use", PATIENCE, || {
            send(&agent, 5);
            sent += 5;
            // Each on a connection of its own.
            let loaded = load(&centre, &["--ca-file", &ca_file, "--cert-file", &cert, "--key-file", &key]);
            loaded.expect("every request is taken");
            if centre.log().matches(in_use).count() >= rotation { Ok(()) } else { Err(centre.log()) }
        });
    }
    let stats = sums_hold(&agent, |stats| stats["destinations"]["centre"]["queued"] == 0);
    let destination = &stats["destinations"]["centre"];
    assert_eq!((&destination["forwarded"], &destination["duplicates"]), (&sent.into(), &0.into()), "{stats}");
}

#[test]
#[ignore = "end to end: tests/run e2e"]
fn tokens_are_replaced_without_a_restart() {
    let dir = tempfile::tempdir().expect("there is room");
    let tokens = dir.path().join("tokens");
    let write = |text: &str| fs::write(&tokens, text).expect("the folder is ours");
    write("old\n");
    let auth = format!("[receive.otlp_http.auth]\nbearer_tokens_file = {tokens:?}\n");
    let daemon = Daemon::builder().with(&auth).start();
    let span = || request(vec![call(&trace_id(), 1, "api.acme-bank.example", Duration::from_millis(9))]);
    let status = |token: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [("content-type", "application/x-protobuf"), ("authorization", authorization.as_str())];
        daemon.post(&headers, span().encode_to_vec()).status().as_u16()
    };
    let until = |token: &str, wanted: u16| {
        wait::until(&format!("{token} gets {wanted}"), PATIENCE, || match status(token) {
            status if status == wanted => Ok(()),
            other => Err(other),
        });
    };
    assert_eq!((status("old"), status("new")), (200, 401));
    write("old\nnew\n");
    until("new", 200);
    assert_eq!(status("old"), 200);
    write("new\n");
    until("old", 401);
    assert_eq!(status("new"), 200);
}
