//! The verdicts on a provider, as numbers and names: the board and gRPC carry the number, the API the name.

/// How a provider fares, as the detector sees it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Verdict {
    /// Nobody can say: no daemon, no board, or a name that it does not know.
    #[default]
    Unknown = 0,
    /// Too few calls so far to know what is normal.
    Learning = 1,
    /// As it usually is.
    Ok = 2,
    /// Answers come, but later than usual.
    Slow = 3,
    /// More calls fail than usual.
    Failing = 4,
    /// Calls get no answer.
    Hung = 5,
    /// It answers, and says no more often than usual.
    Declining = 6,
    /// Nobody calls it, though at this hour somebody always does.
    Silent = 7,
}

impl Verdict {
    /// All verdicts, each at the place of its number.
    pub const ALL: [Verdict; 8] = [
        Verdict::Unknown,
        Verdict::Learning,
        Verdict::Ok,
        Verdict::Slow,
        Verdict::Failing,
        Verdict::Hung,
        Verdict::Declining,
        Verdict::Silent,
    ];

    /// The verdict of a number; `Unknown` for those that this version does not know.
    pub fn from_number(number: u8) -> Verdict {
        Verdict::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// The name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Unknown => "unknown",
            Verdict::Learning => "learning",
            Verdict::Ok => "ok",
            Verdict::Slow => "slow",
            Verdict::Failing => "failing",
            Verdict::Hung => "hung",
            Verdict::Declining => "declining",
            Verdict::Silent => "silent",
        }
    }
}

/// Whom a verdict is about: all callers, or one part of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Scope {
    /// All callers see it.
    #[default]
    Everyone = 0,
    /// One of our hosts.
    Host = 1,
    /// One of our services.
    Service = 2,
    /// One operation of the provider.
    Operation = 3,
    /// One address of the provider.
    Endpoint = 4,
}

impl Scope {
    /// All scopes, each at the place of its number.
    pub const ALL: [Scope; 5] =
        [Scope::Everyone, Scope::Host, Scope::Service, Scope::Operation, Scope::Endpoint];

    /// The scope of a number; `Everyone` for those that this version does not know, the careful reading.
    pub fn from_number(number: u8) -> Scope {
        Scope::ALL.get(usize::from(number)).copied().unwrap_or_default()
    }

    /// The name in the API, where `:` and a key follow unless it is everyone.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Everyone => "everyone",
            Scope::Host => "host",
            Scope::Service => "service",
            Scope::Operation => "operation",
            Scope::Endpoint => "endpoint",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_leads_back_to_its_verdict() {
        for (number, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(verdict as usize, number);
            assert_eq!(Verdict::from_number(number as u8), verdict);
        }
        assert_eq!(Verdict::from_number(200), Verdict::Unknown);
        for (number, scope) in Scope::ALL.into_iter().enumerate() {
            assert_eq!(scope as usize, number);
            assert_eq!(Scope::from_number(number as u8), scope);
        }
    }
}
