//! Secrets that show what they are: vendors' keys by prefix, JSON web tokens, `Bearer` and `Basic`, private keys in PEM.

use crate::base64;
use crate::edit::Edit;
use crate::report::Rule;
use crate::rules::wrapped;

/// A vendor's key: how it starts, and how many letters, digits, `_` or `-` follow at least.
struct Vendor {
    prefix: &'static [u8],
    /// Index of a byte of class `special` in `prefix` with two bytes before it: that is how it is noticed.
    spot: usize,
    more: usize,
}

const fn vendor(prefix: &'static str, spot: usize, more: usize) -> Vendor {
    Vendor { prefix: prefix.as_bytes(), spot, more }
}

/// Adding a vendor is one line here.
const VENDORS: &[Vendor] = &[
    vendor("sk_live_", 2, 8), // Stripe
    vendor("sk_test_", 2, 8),
    vendor("rk_live_", 2, 8),
    vendor("rk_test_", 2, 8),
    vendor("whsec_", 5, 8),
    vendor("AKIA", 2, 16), // Amazon
    vendor("ASIA", 2, 16),
    vendor("ghp_", 3, 20), // GitHub
    vendor("gho_", 3, 20),
    vendor("ghu_", 3, 20),
    vendor("ghs_", 3, 20),
    vendor("ghr_", 3, 20),
    vendor("github_pat_", 10, 20),
    vendor("glpat-", 5, 16), // GitLab
    vendor("xoxb-", 4, 10),  // Slack
    vendor("xoxp-", 4, 10),
    vendor("xoxa-", 4, 10),
    vendor("xoxr-", 4, 10),
    vendor("xoxs-", 4, 10),
    vendor("xapp-", 4, 10),
    vendor("npm_", 3, 30),
    vendor("shpat_", 5, 20),   // Shopify
    vendor("dop_v1_", 6, 32),  // DigitalOcean
    vendor("sk-ant-", 2, 20),  // Anthropic
    vendor("sk-proj-", 2, 20), // OpenAI
    vendor("pypi-", 4, 32),
    vendor("sk-svcacct-", 2, 20),
    vendor("sk_sbx_", 2, 16),   // Checkout.com
    vendor("rzp_live_", 3, 10), // Razorpay
    vendor("rzp_test_", 3, 10),
    vendor("sq0atp-", 6, 20), // Square
    vendor("sq0csp-", 6, 20),
    vendor("shpss_", 5, 20),
    vendor("shpca_", 5, 20),
    vendor("shppa_", 5, 20),
    vendor("doo_v1_", 3, 32),
    vendor("dor_v1_", 3, 32),
    vendor("GOCSPX-", 6, 20), // Google OAuth
    vendor("hf_", 2, 30),     // Hugging Face
    vendor("lin_api_", 3, 30),
    vendor("NRAK-", 4, 20), // New Relic
    vendor("sntrys_", 6, 30),
    vendor("glsa_", 4, 30), // Grafana
    vendor("PMAK-", 4, 30), // Postman
    vendor("gldt-", 4, 16),
    vendor("AGE-SECRET-KEY-", 3, 40),
];

/// Its `I` has one byte before it only.
const GOOGLE: Vendor = vendor("AIza", 1, 30);

/// A JSON web token starts with the base64 of `{"`.
const JWT: &[u8] = b"eyJ";

/// Where a literal may start whose byte of class `special` is at `at`; looks at the literal's own bytes only.
#[inline]
pub(crate) fn may_start(text: &[u8], at: usize) -> Option<usize> {
    if text[at] | 0x20 == b'b' {
        let second = *text.get(at + 1)? | 0x20;
        return match second {
            b'e' | b'a' => scheme_len(text, at).map(|_| at),
            b'w' => at.checked_sub(4).filter(|&start| text[start..].starts_with(wrapped::XML)),
            _ => None,
        };
    }
    if text[at] == b'I' && at > 0 && text[at - 1..].starts_with(GOOGLE.prefix) {
        return Some(at - 1);
    }
    let window = text.get(at.checked_sub(2)?..=at)?;
    let index = spot_index(window);
    if SPOTS[index / 64] & (1 << (index % 64)) == 0 {
        return None;
    }
    if window == JWT {
        return Some(at - 2);
    }
    VENDORS.iter().find_map(|vendor| start_of(vendor, text, at))
}

fn start_of(vendor: &Vendor, text: &[u8], at: usize) -> Option<usize> {
    let start = at.checked_sub(vendor.spot)?;
    text[start..].starts_with(vendor.prefix).then_some(start)
}

/// The secret that starts at `start`.
pub(crate) fn secret(text: &[u8], start: usize) -> Option<Edit> {
    if let Some(scheme) = scheme_len(text, start) {
        return authorization(text, start, start + scheme);
    }
    if text[start..].starts_with(JWT) {
        return jwt(text, start);
    }
    let vendor = VENDORS.iter().chain([&GOOGLE]).find(|vendor| text[start..].starts_with(vendor.prefix))?;
    let free = start.checked_sub(1).is_none_or(|before| !text[before].is_ascii_alphanumeric());
    let key = start + vendor.prefix.len();
    let more = token_len(text, key, b"_-");
    (free && more >= vendor.more).then(|| Edit::remove(start, key + more, Rule::Literal))
}

/// The length of `Bearer ` or `Basic ` at `at`, in any case, its space also as a query writes it.
fn scheme_len(text: &[u8], at: usize) -> Option<usize> {
    let word = text.get(at..at + 7)?;
    let name = if word[..6].eq_ignore_ascii_case(b"bearer") {
        6
    } else if word[..5].eq_ignore_ascii_case(b"basic") {
        5
    } else {
        return None;
    };
    let space = match text[at + name..] {
        [b' ', b' ', ..] => 2,
        [b' ' | b'+' | b'\t', ..] => 1,
        [b'%', b'2', b'0', ..] => 3,
        _ => return None,
    };
    Some(name + space)
}

