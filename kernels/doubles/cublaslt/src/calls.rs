//! The calls by which the library is known, as `cublasLt.h` declares them.
#![expect(unsafe_code, reason = "a C library by nature: its callers hand it pointers")]
#![allow(missing_docs, clippy::missing_safety_doc, reason = "NVIDIA's header says what each call does and wants")]

use crate::product::{Layout, Operation, status};
use std::ffi::{c_char, c_int, c_void};

type Status = c_int;

/// The mark by which a program knows that nothing here is a measurement.
#[unsafe(no_mangle)]
pub extern "C" fn spark_bench_test_double() -> c_int {
    1
}

fn has(fault: &str) -> bool {
    std::env::var("SPARK_CUBLASLT_DOUBLE_FAULTS").is_ok_and(|all| all.split(',').any(|one| one == fault))
}

/// What a preference holds, and what an algorithm is told by: how much workspace it may take.
#[derive(Debug, Default)]
pub struct Preference {
    workspace: usize,
}

/// The header's `cublasLtMatmulHeuristicResult_t`.
#[repr(C)]
#[derive(Debug)]
pub struct Found {
    algorithm: [u64; 8],
    workspace: usize,
    state: Status,
    waves: f32,
    reserved: [c_int; 4],
}

const ALGORITHM: u64 = 0x6b72_6170_7353_4c42;
/// Bytes that the one algorithm says it needs.
const WORKSPACE: usize = 4096;

