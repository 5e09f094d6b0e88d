//! The names of requests against a receiver that keeps their rule, as another spanmill does.

use super::*;

/// Ranges that were taken, ascending.
#[derive(Default)]
struct Centre {
    known: Vec<(u64, u64)>,
    spans: u64,
}

impl Centre {
    fn answer(&mut self, headers: &HeaderMap, body: &[u8]) -> Reply {
        let (_, range) = headers["spanmill-batch"].to_str().unwrap().split_once('/').unwrap();
        let (begin, end) = range.split_once('-').unwrap();
        let (begin, end): (u64, u64) = (begin.parse().unwrap(), end.parse().unwrap());
        let overlap = |(a, b): &(u64, u64)| end.min(*b).saturating_sub(begin.max(*a));
        let covered: u64 = self.known.iter().map(overlap).sum();
        if covered == end - begin {
            return Reply::Take;
        }
        if covered > 0 {
            return Reply::Overlap;
        }
        self.known.push((begin, end));
        self.known.sort_unstable();
        self.known.dedup_by(|next, last| {
            let touches = last.1 == next.0;
            last.1 = if touches { next.1 } else { last.1 };
            touches
        });
        self.spans += u64::from(otlp::count_spans(body).unwrap());
        Reply::Take
    }
}

#[tokio::test]
async fn a_receiver_that_goes_by_the_names_counts_each_span_once() {
    let dir = TempDir::new().unwrap();
    let journal = open_journal(dir.path());
    let centre = Arc::new(Mutex::new(Centre::default()));
    let seen = Arc::clone(&centre);
    let mut count = 0;
    let server = Server::start_reading_headers(move |headers, body| {
        count += 1;
        match seen.lock().unwrap().answer(headers, body) {
            // Taken, and the answer is lost.
            Reply::Take if count % 3 == 0 => Reply::TakeAndDie,
            reply => reply,
        }
    })
    .await;
    let mut spans = 0;
    // Each start cuts the log elsewhere, and forgets how far the last one came.
    for (round, request_max) in [40_000, 9_000, 100_000, 25_000, 60_000].into_iter().enumerate() {
        append(&journal, &format!("round-{round}"), 40, 800).await;
        let wide = request(&format!("wide-{round}"), 30, 3_000);
        journal.append(MaskedBatch::restored(wide.into(), 30, NOW, 0)).await.unwrap();
        fs::write(dir.path().join("jaeger.checkpoint"), "nonsense").unwrap();
        let config = Config { request_max, ..config(dir.path(), server.address) };
        let destination = begin(config, &journal);
        spans += 150;
        until_settled(&destination).await;
        let status = destination.status();
        assert_eq!((status.forwarded, status.rejected_by_destination), (spans, 0), "{status:?}");
        assert_eq!(centre.lock().unwrap().spans, spans);
        destination.stop(Duration::ZERO).await;
    }
}
