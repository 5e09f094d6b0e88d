//! The script: one incident after another, with quiet between them, over and over.

use std::sync::Arc;
use std::time::Duration;

use super::provider::{Mood, Provider};

/// Time to learn what is normal before the first incident; short, because people watch.
const FIRST_QUIET: Duration = Duration::from_secs(15);
const INCIDENT: Duration = Duration::from_secs(45);
const QUIET: Duration = Duration::from_secs(30);

struct Incident {
    provider: &'static str,
    mood: Mood,
    /// What the demo says when it begins.
    story: &'static str,
}

const INCIDENTS: [Incident; 5] = [
    Incident {
        provider: "wayne-cards",
        mood: Mood::Slow(4.0),
        story: "answers four times slower than usual",
    },
    Incident {
        provider: "umbrella-sms",
        mood: Mood::Failing(0.5),
        story: "fails every second call with 503",
    },
    Incident { provider: "initech-3ds", mood: Mood::Hung, story: "takes calls and never answers" },
    Incident { provider: "globex-wallet", mood: Mood::Declining(0.6), story: "declines most payments" },
    Incident { provider: "acme-bank", mood: Mood::BadEndpoint, story: "has one bad host of four" },
];

pub struct Script {
    providers: Arc<Vec<Provider>>,
}

impl Script {
    pub fn new(providers: Arc<Vec<Provider>>) -> Script {
        Script { providers }
    }

    /// Never ends.
    pub async fn run(self, tell: impl Fn(&str)) {
        tokio::time::sleep(FIRST_QUIET).await;
        for Incident { provider: name, mood, story } in INCIDENTS.iter().cycle() {
            let provider = self.providers.iter().find(|provider| provider.profile.name == *name);
            let provider = provider.expect("a test holds every incident against the list of providers");
            provider.set(*mood);
            tell(&format!("{name} {story}"));
            tokio::time::sleep(INCIDENT).await;
            provider.set(Mood::Well);
            tell(&format!("{name} is well again"));
            tokio::time::sleep(QUIET).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_incident_befalls_a_provider_that_exists() {
        for Incident { provider, mood, .. } in &INCIDENTS {
            let profile = super::super::PROFILES.iter().find(|profile| profile.name == *provider);
            let profile = profile.unwrap_or_else(|| panic!("{provider} is no provider of the demo"));
            assert!(*mood != Mood::BadEndpoint || profile.endpoints > 1, "{provider} has one endpoint only");
        }
    }
}
