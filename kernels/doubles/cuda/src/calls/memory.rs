//! Calls about memory.
#![expect(unsafe_code, reason = "a C library by nature: its callers hand it pointers")]
#![allow(missing_docs, clippy::missing_safety_doc, reason = "NVIDIA's header says what each call does and wants")]

use super::context::{current, entered};
use super::{code_of, say};
use crate::code::{self, Code};
use crate::fault::Fault;
use crate::graph::Operation;
use crate::memory::Kind;
use crate::state::{double, lock};
use crate::stream::{drain_all, outside_capture, submit};
use std::ffi::{c_int, c_uint, c_void};

type Address = u64;

/// Takes memory and writes its address.
///
/// # Safety
/// `at` is writable.
unsafe fn take(at: *mut usize, bytes: usize, kind: Kind) -> Code {
    let taken = current().and_then(|device| {
        outside_capture()?;
        lock(&double().memory).take(bytes, kind, device)
    });
    match taken {
        // SAFETY: the caller says so.
        Ok(address) => unsafe { say(at, address) },
        Err(code) => code,
    }
}

fn give(at: usize, pinned: bool) -> Code {
    let given = || {
        entered()?;
        outside_capture()?;
        drain_all();
        let given = lock(&double().memory).give(at, pinned);
        if given == Err(code::ILLEGAL_ADDRESS) {
            double().break_with(code::ILLEGAL_ADDRESS, "memory given back was written behind its end");
        }
        given
    };
    code_of(given())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAlloc_v2(at: *mut Address, bytes: usize) -> Code {
    // SAFETY: the header's contract: a writable address, which has 64 bits here as there.
    unsafe { take(at.cast(), bytes, Kind::Device) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemAllocManaged(at: *mut Address, bytes: usize, _flags: c_uint) -> Code {
    // SAFETY: as above.
    unsafe { take(at.cast(), bytes, Kind::Managed) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemHostAlloc(at: *mut *mut c_void, bytes: usize, _flags: c_uint) -> Code {
    // SAFETY: the header's contract: a writable pointer.
    unsafe { take(at.cast(), bytes, Kind::Pinned) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFree_v2(at: Address) -> Code {
    if at == 0 { code::SUCCESS } else { give(at as usize, false) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemFreeHost(at: *mut c_void) -> Code {
    give(at as usize, true)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemHostGetDevicePointer_v2(to: *mut Address, at: *mut c_void, _flags: c_uint) -> Code {
    if !lock(&double().memory).knows(at as usize, 1) {
        return code::INVALID_VALUE;
    }
    // SAFETY: the header's contract: a writable address.
    unsafe { say(to, at as Address) }
}

/// GB10 registers no memory of the host.
fn can_register() -> Result<(), Code> {
    entered()?;
    if double().profile.integrated { Err(code::NOT_SUPPORTED) } else { Ok(()) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemHostRegister_v2(at: *mut c_void, bytes: usize, _flags: c_uint) -> Code {
    code_of(can_register().and_then(|()| lock(&double().memory).register(at as usize, bytes)))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemHostUnregister(at: *mut c_void) -> Code {
    drain_all();
    code_of(can_register().and_then(|()| lock(&double().memory).unregister(at as usize)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> Code {
    if double().has(Fault::MemoryInfo) {
        return code::DEVICE_UNAVAILABLE;
    }
    let info = match current() {
        Ok(device) => lock(&double().memory).info(device),
        Err(code) => return code,
    };
    // SAFETY: the header's contract: a writable size.
    unsafe { free.write(info.0 as usize) };
    // SAFETY: as above.
    unsafe { say(total, info.1 as usize) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuMemGetAddressRange_v2(base: *mut Address, bytes: *mut usize, at: Address) -> Code {
    let Some((start, len)) = lock(&double().memory).around(at as usize) else { return code::INVALID_VALUE };
    if !base.is_null() {
        // SAFETY: the header's contract: null or writable.
        unsafe { base.write(start as Address) };
    }
    if bytes.is_null() {
        return code::SUCCESS;
    }
    // SAFETY: as above.
    unsafe { say(bytes, len) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemAdvise_v2(at: Address, bytes: usize, _advice: c_int, _where: u64) -> Code {
    code_of(entered().and_then(|()| managed(at, bytes)))
}

/// Whether they are managed. Errors: they are not.
fn managed(at: Address, bytes: usize) -> Result<(), Code> {
    if lock(&double().memory).manages(at as usize, bytes) { Ok(()) } else { Err(code::INVALID_VALUE) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuMemPrefetchAsync_v2(
    at: Address,
    bytes: usize,
    _where: u64,
    _flags: c_uint,
    _s: *mut c_void,
) -> Code {
    let can = || if double().profile.attribute(89) == 1 { Ok(()) } else { Err(code::INVALID_DEVICE) };
    code_of(entered().and_then(|()| can()).and_then(|()| managed(at, bytes)))
}

fn copy(stream: *mut c_void, to: (usize, bool), from: (usize, bool), bytes: usize) -> Code {
    let operation = Operation::Copy { to: to.0, to_device: to.1, from: from.0, from_device: from.1, bytes };
    code_of(entered().and_then(|()| submit(stream as usize, operation)))
}

macro_rules! copies {
    ($($name:ident, $later:ident, $to:ty, $to_device:literal, $from:ty, $from_device:literal;)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(to: $to, from: $from, bytes: usize) -> Code {
            match outside_capture() {
                Ok(()) => copy(std::ptr::null_mut(), (to as usize, $to_device), (from as usize, $from_device), bytes),
                Err(code) => code,
            }
        }

        #[unsafe(no_mangle)]
        pub extern "C" fn $later(to: $to, from: $from, bytes: usize, stream: *mut c_void) -> Code {
            copy(stream, (to as usize, $to_device), (from as usize, $from_device), bytes)
        }
    )*};
}
copies! {
    cuMemcpyHtoD_v2, cuMemcpyHtoDAsync_v2, Address, true, *const c_void, false;
    cuMemcpyDtoH_v2, cuMemcpyDtoHAsync_v2, *mut c_void, false, Address, true;
    cuMemcpyDtoD_v2, cuMemcpyDtoDAsync_v2, Address, true, Address, true;
    cuMemcpy, cuMemcpyAsync, Address, false, Address, false;
}

fn fill(stream: *mut c_void, at: Address, pattern: u32, width: usize, count: usize) -> Code {
    let operation = Operation::Fill { at: at as usize, pattern: pattern.to_le_bytes(), width, count };
    code_of(entered().and_then(|()| submit(stream as usize, operation)))
}

macro_rules! fills {
    ($($name:ident, $later:ident, $of:ty;)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(at: Address, value: $of, count: usize) -> Code {
            fill(std::ptr::null_mut(), at, u32::from(value), size_of::<$of>(), count)
        }

        #[unsafe(no_mangle)]
        pub extern "C" fn $later(at: Address, value: $of, count: usize, stream: *mut c_void) -> Code {
            fill(stream, at, u32::from(value), size_of::<$of>(), count)
        }
    )*};
}
fills! {
    cuMemsetD8_v2, cuMemsetD8Async, u8;
    cuMemsetD16_v2, cuMemsetD16Async, u16;
    cuMemsetD32_v2, cuMemsetD32Async, u32;
}
