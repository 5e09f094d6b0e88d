//! `spanmill load`: OTLP load of realistic provider calls.

pub mod payload;
