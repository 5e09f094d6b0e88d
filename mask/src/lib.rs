//! The masking engine that client, extension and collector share.
//!
//! A card number keeps its first six and last four digits; the value of a sensitive key is removed. One scan finds
//! suspects, the rules look at each more closely, and all hits of a text are replaced in one rewrite. A clean text is
//! not copied.
//!
//! ```
//! let masker = spanmill_mask::Masker::standard();
//! let mut report = spanmill_mask::Report::default();
//! let key = masker.key(b"http.url");
//! let masked = masker.text(key, b"https://shop.example/pay?card=4111111111111111", &mut report);
//! assert_eq!(masked.as_deref(), Some(&b"https://shop.example/pay?card=411111******1111"[..]));
//! ```

mod classify;
mod config;
mod edit;
mod issuers;
mod masker;
mod names;
mod pass;
mod place;
mod report;
mod rules;
mod scan;
mod separator;
mod veil;

pub use config::{Config, ConfigError, PanOutput, UserRule};
pub use masker::{Key, Masker};
pub use report::{Report, Rule};
