//! Calls about modules, kernels and their launches.
#![expect(unsafe_code, reason = "a C library by nature: its callers hand it pointers")]
#![allow(missing_docs, clippy::missing_safety_doc, reason = "NVIDIA's header says what each call does and wants")]

use super::context::entered;
use super::{code_of, say};
use crate::code::{self, Code};
use crate::fault::Fault;
use crate::graph::{Operation, arguments};
use crate::module::{Function, Module};
use crate::state::double;
use crate::stream::{drain_all, submit};
use crate::tensor_map::{Asked, Map};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::atomic::Ordering;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleLoadData(module: *mut *mut Module, image: *const c_void) -> Code {
    if let Err(code) = entered() {
        return code;
    }
    if double().has(Fault::OldDriver) {
        return code::UNSUPPORTED_PTX_VERSION;
    }
    // SAFETY: the header's contract: a whole image.
    match unsafe { Module::load(image.cast(), &double().profile) } {
        // SAFETY: the header's contract: a writable handle.
        Ok(loaded) => unsafe { say(module, Box::into_raw(Box::new(loaded))) },
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleLoadDataEx(
    module: *mut *mut Module,
    image: *const c_void,
    _count: c_uint,
    _options: *mut c_void,
    _values: *mut *mut c_void,
) -> Code {
    // SAFETY: the header's contract is the same.
    unsafe { cuModuleLoadData(module, image) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleUnload(module: *mut Module) -> Code {
    if module.is_null() {
        return code::INVALID_HANDLE;
    }
    drain_all();
    // SAFETY: it came from `cuModuleLoadData`, whose box it is.
    drop(unsafe { Box::from_raw(module) });
    code_of(double().alive())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuModuleGetFunction(
    function: *mut *const Function,
    module: *const Module,
    name: *const c_char,
) -> Code {
    // SAFETY: the header's contract: null or a module.
    let Some(module) = (unsafe { module.as_ref() }) else { return code::INVALID_HANDLE };
    // SAFETY: the header's contract: a string that ends with 0.
    let name = unsafe { CStr::from_ptr(name) };
    match module.function(&name.to_string_lossy()) {
        // SAFETY: the header's contract: a writable handle.
        Ok(found) => unsafe { say(function, found) },
        Err(code) => code,
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuFuncSetAttribute(function: *const Function, attribute: c_int, value: c_int) -> Code {
    // SAFETY: the header's contract: null or a function.
    let Some(function) = (unsafe { function.as_ref() }) else { return code::INVALID_HANDLE };
    if attribute == 8 {
        let most = double().profile.shared.0 - function.shared_bytes.cast_signed();
        if !(0..=most).contains(&value) {
            return code::INVALID_VALUE;
        }
        function.max_dynamic.store(value.cast_unsigned(), Ordering::Relaxed);
    }
    code_of(entered())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuFuncGetAttribute(value: *mut c_int, attribute: c_int, function: *const Function) -> Code {
    // SAFETY: the header's contract: null or a function.
    let Some(function) = (unsafe { function.as_ref() }) else { return code::INVALID_HANDLE };
    let said = match attribute {
        0 => function.max_threads,
        1 => function.shared_bytes,
        8 => function.max_dynamic.load(Ordering::Relaxed),
        // Registers and local memory are a GPU's business; its architecture is the profile's.
        5 | 6 => (double().profile.capability.0 * 10 + double().profile.capability.1).cast_unsigned(),
        _ => 0,
    };
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(value, said.cast_signed()) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuFuncSetCacheConfig(_function: *const Function, _config: c_int) -> Code {
    code_of(entered())
}

/// By threads and shared memory only, for what the double knows of a kernel.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessor(
    blocks: *mut c_int,
    function: *const Function,
    threads: c_int,
    dynamic: usize,
) -> Code {
    // SAFETY: the header's contract: null or a function.
    let Some(function) = (unsafe { function.as_ref() }) else { return code::INVALID_HANDLE };
    let profile = &double().profile;
    let by_threads = profile.attribute(39) / threads.max(1);
    let shared = i64::from(function.shared_bytes) + dynamic as i64 + 1024;
    let by_shared = i64::from(profile.shared.1) / shared;
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(blocks, i64::from(by_threads).min(by_shared).min(24) as c_int) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    blocks: *mut c_int,
    function: *const Function,
    threads: c_int,
    dynamic: usize,
    _flags: c_uint,
) -> Code {
    // SAFETY: the header's contract is the same.
    unsafe { cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, threads, dynamic) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuLaunchKernel(
    function: *const Function,
    grid_x: c_uint,
    grid_y: c_uint,
    grid_z: c_uint,
    block_x: c_uint,
    block_y: c_uint,
    block_z: c_uint,
    shared_bytes: c_uint,
    stream: *mut c_void,
    parameters: *mut *mut c_void,
    extra: *mut *mut c_void,
) -> Code {
    // SAFETY: the header's contract: null or a function.
    let Some(known) = (unsafe { function.as_ref() }) else { return code::INVALID_HANDLE };
    if !extra.is_null() || (parameters.is_null() && !known.sizes.is_empty()) {
        return code::INVALID_VALUE;
    }
    // SAFETY: the header's contract: a pointer for each of the function's parameters.
    let arguments = unsafe { arguments(known, parameters) };
    let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
    let operation = Operation::Launch { function, grid, block, shared_bytes, arguments };
    code_of(entered().and_then(|()| submit(stream as usize, operation)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuTensorMapEncodeTiled(
    map: *mut Map,
    of: c_int,
    rank: c_uint,
    base: *mut c_void,
    size: *const u64,
    pitches: *const u64,
    window: *const c_uint,
    steps: *const c_uint,
    interleave: c_int,
    swizzle: c_int,
    _promotion: c_int,
    fill: c_int,
) -> Code {
    if double().profile.capability.0 < 9 {
        return code::NOT_SUPPORTED;
    }
    if rank != 2 || interleave != 0 || fill != 0 {
        return code::INVALID_VALUE;
    }
    // SAFETY: the header's contract: as many numbers as dimensions.
    let size = unsafe { size.cast::<[u64; 2]>().read() };
    // SAFETY: as above.
    let window = unsafe { window.cast::<[u32; 2]>().read() };
    // SAFETY: as above.
    let steps = unsafe { steps.cast::<[u32; 2]>().read() };
    if steps != [1, 1] {
        return code::INVALID_VALUE;
    }
    // SAFETY: the header's contract: one pitch less than dimensions.
    let pitch = unsafe { pitches.read() };
    match (Asked { of, base: base as u64, size, pitch, window, swizzle }).encode() {
        // SAFETY: the header's contract: 128 bytes, aligned to 64.
        Ok(encoded) => unsafe { say(map, encoded) },
        Err(code) => code,
    }
}