/// The token behind a scheme; prose about "basic authentication" and "the bearer of" stays.
fn authorization(text: &[u8], scheme: usize, start: usize) -> Option<Edit> {
    let free = scheme.checked_sub(1).is_none_or(|before| !text[before].is_ascii_alphanumeric());
    let len = token_len(text, start, b"-._~+/");
    let padding = text[start + len..].iter().take(2).take_while(|&&b| b == b'=').count();
    let token = &text[start..start + len];
    let word = token_len(text, start, b"");
    let digit = token.iter().any(u8::is_ascii_digit);
    let capital = token.iter().skip(1).any(u8::is_ascii_uppercase);
    let secret = match text[scheme + 1] | 0x20 {
        b'a' => decodes_to_pair(token) || digit && capital && len >= WORD_LEN_MAX,
        _ => len >= TOKEN_LEN_MIN && (digit || capital || word >= WORD_LEN_MAX),
    };
    // `Bearer realm="shop"` is a challenge; base64 with padding is not all small letters.
    let challenge = padding == 1 && token.iter().all(|b| b.is_ascii_lowercase() || *b == b'_');
    (free && secret && !challenge).then(|| Edit::remove(start, start + len + padding, Rule::Literal))
}

/// Shorter ones are words.
const TOKEN_LEN_MIN: usize = 8;

/// English words are shorter than this.
const WORD_LEN_MAX: usize = 20;

/// Whether base64 `token` holds a colon, as `user:password` does. Such a pair is text; a word read as base64 seldom is.
fn decodes_to_pair(token: &[u8]) -> bool {
    let whole = &token[..token.len() / 4 * 4];
    token.len() >= 4
        && base64::decode(token).is_some_and(|pair| pair.contains(&b':'))
        && base64::decode(whole).is_some_and(|pair| pair.iter().all(|b| (b' '..=b'~').contains(b)))
}

fn jwt(text: &[u8], start: usize) -> Option<Edit> {
    let mut end = start + token_len(text, start, b"_-");
    if end - start < JWT_HEADER_MIN || text.get(end) != Some(&b'.') || token_len(text, end + 1, b"_-") == 0 {
        return None;
    }
    while text.get(end) == Some(&b'.') && token_len(text, end + 1, b"_-") > 0 {
        end += 1 + token_len(text, end + 1, b"_-");
    }
    Some(Edit::remove(start, end, Rule::Literal))
}

/// `{"alg":"x"}` in base64 is longer.
const JWT_HEADER_MIN: usize = 10;

fn token_len(text: &[u8], start: usize, others: &[u8]) -> usize {
    text[start..].iter().take_while(|b| b.is_ascii_alphanumeric() || others.contains(b)).count()
}

/// Whether a private key may start behind the dashes that end before `at`.
pub(crate) fn may_be_pem(text: &[u8], at: usize) -> bool {
    text[at..].starts_with(b"BEGIN ") && pem_label_end(text, at).is_some()
}

/// Behind `PRIVATE KEY` of the label at `at`.
fn pem_label_end(text: &[u8], at: usize) -> Option<usize> {
    const KIND: &[u8] = b"PRIVATE KEY";
    let label = text[at..].iter().take(64).take_while(|b| b.is_ascii_uppercase() || **b == b' ').count();
    let found = text[at..at + label].windows(KIND.len()).position(|window| window == KIND)?;
    Some(at + found + KIND.len())
}

/// The private key whose `BEGIN` is at `at`, to its end mark, or as far as it goes when it is cut.
pub(crate) fn pem(text: &[u8], at: usize) -> Option<Edit> {
    const END: &[u8] = b"-----END ";
    let start = at.checked_sub(5).filter(|&start| &text[start..at] == b"-----")?;
    let body = pem_label_end(text, at)?;
    let is_pem = |b: &&u8| b.is_ascii_alphanumeric() || b" \t\r\n+/=-:,\\".contains(b);
    let len = text[body..].iter().take_while(is_pem).count();
    let run = &text[body..body + len];
    let end = match run.windows(END.len()).position(|window| window == END) {
        Some(mark) => {
            let label = body + mark + END.len();
            let rest =
                text[label..].iter().take(64).take_while(|b| b.is_ascii_uppercase() || **b == b' ').count();
            let dashes = text[label + rest..].iter().take(5).take_while(|&&b| b == b'-').count();
            label + rest + dashes
        }
        // A quote's backslashes belong to the quote.
        None => body + run.len() - run.iter().rev().take_while(|&&b| b == b'\\').count(),
    };
    Some(Edit::remove(start, end, Rule::Literal))
}

/// One bit per low five bits of the three bytes that end at a literal's spot.
static SPOTS: [u64; 512] = spots();

const fn spot_index(window: &[u8]) -> usize {
    (window[0] as usize & 31) << 10 | (window[1] as usize & 31) << 5 | (window[2] as usize & 31)
}

const fn spots() -> [u64; 512] {
    let mut table = [0; 512];
    let mut i = 0;
    while i <= VENDORS.len() {
        let (prefix, spot) = if i < VENDORS.len() { (VENDORS[i].prefix, VENDORS[i].spot) } else { (JWT, 2) };
        let index = spot_index(&[prefix[spot - 2], prefix[spot - 1], prefix[spot]]);
        table[index / 64] |= 1 << (index % 64);
        i += 1;
    }
    table
}
