//! The calls by which the library is known, as `nvrtc.h` declares them.
#![expect(unsafe_code, reason = "a C library by nature: its callers hand it pointers")]
#![allow(
    missing_docs,
    clippy::missing_safety_doc,
    reason = "NVIDIA's header says what each call does and what it may be handed"
)]

use crate::architecture::Architecture;
use crate::compile::{Source, compile};
use crate::options::Options;
use std::ffi::{CStr, c_char, c_int};

const SUCCESS: c_int = 0;
const INVALID_INPUT: c_int = 3;
const INVALID_PROGRAM: c_int = 4;
const INVALID_OPTION: c_int = 5;
const COMPILATION: c_int = 6;

/// The version that is said to be there: that of the toolkit whose architectures are known.
const VERSION: (c_int, c_int) = (13, 0);

/// A program: its source, and what became of it.
#[derive(Debug, Default)]
pub struct Program {
    source: Source,
    log: Vec<u8>,
    object: Vec<u8>,
}

/// The mark by which a program knows that no GPU will run what is made here; its number changes with what objects are made of.
#[unsafe(no_mangle)]
pub extern "C" fn spark_bench_test_double() -> c_int {
    crate::shim::fingerprint()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcVersion(major: *mut c_int, minor: *mut c_int) -> c_int {
    // SAFETY: the header's contract: two writable integers.
    unsafe { major.write(VERSION.0) };
    // SAFETY: as above.
    unsafe { minor.write(VERSION.1) };
    SUCCESS
}

/// The text at `at`, if there is one.
///
/// # Safety
/// `at` is null or a string that ends with 0.
unsafe fn text(at: *const c_char) -> Option<String> {
    if at.is_null() {
        return None;
    }
    // SAFETY: the caller says so, and it is not null.
    Some(unsafe { CStr::from_ptr(at) }.to_string_lossy().into_owned())
}

/// The `count` texts at `list`; none where it is null.
///
/// # Safety
/// `list` is null or has room for `count` strings that end with 0.
unsafe fn texts(list: *const *const c_char, count: c_int) -> Vec<String> {
    let count = if list.is_null() { 0 } else { usize::try_from(count).unwrap_or(0) };
    let mut all = Vec::new();
    for i in 0..count {
        // SAFETY: within the list, as the caller says.
        let at = unsafe { list.add(i) };
        // SAFETY: as above.
        let each = unsafe { at.read() };
        // SAFETY: the caller says so of each.
        all.extend(unsafe { text(each) });
    }
    all
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcCreateProgram(
    program: *mut *mut Program,
    source: *const c_char,
    name: *const c_char,
    count: c_int,
    headers: *const *const c_char,
    names: *const *const c_char,
) -> c_int {
    // SAFETY: the header's contract.
    let Some(source) = (unsafe { text(source) }) else { return INVALID_INPUT };
    // SAFETY: the header's contract.
    let name = unsafe { text(name) }.unwrap_or_default();
    // SAFETY: the header's contract: `count` of both.
    let names = unsafe { texts(names, count) };
    // SAFETY: as above.
    let headers = names.into_iter().zip(unsafe { texts(headers, count) }).collect();
    let made = Box::new(Program { source: Source { name, text: source, headers }, ..Program::default() });
    // SAFETY: the header's contract: a writable handle.
    unsafe { program.write(Box::into_raw(made)) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcDestroyProgram(program: *mut *mut Program) -> c_int {
    // SAFETY: the header's contract: a readable handle.
    let held = unsafe { program.read() };
    if held.is_null() {
        return INVALID_PROGRAM;
    }
    // SAFETY: it came from `nvrtcCreateProgram`, whose box it is.
    drop(unsafe { Box::from_raw(held) });
    // SAFETY: the handle is writable.
    unsafe { program.write(std::ptr::null_mut()) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcCompileProgram(
    program: *mut Program,
    count: c_int,
    options: *const *const c_char,
) -> c_int {
    // SAFETY: the header's contract: null or a program that nobody else uses meanwhile.
    let Some(program) = (unsafe { program.as_mut() }) else { return INVALID_PROGRAM };
    // SAFETY: the header's contract.
    let options = unsafe { texts(options, count) };
    let options = match Options::parse(options.iter().map(String::as_str)) {
        Ok(options) => options,
        Err(words) => {
            program.log = words.into_bytes();
            return INVALID_OPTION;
        }
    };
    match compile(&program.source, &options) {
        Ok((object, words)) => {
            (program.object, program.log) = (object, words.into_bytes());
            SUCCESS
        }
        Err(words) => {
            program.log = words.into_bytes();
            COMPILATION
        }
    }
}

/// Tells how many bytes there are.
///
/// # Safety
/// `size` is writable.
unsafe fn tell(size: *mut usize, bytes: usize) -> c_int {
    // SAFETY: the caller says so.
    unsafe { size.write(bytes) };
    SUCCESS
}

/// Copies `bytes` and, after a text, its end.
///
/// # Safety
/// `at` has the room that was told.
unsafe fn copy(bytes: &[u8], at: *mut c_char, end: bool) -> c_int {
    // SAFETY: the caller says so; what is copied is this library's own.
    unsafe { at.copy_from_nonoverlapping(bytes.as_ptr().cast(), bytes.len()) };
    if end {
        // SAFETY: the end was counted in what was told.
        let last = unsafe { at.add(bytes.len()) };
        // SAFETY: as above.
        unsafe { last.write(0) };
    }
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetProgramLogSize(program: *const Program, size: *mut usize) -> c_int {
    // SAFETY: the header's contract: null or a program.
    let Some(program) = (unsafe { program.as_ref() }) else { return INVALID_PROGRAM };
    // SAFETY: the header's contract.
    unsafe { tell(size, program.log.len() + 1) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetProgramLog(program: *const Program, at: *mut c_char) -> c_int {
    // SAFETY: the header's contract: null or a program.
    let Some(program) = (unsafe { program.as_ref() }) else { return INVALID_PROGRAM };
    // SAFETY: the header's contract: as much room as the size said.
    unsafe { copy(&program.log, at, true) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetCUBINSize(program: *const Program, size: *mut usize) -> c_int {
    // SAFETY: the header's contract: null or a program.
    let Some(program) = (unsafe { program.as_ref() }) else { return INVALID_PROGRAM };
    // SAFETY: the header's contract.
    unsafe { tell(size, program.object.len()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetCUBIN(program: *const Program, at: *mut c_char) -> c_int {
    // SAFETY: the header's contract: null or a program.
    let Some(program) = (unsafe { program.as_ref() }).filter(|p| !p.object.is_empty()) else { return INVALID_PROGRAM };
    // SAFETY: the header's contract: as much room as the size said.
    unsafe { copy(&program.object, at, false) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetNumSupportedArchs(count: *mut c_int) -> c_int {
    // SAFETY: the header's contract: a writable integer.
    unsafe { count.write(c_int::try_from(Architecture::numbers().len()).unwrap_or(0)) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn nvrtcGetSupportedArchs(at: *mut c_int) -> c_int {
    let numbers = Architecture::numbers();
    // SAFETY: the header's contract: room for as many as the count said.
    unsafe { at.copy_from_nonoverlapping(numbers.as_ptr(), numbers.len()) };
    SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn nvrtcGetErrorString(code: c_int) -> *const c_char {
    match code {
        SUCCESS => c"NVRTC_SUCCESS",
        INVALID_INPUT => c"NVRTC_ERROR_INVALID_INPUT",
        INVALID_PROGRAM => c"NVRTC_ERROR_INVALID_PROGRAM",
        INVALID_OPTION => c"NVRTC_ERROR_INVALID_OPTION",
        COMPILATION => c"NVRTC_ERROR_COMPILATION",
        _ => c"NVRTC_ERROR unknown",
    }
    .as_ptr()
}
