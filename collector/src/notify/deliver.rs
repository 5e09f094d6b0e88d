//! The thread: one task per receiver, so that a dead one delays no other, and one that keeps the outbox.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::LocalSet;

use super::channel::{About, Answer};
use super::post::post;
use super::{Shared, outbox, retry};

/// How often due calls, mutes that end and the outbox are looked after.
const REST: Duration = Duration::from_millis(250);

pub fn run(shared: &Arc<Shared>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!("the notifiers have no runtime: {error}"),
    };
    let tasks = LocalSet::new();
    for index in 0..shared.config.targets.len() {
        let shared = Arc::clone(shared);
        tasks.spawn_local(async move { serve(&shared, index).await });
    }
    tasks.block_on(&runtime, keep(shared));
    save(shared, false);
}

/// Makes the calls of one receiver, one after the other.
async fn serve(shared: &Shared, index: usize) {
    let about = About { instance: &shared.config.instance, page: &shared.config.page };
    loop {
        let due = shared.desk().due(index, shared.clock.unix_ns(), &about);
        let Some(call) = due else {
            tokio::time::sleep(REST).await;
            continue;
        };
        let now_ns = shared.clock.unix_ns();
        let answer = match post(&shared.config.targets[index], call, now_ns).await {
            Ok(answer) => answer,
            Err(reason) => Answer::Failed(reason),
        };
        let (now_ns, random) = (shared.clock.unix_ns(), retry::random(&shared.clock));
        shared.desk().answered(index, answer, now_ns, random);
    }
}

/// Looks after mutes and the outbox until the stage stops.
async fn keep(shared: &Shared) {
    let mut failed = false;
    while !shared.stops.load(Ordering::Acquire) {
        shared.desk().tick(shared.clock.unix_ns());
        failed = save(shared, failed);
        tokio::select! {
            () = tokio::time::sleep(REST) => {}
            () = shared.wake.notified() => {}
        }
    }
}

/// Writes the outbox where it is behind; true = it could not be written. It is said once.
fn save(shared: &Shared, failed_before: bool) -> bool {
    let Some(kept) = shared.desk().unsaved(&shared.config) else { return failed_before };
    match outbox::save(&shared.config.file, &kept) {
        Ok(()) => false,
        Err(error) => {
            if !failed_before {
                let file = shared.config.file.display();
                tracing::error!("undelivered alerts can't be kept in {file}: {error}; trying on");
            }
            shared.desk().not_saved();
            true
        }
    }
}
