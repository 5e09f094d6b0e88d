//! Between the detector and all who have to know: the store, the notifiers, the page's event stream, the boards.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use spanmill_proto::v1::{AgeLimits, ProviderVerdict, ScopeKind};
use tokio::sync::{broadcast, watch};

use crate::detect::{self, Alert, Change, Saved, Scope, Severity, Standing, Surroundings, Verdict};
use crate::notify::{self, Notice, Notifier};
use crate::receive::{OpenCall, Target};
use crate::rollup::{Figures, Names, Observed, Rollup, registry};
use crate::store::{self, Store};

/// What a `[[provider]]` table says to people and to applications.
#[derive(Debug, Clone, Default)]
pub struct Card {
    pub aliases: Vec<String>,
    pub owner: Option<String>,
    runbook: Option<String>,
    status_page: Option<String>,
    pub mute: bool,
}

/// Those of all providers, by name. Cheap to clone; a reload replaces what every clone has.
#[derive(Debug, Clone, Default)]
pub struct Cards(Arc<RwLock<HashMap<String, Card>>>);

impl Cards {
    pub fn new(registry: &registry::Config) -> Cards {
        Cards(Arc::new(RwLock::new(read(registry))))
    }

    pub fn reload(&self, registry: &registry::Config) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = read(registry);
    }

    /// `name@environment` has the card of `name`, but no alias: those mean production.
    pub fn of(&self, provider: &str) -> Option<Card> {
        let cards = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match provider.split_once('@') {
            Some((base, _)) => cards.get(base).map(|card| Card { aliases: Vec::new(), ..card.clone() }),
            None => cards.get(provider).cloned(),
        }
    }
}

fn read(registry: &registry::Config) -> HashMap<String, Card> {
    let card = |one: &registry::Provider| Card {
        aliases: one.aliases.clone(),
        owner: one.owner.clone(),
        runbook: one.runbook.clone(),
        status_page: one.status_page.clone(),
        mute: one.mute,
    };
    registry.providers.iter().map(|one| (one.name.clone(), card(one))).collect()
}

/// Whether people or the configuration want to hear nothing of a provider now.
pub fn is_muted(cards: &Cards, store: &Store, provider: &str) -> bool {
    cards.of(provider).is_some_and(|card| card.mute) || store.is_muted(provider)
}

/// A detector that starts knows of no alert of before. What it has not found again by then is over.
const FOUND_AGAIN_S: u32 = 600;

/// The detector's surroundings.
pub struct Told {
    pub rollup: Rollup,
    pub store: Store,
    pub notifier: Notifier,
    pub cards: Cards,
    /// Baselines of before the start, until the detector has them.
    pub saved: Mutex<Vec<Saved>>,
    /// Ids of the alerts that fire, and the seconds since the start.
    pub firing: Mutex<(HashSet<String>, u32)>,
    /// To the page.
    pub alerts: broadcast::Sender<Arc<Alert>>,
    /// To the board of this host and to `Providers.Watch`.
    pub verdicts: watch::Sender<Arc<Vec<ProviderVerdict>>>,
}

impl Surroundings for Told {
    fn observed(&self) -> Observed {
        self.rollup.observed()
    }

    fn names(&self) -> &dyn Names {
        &self.rollup
    }

    fn is_ready(&self) -> bool {
        self.rollup.is_ready()
    }

    fn is_muted(&self, provider: &str) -> bool {
        is_muted(&self.cards, &self.store, provider)
    }

    fn standing(&self, standings: &Arc<Vec<Standing>>) {
        let board = self.rollup.board();
        let board = Arc::clone(&board.borrow());
        let figures: HashMap<&str, &Figures> =
            board.providers.iter().map(|figures| (figures.name.as_str(), figures)).collect();
        let verdicts = standings.iter().map(|standing| {
            let card = self.cards.of(&standing.provider);
            verdict(standing, figures.get(&*standing.provider).copied(), card.as_ref(), &self.rollup)
        });
        self.verdicts.send_replace(Arc::new(verdicts.collect()));
        self.end_what_was_forgotten();
    }

