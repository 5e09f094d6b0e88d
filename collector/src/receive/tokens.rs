//! Bearer tokens of senders.

use std::fs;
use std::path::Path;

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// The tokens of a `bearer_tokens_file`: one per line, so that an old and a new one can hold side by side.
#[derive(Clone)]
pub struct Tokens(Vec<String>);

impl Tokens {
    /// Reads `file`, which must hold at least one.
    pub fn read(file: &Path) -> Result<Tokens, String> {
        let text = fs::read_to_string(file).map_err(|error| format!("the file can't be read: {error}"))?;
        let tokens = Tokens::parse(&text);
        if tokens.0.is_empty() {
            return Err("the file holds no token; write one per line".to_owned());
        }
        Ok(tokens)
    }

    /// Reads a file's text; empty lines and lines that begin with `#` are skipped.
    pub fn parse(text: &str) -> Tokens {
        let lines = text.lines().map(str::trim);
        Tokens(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
    }

    /// Whether the request carries one of the tokens.
    pub fn admit(&self, headers: &HeaderMap) -> bool {
        let Some(header) = headers.get(AUTHORIZATION) else { return false };
        let Some(sent) = header.as_bytes().strip_prefix(b"Bearer ") else { return false };
        // Every token is compared to its end, so that the time tells nothing of how far a guess was right.
        self.0.iter().fold(false, |found, token| found | same(token.as_bytes(), sent))
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens({})", self.0.len())
    }
}

fn same(token: &[u8], sent: &[u8]) -> bool {
    let differing = token.iter().zip(sent).fold(0, |differing, (a, b)| differing | (a ^ b));
    token.len() == sent.len() && differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_token_admits() {
        let tokens = Tokens::parse("# shops\nalpha\n\n beta \n");
        let admit = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            tokens.admit(&headers)
        };
        assert!(admit("Bearer alpha") && admit("Bearer beta"));
        for wrong in ["Bearer alph", "Bearer alphaa", "alpha", "Bearer ", "Basic alpha", "Bearer # shops"] {
            assert!(!admit(wrong), "{wrong}");
        }
        assert!(!tokens.admit(&HeaderMap::new()));
        assert!(!format!("{tokens:?}").contains("alpha"));
    }
}
