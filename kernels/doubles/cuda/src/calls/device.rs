//! Calls about the device.
#![expect(unsafe_code, reason = "a C library by nature: its callers hand it pointers")]
#![allow(missing_docs, clippy::missing_safety_doc, reason = "NVIDIA's header says what each call does and wants")]

use super::say;
use crate::code::{self, Code};
use crate::fault::Fault;
use crate::state::{double, lock};
use std::ffi::{c_char, c_int};

/// The attribute that says which processes may use it: 0 all, 2 none, 3 one.
const COMPUTE_MODE: c_int = 20;

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> Code {
    let there = if double().has(Fault::NoDevice) { 0 } else { double().devices };
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(count, there as c_int) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGet(device: *mut c_int, ordinal: c_int) -> Code {
    if let Err(code) = double().device(ordinal) {
        return code;
    }
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(device, ordinal) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, room: c_int, _device: c_int) -> Code {
    let text = double().profile.name;
    let room = usize::try_from(room).unwrap_or(0);
    if room == 0 {
        return code::INVALID_VALUE;
    }
    let bytes = text.len().min(room - 1);
    // SAFETY: the header's contract: room for that many bytes.
    unsafe { name.copy_from_nonoverlapping(text.as_ptr().cast(), bytes) };
    // SAFETY: within the room.
    let end = unsafe { name.add(bytes) };
    // SAFETY: as above.
    unsafe { end.write(0) };
    code::SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) -> Code {
    let total = match double().device(device) {
        Ok(device) => lock(&double().memory).info(device).1,
        Err(code) => return code,
    };
    // SAFETY: the header's contract: a writable size.
    unsafe { say(bytes, total as usize) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, device: c_int) -> Code {
    if let Err(code) = double().device(device) {
        return code;
    }
    let number = match attribute {
        COMPUTE_MODE if double().has(Fault::Prohibited) => 2,
        COMPUTE_MODE if double().has(Fault::Exclusive) => 3,
        _ => double().profile.attribute(attribute),
    };
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(value, number) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetUuid(uuid: *mut [u8; 16], device: c_int) -> Code {
    let mut own = *b"spark-cudadouble";
    own[15] = own[15].wrapping_add(device as u8);
    // SAFETY: the header's contract: a writable value of 16 bytes.
    unsafe { say(uuid, own) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceGetUuid_v2(uuid: *mut [u8; 16], device: c_int) -> Code {
    // SAFETY: the header's contract is the same.
    unsafe { cuDeviceGetUuid(uuid, device) }
}
