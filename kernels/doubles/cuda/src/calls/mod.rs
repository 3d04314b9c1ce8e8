//! The calls by which the library is known, as `cuda.h` declares them.
#![expect(unsafe_code, reason = "a C library by nature: its callers hand it pointers")]
#![allow(
    missing_docs,
    clippy::missing_safety_doc,
    reason = "NVIDIA's header says what each call does and what it may be handed"
)]

use crate::code::{self, Code};
use crate::fault::Fault;
use crate::state::double;
use std::ffi::{c_char, c_int, c_uint, c_void};

pub mod context;
pub mod device;
pub mod memory;
pub mod module;
pub mod peer;
pub mod stream;

/// The mark by which a program knows that nothing here is a measurement.
#[unsafe(no_mangle)]
pub extern "C" fn spark_bench_test_double() -> c_int {
    1
}

/// A result as the header's number.
pub(crate) fn code_of(result: Result<(), Code>) -> Code {
    result.err().unwrap_or(code::SUCCESS)
}

/// Writes `value`, unless the context is broken.
///
/// # Safety
/// `at` is writable.
pub(crate) unsafe fn say<T>(at: *mut T, value: T) -> Code {
    if let Err(broken) = double().alive() {
        return broken;
    }
    if at.is_null() {
        return code::INVALID_VALUE;
    }
    // SAFETY: the caller says so.
    unsafe { at.write(value) };
    code::SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cuInit(_flags: c_uint) -> Code {
    let double = double();
    match () {
        () if double.has(Fault::NoDevice) => code::NO_DEVICE,
        () if double.has(Fault::Init) => code::UNKNOWN,
        () => code::SUCCESS,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> Code {
    // SAFETY: the header's contract: a writable integer.
    unsafe { version.write(if double().has(Fault::OldDriver) { 11_040 } else { 13_000 }) };
    code::SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorName(error: Code, text: *mut *const c_char) -> Code {
    // SAFETY: the header's contract: a writable pointer.
    unsafe { text.write(code::words(error).0.as_ptr()) };
    code::SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetErrorString(error: Code, text: *mut *const c_char) -> Code {
    // SAFETY: the header's contract: a writable pointer.
    unsafe { text.write(code::words(error).1.as_ptr()) };
    code::SUCCESS
}

/// NVRTC asks for tables of functions that only NVIDIA's own libraries know.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuGetExportTable(table: *mut *const c_void, _which: *const c_void) -> Code {
    // SAFETY: the header's contract: a writable pointer.
    unsafe { table.write(std::ptr::null()) };
    code::NOT_FOUND
}
