//! Requests with fields in any order, repeated, split, with unknown ones and padded numbers.
#![no_main]

#[path = "../../tests/against_prost/canonical.rs"]
mod canonical;
#[path = "../../tests/against_prost/checks.rs"]
mod checks;
#[path = "../../tests/against_prost/choices.rs"]
mod choices;
#[path = "../../tests/against_prost/schema.rs"]
mod schema;

libfuzzer_sys::fuzz_target!(|decisions: &[u8]| {
    checks::everything(&choices::request(&mut choices::Choices::planting(&[], decisions)));
});