#[unsafe(no_mangle)]
pub extern "C" fn cublasLtGetVersion() -> usize {
    130_000
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasLtGetStatusString(of: Status) -> *const c_char {
    let text = match of {
        status::SUCCESS => c"success",
        status::NOT_INITIALIZED => c"the library was not initialized",
        status::INVALID_VALUE => c"an invalid value was given",
        status::EXECUTION_FAILED => c"the product failed to execute",
        status::NOT_SUPPORTED => c"the functionality requested is not supported",
        _ => c"unknown status",
    };
    text.as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtCreate(handle: *mut *mut c_void) -> Status {
    if has("init") {
        return status::NOT_INITIALIZED;
    }
    // SAFETY: the header's contract: a writable handle, which is never followed.
    unsafe { handle.write(std::ptr::dangling_mut::<u64>().cast()) };
    status::SUCCESS
}

#[unsafe(no_mangle)]
pub extern "C" fn cublasLtDestroy(_handle: *mut c_void) -> Status {
    status::SUCCESS
}

/// Hands out a box.
///
/// # Safety
/// `to` is writable.
unsafe fn give<T>(to: *mut *mut T, value: T) -> Status {
    // SAFETY: the caller says so.
    unsafe { to.write(Box::into_raw(Box::new(value))) };
    status::SUCCESS
}

/// Takes it back.
///
/// # Safety
/// `at` is null or came from [`give`].
unsafe fn take<T>(at: *mut T) -> Status {
    if !at.is_null() {
        // SAFETY: the caller says so.
        drop(unsafe { Box::from_raw(at) });
    }
    status::SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulDescCreate(to: *mut *mut Operation, compute: c_int, scale: c_int) -> Status {
    // SAFETY: the header's contract: a writable handle.
    unsafe { give(to, Operation { compute, scale, ..Operation::default() }) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulDescDestroy(at: *mut Operation) -> Status {
    // SAFETY: the header's contract: a handle of `cublasLtMatmulDescCreate`.
    unsafe { take(at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulDescSetAttribute(
    at: *mut Operation,
    attribute: c_int,
    value: *const c_void,
    bytes: usize,
) -> Status {
    // SAFETY: the header's contract: null or a handle.
    let Some(operation) = (unsafe { at.as_mut() }) else { return status::INVALID_VALUE };
    let number = || {
        // SAFETY: the header's contract: as many bytes as are said.
        (bytes == 4).then(|| unsafe { value.cast::<c_int>().read_unaligned() })
    };
    let address = || {
        // SAFETY: as above.
        (bytes == 8).then(|| unsafe { value.cast::<u64>().read_unaligned() })
    };
    let set = match attribute {
        3 | 4 => number().map(|n| operation.transposed[(attribute - 3) as usize] = n),
        17 | 18 => address().map(|n| operation.scales[(attribute - 17) as usize] = n),
        31 | 32 => number().map(|n| operation.modes[(attribute - 31) as usize] = n),
        // Whether sums of FP8 may be kept in fewer bits: here they never are.
        25 => Some(()),
        _ => return status::NOT_SUPPORTED,
    };
    set.map_or(status::INVALID_VALUE, |()| status::SUCCESS)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatrixLayoutCreate(
    to: *mut *mut Layout,
    of: c_int,
    rows: u64,
    columns: u64,
    ld: i64,
) -> Status {
    // SAFETY: the header's contract: a writable handle.
    unsafe { give(to, Layout { of, rows, columns, ld }) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatrixLayoutDestroy(at: *mut Layout) -> Status {
    // SAFETY: the header's contract: a handle of `cublasLtMatrixLayoutCreate`.
    unsafe { take(at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulPreferenceCreate(to: *mut *mut Preference) -> Status {
    // SAFETY: the header's contract: a writable handle.
    unsafe { give(to, Preference::default()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulPreferenceDestroy(at: *mut Preference) -> Status {
    // SAFETY: the header's contract: a handle of `cublasLtMatmulPreferenceCreate`.
    unsafe { take(at) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulPreferenceSetAttribute(
    at: *mut Preference,
    attribute: c_int,
    value: *const c_void,
    bytes: usize,
) -> Status {
    // SAFETY: the header's contract: null or a handle.
    let Some(preference) = (unsafe { at.as_mut() }) else { return status::INVALID_VALUE };
    if attribute != 1 || bytes != 8 {
        return status::INVALID_VALUE;
    }
    // SAFETY: the header's contract: as many bytes as are said.
    preference.workspace = unsafe { value.cast::<usize>().read_unaligned() };
    status::SUCCESS
}

/// What four handles of layouts and one of an operation stand for. Errors: one is null.
///
/// # Safety
/// Each is null or a handle.
unsafe fn asked(operation: *const Operation, of: [*const Layout; 4]) -> Result<(Operation, [Layout; 4]), Status> {
    // SAFETY: the caller says so.
    let operation = unsafe { operation.as_ref() }.ok_or(status::INVALID_VALUE)?;
    let mut layouts = [Layout { of: 0, rows: 0, columns: 0, ld: 0 }; 4];
    for (layout, at) in layouts.iter_mut().zip(of) {
        // SAFETY: the caller says so.
        *layout = *unsafe { at.as_ref() }.ok_or(status::INVALID_VALUE)?;
    }
    Ok((*operation, layouts))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmulAlgoGetHeuristic(
    _handle: *mut c_void,
    operation: *const Operation,
    a: *const Layout,
    b: *const Layout,
    c: *const Layout,
    d: *const Layout,
    preference: *const Preference,
    wanted: c_int,
    found: *mut Found,
    count: *mut c_int,
) -> Status {
    // SAFETY: the header's contract: handles.
    let asked = unsafe { asked(operation, [a, b, c, d]) };
    // SAFETY: as above.
    let room = unsafe { preference.as_ref() }.map_or(0, |p| p.workspace);
    // SAFETY: the header's contract: a writable number.
    unsafe { count.write(0) };
    let checked = asked.and_then(|(operation, [a, b, c, d])| operation.check(&a, &b, &c, &d));
    if let Err(status) = checked {
        return status;
    }
    if wanted < 1 || room < WORKSPACE || has("no-algorithm") {
        return status::NOT_SUPPORTED;
    }
    let mut algorithm = [0; 8];
    algorithm[0] = ALGORITHM;
    let one = Found { algorithm, workspace: WORKSPACE, state: status::SUCCESS, waves: 1.0, reserved: [0; 4] };
    // SAFETY: the header's contract: room for as many results as are wanted.
    unsafe { found.write(one) };
    // SAFETY: as above.
    unsafe { count.write(1) };
    status::SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cublasLtMatmul(
    _handle: *mut c_void,
    operation: *const Operation,
    alpha: *const f32,
    a: u64,
    a_layout: *const Layout,
    b: u64,
    b_layout: *const Layout,
    beta: *const f32,
    _c: u64,
    c_layout: *const Layout,
    d: u64,
    d_layout: *const Layout,
    algorithm: *const [u64; 8],
    workspace: u64,
    bytes: usize,
    _stream: *mut c_void,
) -> Status {
    // SAFETY: the header's contract: handles.
    let (operation, [a_layout, b_layout, c_layout, d_layout]) =
        match unsafe { asked(operation, [a_layout, b_layout, c_layout, d_layout]) } {
            Ok(asked) => asked,
            Err(status) => return status,
        };
    if let Err(status) = operation.check(&a_layout, &b_layout, &c_layout, &d_layout) {
        return status;
    }
    // SAFETY: the header's contract: null or an algorithm that the heuristic gave.
    let known = unsafe { algorithm.as_ref() }.is_some_and(|of| of[0] == ALGORITHM);
    // SAFETY: the header's contract: two numbers of the host.
    let [alpha, beta] = [alpha, beta].map(|at| unsafe { at.read() });
    let aligned = [a, b, d].iter().all(|at| *at != 0 && at.is_multiple_of(16));
    if !known || beta != 0.0 || workspace == 0 || bytes < WORKSPACE || !aligned {
        return status::INVALID_VALUE;
    }
    if has("matmul") {
        return status::EXECUTION_FAILED;
    }
    // SAFETY: the header's contract: addresses of matrices of these layouts.
    unsafe { operation.run(alpha, (a, a_layout), (b, b_layout), (d, d_layout)) };
    status::SUCCESS
}
