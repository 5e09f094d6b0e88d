//! Any bytes: no panic, and what prost makes of them.
#![no_main]

#[path = "../../tests/against_prost/canonical.rs"]
mod canonical;
#[path = "../../tests/against_prost/checks.rs"]
mod checks;
#[path = "../../tests/against_prost/schema.rs"]
mod schema;

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    checks::everything(message);
});
