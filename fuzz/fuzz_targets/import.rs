//! Another program's results made of arbitrary bytes.
#![no_main]

#[path = "../targets.rs"]
#[expect(dead_code, reason = "each program fuzzes one of them")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::import(bytes));
