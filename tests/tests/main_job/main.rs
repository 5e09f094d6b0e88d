//! The main job, end to end: OTLP in, figures per provider on our side, whole traces in a real Jaeger.
//!
//! Every test here needs programs that cargo alone does not build, so it is marked `ignore`: `tests/run e2e`
//! builds them and runs exactly these.

mod check;
mod client;
mod demo;
mod examples;
mod figures;
mod load;
mod page;
mod php;
mod positions;
mod prometheus;
mod refusals;
mod sdk;
mod secrets;
mod stored;
mod telemetrygen;
mod transports;
