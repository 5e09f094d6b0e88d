//! What a destination may do to us, and what becomes of the spans.

use super::*;

/// Requests of one record each.
fn small(dir: &Path, address: SocketAddr) -> Config {
    Config { request_max: 2_000, ..config(dir, address) }
}

#[tokio::test]
async fn a_delay_that_the_destination_asks_for_is_kept_whatever_else_it_takes() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let mut asked = None;
    let server = Server::start(move |body| match asked {
        // Another request, in flight at that moment, may still arrive and is taken.
        None if contains(body, "record-0#") => {
            asked = Some(Instant::now());
            Reply::Later(1)
        }
        Some(at) if contains(body, "record-0#") => {
            assert!(at.elapsed() >= Duration::from_secs(1), "too early: {:?}", at.elapsed());
            Reply::Take
        }
        _ => Reply::Take,
    })
    .await;
    let destination = begin(small(dir.path(), server.address), &journal);
    let sent = append(&journal, "record", 30, 300).await;
    until_settled(&destination).await;
    assert_eq!(sorted(server.records()), sorted(sent));
    let status = destination.status();
    assert_eq!((status.forwarded, status.duplicates), (90, 0));
}

#[tokio::test]
async fn a_destination_that_flaps_in_every_way_loses_nothing_and_the_sums_add_up() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let mut count = 0;
    let server = Server::start(move |body| {
        if contains(body, "record-77#") {
            return Reply::Status(grpc::Code::InvalidArgument);
        }
        count += 1;
        match count % 11 {
            1 => Reply::Die,
            3 => Reply::TakeAndLeave,
            5 => Reply::TakeAndDie,
            7 => Reply::Status(grpc::Code::Unavailable),
            9 => Reply::TakePartly(1),
            _ => Reply::Take,
        }
    })
    .await;
    let config = Config { request_max: 20_000, ..config(dir.path(), server.address) };
    let mut destination = begin(config.clone(), &journal);
    let mut sent = append(&journal, "record", 100, 500).await;
    until("half is through", || destination.status().forwarded >= 150).await;
    // In the middle of it all the process stops, and goes on later.
    destination.stop(Duration::ZERO).await;
    let first = destination.status();
    assert_sums(&first, 300);
    drop(destination);
    destination = begin(config, &journal);
    sent.extend(append(&journal, "later", 100, 500).await);
    until_settled(&destination).await;
    let second = destination.status();
    assert_sums(&second, 300);
    sent.retain(|record| !contains(record, "record-77#"));
    assert_all_arrived(server.records(), sent);
    assert!(first.rejected_by_destination + second.rejected_by_destination > 3, "{first:?} {second:?}");
    assert_eq!(first.kept_aside + second.kept_aside, 3);
}

#[tokio::test]
async fn what_is_refused_for_good_lies_in_a_file_that_can_be_sent_again() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let poison = |body: &[u8]| contains(body, "record-7#");
    let server =
        Server::start(
            move |body| {
                if poison(body) { Reply::Status(grpc::Code::InvalidArgument) } else { Reply::Take }
            },
        )
        .await;
    let config = config(dir.path(), server.address);
    let folder = config.poison_dir.clone();
    let destination = begin(config, &journal);
    let sent = append(&journal, "record", 20, 100).await;
    until_settled(&destination).await;
    let status = destination.status();
    assert_eq!((status.forwarded, status.rejected_by_destination, status.kept_aside), (57, 3, 3));
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let file = files.iter().find(|file| file.extension().unwrap() == "pb").unwrap();
    assert_eq!(fs::read(file).unwrap(), sent[7]);
    assert!(fs::read_to_string(file.with_extension("txt")).unwrap().contains("InvalidArgument"));
}

#[tokio::test]
async fn a_slow_destination_gets_requests_that_it_takes_in_time() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let server = Server::start(|body| if body.len() > 300_000 { Reply::Hang } else { Reply::Take }).await;
    let timeout = Duration::from_millis(100);
    let destination = begin(Config { timeout, ..config(dir.path(), server.address) }, &journal);
    let mut sent = append(&journal, "record", 40, 10_000).await;
    // One record that is too slow by itself.
    let wide = request("wide", 60, 10_000);
    journal.append(MaskedBatch::restored(wide.into(), 60, NOW, 0)).await.unwrap();
    until_settled(&destination).await;
    assert_eq!(destination.status().forwarded, 180);
    let all = server.records().concat();
    assert!((0..60).all(|i| contains(&all, &format!("wide#{i}:"))));
    sent.retain(|record| !server.records().contains(record));
    assert!(sent.is_empty());
}

