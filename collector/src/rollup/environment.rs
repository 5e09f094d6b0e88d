//! Environments: production has no suffix, each other one is `@name`, so that staging raises no alarm.

use super::host::normalise;

/// Environments beside production; more are `@_other`. Companies have dev, test, stage and a few more.
const ENVIRONMENTS_MAX: usize = 16;
/// Spellings remembered as they came; more are looked up letter by letter.
const SPELLINGS_MAX: usize = 64;
/// Longest suffix.
const NAME_MAX: usize = 32;

#[derive(Debug)]
pub struct Environments {
    production: Vec<String>,
    /// By number; 0 is production.
    names: Vec<String>,
    spellings: Vec<(Box<[u8]>, u8)>,
}

impl Environments {
    pub fn new(production: &[String]) -> Environments {
        let production = production.iter().map(|name| normalise(name)).collect();
        Environments { production, names: vec![String::new()], spellings: Vec::new() }
    }

    /// The number of the environment that a resource says it is in. One that says nothing is in production.
    pub fn number(&mut self, environment: Option<&[u8]>) -> u8 {
        let Some(text) = environment else { return 0 };
        if let Some((_, number)) = self.spellings.iter().find(|(spelling, _)| **spelling == *text) {
            return *number;
        }
        let number = self.number_of_name(normalise(&String::from_utf8_lossy(text)));
        if self.spellings.len() < SPELLINGS_MAX {
            self.spellings.push((text.into(), number));
        }
        number
    }

    fn number_of_name(&mut self, mut name: String) -> u8 {
        name.truncate(NAME_MAX);
        if name.is_empty() || self.production.contains(&name) {
            return 0;
        }
        if let Some(at) = self.names.iter().position(|known| *known == name) {
            return at as u8;
        }
        match self.names.len() - 1 {
            ..ENVIRONMENTS_MAX => self.names.push(name),
            ENVIRONMENTS_MAX => self.names.push("_other".to_owned()),
            _ => {}
        }
        (self.names.len() - 1) as u8
    }

    /// `sberbank`, or `sberbank@staging`.
    pub fn qualify(&self, provider: &str, number: u8) -> String {
        match number {
            0 => provider.to_owned(),
            number => format!("{provider}@{}", self.names[usize::from(number)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_has_no_suffix_and_the_rest_has_one() {
        let mut environments = Environments::new(&["production".to_owned(), "live".to_owned()]);
        let mut check = |environment: Option<&str>, want: &str| {
            let number = environments.number(environment.map(str::as_bytes));
            assert_eq!(environments.qualify("bank", number), want, "{environment:?}");
        };
        check(None, "bank");
        check(Some("production"), "bank");
        check(Some("Production"), "bank");
        check(Some("LIVE"), "bank");
        check(Some("staging"), "bank@staging");
        check(Some("Staging"), "bank@staging");
        check(Some("QA 2"), "bank@qa-2");
        check(Some("   "), "bank");
    }

    #[test]
    fn environments_are_bounded() {
        let mut environments = Environments::new(&[]);
        for i in 0..1000 {
            environments.number(Some(format!("env{i}").as_bytes()));
        }
        assert_eq!(environments.names.len(), ENVIRONMENTS_MAX + 2);
        let number = environments.number(Some(b"env999"));
        assert_eq!(environments.qualify("bank", number), "bank@_other");
        let first = environments.number(Some(b"env0"));
        assert_eq!(environments.qualify("bank", first), "bank@env0");
    }
}