    fn changed(&self, changes: &[Change]) {
        for change in changes {
            let alert = change.alert();
            self.remember(alert);
            // An error says that nobody listens.
            let _ = self.alerts.send(Arc::new(alert.clone()));
            drop(self.store.put_alert(stored(alert)));
            if !alert.grouped {
                self.notifier.tell(&notice(alert, self.cards.of(&alert.provider).unwrap_or_default()));
            }
            let state = if alert.resolved_unix_ns.is_some() { "is over" } else { "fires" };
            tracing::info!(
                "{} {}, {}: {state}: {}",
                alert.provider,
                name(alert),
                alert.scope,
                alert.evidence
            );
        }
    }

    fn saved(&self) -> Vec<Saved> {
        std::mem::take(&mut self.saved.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn save(&self, baselines: Vec<Saved>) {
        // The store counts and logs what it can't write, and the next minute brings it again.
        drop(self.store.put_baselines(kept(baselines)));
    }
}

/// What the store keeps for the detector.
pub fn kept(baselines: Vec<Saved>) -> Vec<store::detector::Baseline> {
    let one = |saved: Saved| store::detector::Baseline {
        provider: saved.provider.to_string(),
        version: detect::SAVED_VERSION,
        body: saved.bytes,
    };
    baselines.into_iter().map(one).collect()
}

/// What the store has kept for the detector.
pub fn saved(baselines: Vec<store::detector::Baseline>) -> Vec<Saved> {
    let one = |kept: store::detector::Baseline| Saved { provider: kept.provider.into(), bytes: kept.body };
    baselines.into_iter().map(one).collect()
}

impl Told {
    fn remember(&self, alert: &Alert) {
        let mut firing = self.firing.lock().unwrap_or_else(PoisonError::into_inner);
        if alert.resolved_unix_ns.is_some() {
            firing.0.remove(&alert.id);
        } else {
            firing.0.insert(alert.id.clone());
        }
    }

    fn end_what_was_forgotten(&self) {
        let mut firing = self.firing.lock().unwrap_or_else(PoisonError::into_inner);
        firing.1 = firing.1.saturating_add(1);
        if firing.1 == FOUND_AGAIN_S {
            for notice in self.notifier.only_firing(&firing.0) {
                drop(self.store.put_alert(ended(notice)));
            }
        }
    }
}

/// An alert as people are told of it.
fn notice(alert: &Alert, card: Card) -> Notice {
    Notice {
        id: alert.id.clone(),
        provider: alert.provider.to_string(),
        kind: match alert.scope {
            Scope::OurSide => "our_side".to_owned(),
            _ => name(alert).to_owned(),
        },
        scope: alert.scope.to_string(),
        severity: match alert.severity {
            Severity::Page => notify::Severity::Page,
            Severity::Info => notify::Severity::Info,
        },
        started_unix_ns: alert.started_unix_ns,
        detected_unix_ns: alert.detected_unix_ns,
        resolved_unix_ns: alert.resolved_unix_ns,
        evidence: alert.evidence.clone(),
        exemplars: alert.exemplars.iter().map(hex).collect(),
        providers: alert.providers.iter().map(ToString::to_string).collect(),
        owner: card.owner,
        runbook: card.runbook,
        status_page: card.status_page,
    }
}

/// The age at which an open call counts as one that gets no answer, where that is known.
pub fn tail_ns(standings: &[Standing], call: &OpenCall, names: &dyn Names) -> Option<u64> {
    let Target::Provider(provider) = &call.target else { return None };
    let standing = standings.iter().find(|standing| standing.provider == *provider)?;
    let limits = standing.limits.iter().find(|limits| names.text(limits.operation) == call.operation)?;
    Some(limits.tail_ns)
}

fn name(alert: &Alert) -> &'static str {
    alert.kind.verdict().name()
}

fn hex(id: &[u8; 16]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn stored(alert: &Alert) -> store::alerts::Alert {
    let ms = |ns: u64| ns / 1_000_000;
    store::alerts::Alert {
        id: alert.id.clone(),
        provider: alert.provider.to_string(),
        kind: name(alert).to_owned(),
        scope: alert.scope.to_string(),
        started_ms: ms(alert.started_unix_ns),
        detected_ms: ms(alert.detected_unix_ns),
        resolved_ms: alert.resolved_unix_ns.map(ms),
        evidence: alert.evidence.clone(),
        exemplars: alert.exemplars.iter().map(hex).collect(),
        severity: match alert.severity {
            Severity::Page => "page".to_owned(),
            Severity::Info => "info".to_owned(),
        },
        muted: alert.muted,
    }
}

/// An alert of an earlier process, as it was told.
fn ended(notice: Notice) -> store::alerts::Alert {
    let ms = |ns: u64| ns / 1_000_000;
    store::alerts::Alert {
        id: notice.id,
        provider: notice.provider,
        kind: notice.kind,
        scope: notice.scope,
        started_ms: ms(notice.started_unix_ns),
        detected_ms: ms(notice.detected_unix_ns),
        resolved_ms: notice.resolved_unix_ns.map(ms),
        evidence: notice.evidence,
        exemplars: notice.exemplars,
        severity: notice.severity.name().to_owned(),
        muted: false,
    }
}

fn verdict(
    standing: &Standing,
    figures: Option<&Figures>,
    card: Option<&Card>,
    names: &dyn Names,
) -> ProviderVerdict {
    let (scope, scope_key) = match &standing.scope {
        None | Some(Scope::Everyone | Scope::OurSide) => (ScopeKind::Everyone, ""),
        Some(Scope::Host(name)) => (ScopeKind::Host, &**name),
        Some(Scope::Service(name)) => (ScopeKind::Service, &**name),
        Some(Scope::Operation(name)) => (ScopeKind::Operation, &**name),
        Some(Scope::Endpoint(name)) => (ScopeKind::Endpoint, &**name),
    };
    let ns = |ms: f64| (ms * 1e6) as u64;
    let limits = standing.limits.iter().map(|limits| AgeLimits {
        operation: names.text(limits.operation).to_string(),
        slow_ms: limits.slow_ns / 1_000_000,
        tail_ms: limits.tail_ns / 1_000_000,
    });
    ProviderVerdict {
        provider: standing.provider.to_string(),
        aliases: card.map(|card| card.aliases.clone()).unwrap_or_default(),
        verdict: number(standing.verdict).into(),
        since_unix_ns: standing.since_unix_ns,
        scope: scope.into(),
        scope_key: scope_key.to_owned(),
        generation: standing.generation,
        evidence: standing.evidence.clone().unwrap_or_default(),
        p95_ns: figures.and_then(|figures| figures.p95_ms).map(ns),
        p95_usual_ns: standing.baseline.map(|baseline| baseline.p95_ns),
        failures_per_million: figures
            .and_then(|figures| figures.failure_ratio)
            .map(|ratio| (ratio * 1e6) as u64),
        in_flight: figures.and_then(|figures| figures.in_flight),
        limits: limits.collect(),
        removed: false,
    }
}

fn number(verdict: Verdict) -> spanmill_proto::v1::Verdict {
    use spanmill_proto::v1::Verdict as Number;
    match verdict {
        Verdict::Ok => Number::Ok,
        Verdict::Slow => Number::Slow,
        Verdict::Failing => Number::Failing,
        Verdict::Hung => Number::Hung,
        Verdict::Declining => Number::Declining,
        Verdict::Silent => Number::Silent,
        Verdict::Learning => Number::Learning,
        Verdict::Unknown => Number::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::Kind;

    #[test]
    fn a_notice_about_our_side_lists_the_providers() {
        let alert = Alert {
            id: "01".to_owned(),
            provider: "*".into(),
            kind: Kind::Hung,
            scope: Scope::OurSide,
            started_unix_ns: 1,
            detected_unix_ns: 2,
            resolved_unix_ns: None,
            evidence: "2 providers at once".to_owned(),
            exemplars: vec![[0xab; 16]],
            providers: vec!["bank".into(), "shop".into()],
            severity: Severity::Page,
            muted: false,
            grouped: false,
        };
        let notice = notice(&alert, Card::default());
        assert_eq!(
            (notice.kind.as_str(), &notice.providers[..]),
            ("our_side", &["bank".to_owned(), "shop".to_owned()][..])
        );
        assert_eq!(notice.exemplars, ["ab".repeat(16)]);
    }
}