#[tokio::test]
async fn a_destination_that_does_not_read_holds_up_nobody() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    // The kernel completes its connections, and there it ends.
    let stuck = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start(|_| Reply::Take).await;
    let timeout = Duration::from_millis(200);
    let config_of =
        |name: &str, address| Config { name: name.into(), timeout, ..config(dir.path(), address) };
    let slow = begin(config_of("slow", stuck.local_addr().unwrap()), &journal);
    let quick = begin(config_of("quick", server.address), &journal);
    let sent = append(&journal, "record", 400, 10_000).await;
    until_settled(&quick).await;
    assert_eq!(sorted(server.records()), sorted(sent));
    until("the stuck one is known to be stuck", || slow.status().last_error.is_some()).await;
    assert_eq!((slow.status().queued, slow.status().forwarded), (1_200, 0));
    assert_sums(&slow.status(), 1_200);
    // And it is not waited for.
    slow.stop(Duration::from_millis(50)).await;
}

#[tokio::test]
async fn a_destination_that_is_gone_from_the_configuration_holds_nothing() {
    let dir = TempDir::new().unwrap();
    let address = Server::start(|_| Reply::Take).await.address;
    let journal = open_journal(dir.path());
    drop(begin(Config { name: "gone".into(), ..config(dir.path(), address) }, &journal));
    append(&journal, "record", 10, 100).await;
    journal.close().await;
    drop(journal);
    // After the restart nobody but the new one is waited for, and it starts with what comes.
    let journal = open_journal(dir.path());
    let server = Server::start(|_| Reply::Take).await;
    tell_of_absent(dir.path(), &["new"], &journal);
    let new = begin(Config { name: "new".into(), ..config(dir.path(), server.address) }, &journal);
    let sent = append(&journal, "later", 10, 100).await;
    until_settled(&new).await;
    assert_eq!(sorted(server.records()), sorted(sent));
    assert_eq!(new.status().recovered, 0);
    assert!(dir.path().join("gone.checkpoint").exists());
}

#[tokio::test]
async fn a_backlog_is_worked_off_over_several_connections_and_one_is_enough_after() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let server = Server::start(|_| Reply::Status(grpc::Code::Unavailable)).await;
    let destination = begin(Config { request_max: 50_000, ..config(dir.path(), server.address) }, &journal);
    let sent = append(&journal, "record", 300, 3_000).await;
    until("it was tried", || destination.status().last_error.is_some()).await;
    server.now_replies(|_| Reply::Take);
    until_settled(&destination).await;
    assert_all_arrived(server.records(), sent);
    let connections = server.connections();
    assert!((2..=8).contains(&connections), "{connections} connections");
    for round in 0..5 {
        append(&journal, &format!("later-{round}"), 1, 100).await;
        until_settled(&destination).await;
    }
    assert_eq!(server.connections(), connections, "a connection that rests is used again");
}

#[tokio::test]
async fn a_destination_that_takes_next_to_nothing_gets_that_and_its_refusals_are_kept() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    // A proxy in front of it answers, and says nothing of gRPC.
    let server = Server::start(|body| if body.len() > 3_000 { Reply::Http(413) } else { Reply::Take }).await;
    let destination = begin(config(dir.path(), server.address), &journal);
    append(&journal, "record", 20, 2_000).await;
    let huge = request("huge", 1, 10_000);
    journal.append(MaskedBatch::restored(huge.into(), 1, NOW, 0)).await.unwrap();
    append(&journal, "later", 5, 500).await;
    until_settled(&destination).await;
    let status = destination.status();
    assert_eq!(
        (status.forwarded, status.rejected_by_destination, status.kept_aside),
        (75, 1, 1),
        "{status:?}"
    );
    assert!(server.taken().iter().all(|(_, body)| body.len() <= 3_000));
}
