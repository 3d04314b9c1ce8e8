//! A safetensors file made of arbitrary bytes.
#![no_main]

#[path = "../targets.rs"]
#[expect(dead_code, reason = "each program fuzzes one of them")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::safetensors(bytes));
