//! Where alerts come in: holds back those of muted providers, and gives each of the others to every receiver.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::channel::{About, Answer, Call, Channel, Status};
use super::outbox::{Kept, target_key};
use super::{Config, IsMuted, Notice};

/// Alerts known to be firing; beyond it one is passed on, and forgotten. A provider table full times its scopes.
const FIRING_MAX: usize = 5_000;
pub struct Desk {
    channels: Vec<Channel>,
    firing: BTreeMap<String, Firing>,
    is_muted: IsMuted,
    suppressed: u64,
    /// Whether the outbox on disk is behind.
    unsaved: bool,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Firing {
    pub notice: Notice,
    /// Given to the receivers, so that they must hear of its end.
    pub told: bool,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Desk { channels, firing, .. } = self;
        f.debug_struct("Desk").field("channels", channels).field("firing", firing).finish_non_exhaustive()
    }
}

impl Desk {
    pub fn new(config: &Config, mut kept: Kept, is_muted: IsMuted) -> Desk {
        let channels = config.targets.iter();
        let channels = channels.map(|target| Channel::new(target, kept.targets.remove(&target_key(target))));
        Desk { channels: channels.collect(), firing: kept.firing, is_muted, suppressed: 0, unsaved: false }
    }

    pub fn tell(&mut self, notice: &Notice, now_ns: u64) {
        self.unsaved = true;
        let known = self.firing.remove(&notice.id);
        let was_held_back = known.as_ref().is_some_and(|known| !known.told);
        if notice.is_resolved() {
            if was_held_back {
                self.suppressed += 1;
            } else {
                self.hand_on(notice, now_ns);
            }
            return;
        }
        let told = known.is_some_and(|known| known.told) || !(self.is_muted)(&notice.provider);
        if self.firing.len() < FIRING_MAX {
            self.firing.insert(notice.id.clone(), Firing { notice: notice.clone(), told });
        }
        if told {
            self.hand_on(notice, now_ns);
        }
    }

    pub fn only_firing(&mut self, ids: &HashSet<String>, now_ns: u64) -> Vec<Notice> {
        let gone = self.firing.values().filter(|firing| !ids.contains(&firing.notice.id));
        let ended = |firing: &Firing| Notice { resolved_unix_ns: Some(now_ns), ..firing.notice.clone() };
        let ended: Vec<Notice> = gone.map(ended).collect();
        ended.iter().for_each(|notice| self.tell(notice, now_ns));
        ended
    }

    /// Tells of what was held back and fires still after its provider's mute has ended.
    pub fn tick(&mut self, now_ns: u64) {
        let held_back = self.firing.values().filter(|firing| !firing.told);
        let due: Vec<Notice> = held_back
            .filter(|firing| !(self.is_muted)(&firing.notice.provider))
            .map(|firing| firing.notice.clone())
            .collect();
        due.iter().for_each(|notice| self.tell(notice, now_ns));
    }

    fn hand_on(&mut self, notice: &Notice, now_ns: u64) {
        self.channels.iter_mut().for_each(|channel| channel.take(notice, now_ns));
    }

    pub fn due(&mut self, index: usize, now_ns: u64, about: &About<'_>) -> Option<Call> {
        let call = self.channels[index].due(now_ns, about);
        self.unsaved |= call.is_some();
        call
    }

    pub fn answered(&mut self, index: usize, answer: Answer, now_ns: u64, random: u64) {
        self.unsaved |= answer == Answer::Taken;
        self.channels[index].answered(answer, now_ns, random);
    }

    /// What has to be on disk, if that is not there already.
    pub fn unsaved(&mut self, config: &Config) -> Option<Kept> {
        let waiting = config.targets.iter().zip(&self.channels);
        std::mem::take(&mut self.unsaved).then(|| Kept {
            targets: waiting
                .map(|(target, channel)| (target_key(target), channel.waiting().clone()))
                .collect(),
            firing: self.firing.clone(),
        })
    }

    /// The outbox could not be written; it is tried again.
    pub fn not_saved(&mut self) {
        self.unsaved = true;
    }

    pub fn status(&self) -> Vec<Status> {
        self.channels.iter().map(Channel::status).collect()
    }

    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }
}
