//! The spanmill daemon: receive → mask → journal → roll-up → expose, and journal → forward.
//!
//! Each folder is one stage; `pipeline.rs` is the only place that wires them. `ARCHITECTURE.md` has the picture.

pub mod clock;
pub mod command;
pub mod config;
pub mod demo;
pub mod detect;
pub mod dial;
pub mod expose;
pub mod forward;
pub mod journal;
pub mod listen;
pub mod mask;
pub mod outcome;
pub mod pipeline;
pub mod receive;
pub mod rollup;
pub mod rotate;
pub mod store;
pub mod tls;
