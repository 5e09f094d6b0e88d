//! The masking engine that client, extension and collector share.
//!
//! ```
//! let masker = spanmill_mask::Masker::standard();
//! let mut report = spanmill_mask::Report::default();
//! let key = masker.key(b"http.url");
//! let masked = masker.text(key, b"https://shop.example/pay?card=4111111111111111", &mut report);
//! assert_eq!(masked.as_deref(), Some(&b"https://shop.example/pay?card=411111******1111"[..]));
//! ```
//!
//! # What is masked
//!
//! | rule ([`Rule::name`]) | found by | becomes |
//! |---|---|---|
//! | `pan` | issuer prefix, length of that issuer and Luhn digit: 14 to 19 digits in one run, or 4-4-4-4(-3), 4-6-5 and 4-6-4 with one separator (space, `-`, `.`, `_`, `/`, `+`, tab, `%20`, no-break and thin spaces, no-break hyphen, `" - "`); under a key such as `pan` or `cardNumber` any 7 digits or more, without Luhn | first six and last four, or less by [`PanOutput`]; with fewer than 15 digits the last four at most |
//! | `track` | what follows a card number on a stripe or chip: `=` or `D` and seven digits, `^holder^…` | `[masked]` |
//! | `sad` | keys of sensitive authentication data inside a text: `cvv`, `pin`, `pinBlock`, `track2`, `otp`, … | `[masked]` |
//! | `key` | any other sensitive key: as an attribute key, and inside a text `password`, `client_secret`, `apiKey`, `access_token`, `Authorization:`, `Cookie:`, … | `[masked]`; headers to the end of their line |
//! | `literal` | `Bearer` and `Basic` tokens, JSON web tokens, private keys in PEM, vendors' keys by prefix | `[masked]` |
//! | `url` | user and password before the last `@` of a URL's host | `[masked]` |
//! | `iban` | country, its length, remainder 97 | country, check digits, last four |
//! | `email` | an address with a domain | `[masked]@domain` |
//! | `user` | [`UserRule`]s | `[masked]` |
//! | `error` | a rule failed | `[mask-error]` instead of the whole value |
//!
//! Keys are compared by their last segments, exactly, never by substring: `card.cvv` and `cardCvv` are `cvv`,
//! `cvvResult` and `shipping` are nothing. Inside texts they are found in JSON at any depth of escaping, forms and
//! queries, headers, XML elements and attributes, multipart forms, DSNs, PHP's `print_r`, `var_dump`,
//! `var_export` and `serialize`, debug output of Rust, Go, Python and Ruby, YAML, SQL comparisons and the columns of an
//! `INSERT`, command lines, fields of ISO 8583, and as pairs of a `name` and a `value`. `true`, `false`, `null`, empty and
//! redacted values, placeholders and words about the value (`token: expired`) stay.
//!
//! Digits of other scripts, `\u0034`, `%22…%3A` and `&quot;` are seen through: such a text is decoded and looked at
//! a second time. Base64 of JSON objects and of XML is masked inside and encoded again. JSON stays JSON (a masked number becomes a string), XML stays XML, UTF-8 stays UTF-8, and masking
//! twice is masking once.
//!
//! # What is not
//!
//! Names, postal addresses and phone numbers; compressed bodies and other base64; binary ISO 8583 messages; encrypted data;
//! a CVV or a password without a key beside it; 13 digits without a card number key (EAN, milliseconds) and numbers that start with 1; digits behind
//! `digit.` (fractions) and inside hexadecimal text of 24 characters or more, unless chip tags 5A or 57 announce them.
//! About one random number in 25 that has 16 digits is taken for a card: keep such ids by [`Config::keep_keys`].
//!
//! # How
//!
//! One scan over 64-byte class masks names suspects, by what stands in the secret itself; the rules then look at each
//! suspect and its surroundings, and all that they found is replaced in one rewrite. A clean text is neither copied nor
//! allocated for, unless something in it has to be decoded. Every rule takes linear time on any input.
//!
//! To add a rule: a file in `rules/`, an arm in `rules::judge`, and, if none of the suspects fits, a kind of its own in
//! `scan`, whose test must look at no byte outside of the secret. A vendor's key, an issuer or a sensitive name is one
//! line in a table.

#![warn(missing_docs)]

mod base64;
mod classify;
mod config;
mod edit;
mod issuers;
mod kept;
mod masker;
mod names;
mod pass;
mod place;
mod placeholder;
mod report;
mod rules;
mod scan;
mod sensitive;
mod separator;
mod veil;

pub use config::{Config, ConfigError, PanOutput, UserRule};
pub use masker::{Key, Masker};
pub use report::{Hit, Report, Rule};
