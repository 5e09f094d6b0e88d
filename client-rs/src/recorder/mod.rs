//! Recording without a thread: what the Rust client is built on, and what another runtime (the PHP
//! extension) drives by itself.
//!
//! ```
//! use spanmill::recorder::{Kind, Recorder, Settings};
//!
//! let settings = Settings::from_env("rust")?.service("shop").socket("/run/spanmill/spanmill.sock");
//! let mut recorder = Recorder::new(&settings)?;
//! let mut span = recorder.start("checkout", Kind::Server, None);
//! span.tag("cart.items", 3);
//! recorder.finish(span);
//! recorder.flush();                     // one try per packet, without waiting
//! assert_eq!(recorder.stats().recorded, 1);
//! # Ok::<(), spanmill::InitError>(())
//! ```

mod alone;
mod body;
mod limits;
mod mask;
mod opening;
mod record;
mod role;
mod stats;
mod trim;

pub use alone::Recorder;
pub use body::Log;
pub use record::Record;
pub use role::{Kind, Outcome};
pub use stats::{Dropped, Reason, Stats};

pub use crate::settings::Settings;

pub(crate) use limits::{COUNT_LIMIT_MAX, Limits, Rules, VALUE_BYTES_LIMIT_MAX};
pub(crate) use record::Desk;
pub(crate) use stats::Counters;
pub(crate) use trim::trim;
