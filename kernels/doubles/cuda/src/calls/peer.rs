//! Calls about devices that reach each other's memory.
#![expect(unsafe_code, reason = "a C library by nature: its callers hand it pointers")]
#![allow(missing_docs, clippy::missing_safety_doc, reason = "NVIDIA's header says what each call does and wants")]

use super::context::{current, device_of, entered};
use super::{code_of, say};
use crate::code::{self, Code};
use crate::fault::Fault;
use crate::graph::Operation;
use crate::state::{double, lock};
use crate::stream::submit;
use std::collections::BTreeSet;
use std::ffi::{c_int, c_uint, c_void};
use std::sync::Mutex;

/// Who may reach whose memory: pairs of devices.
static ENABLED: Mutex<BTreeSet<(usize, usize)>> = Mutex::new(BTreeSet::new());

fn reaches(from: usize, to: usize) -> bool {
    from != to && !double().has(Fault::NoPeer)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDeviceCanAccessPeer(can: *mut c_int, from: c_int, to: c_int) -> Code {
    match (double().device(from), double().device(to)) {
        // SAFETY: the header's contract: a writable integer.
        (Ok(from), Ok(to)) => unsafe { say(can, c_int::from(reaches(from, to))) },
        _ => code::INVALID_DEVICE,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxEnablePeerAccess(to: *mut c_void, _flags: c_uint) -> Code {
    let enabled = || {
        let (from, to) = (current()?, device_of(to)?);
        match reaches(from, to) {
            false => Err(code::PEER_ACCESS_UNSUPPORTED),
            true if lock(&ENABLED).insert((from, to)) => Ok(()),
            true => Err(code::PEER_ACCESS_ALREADY_ENABLED),
        }
    };
    code_of(enabled())
}

/// Each end has to lie in the memory of the device whose context is named with it.
#[unsafe(no_mangle)]
pub extern "C" fn cuMemcpyPeerAsync(
    to: u64,
    to_context: *mut c_void,
    from: u64,
    from_context: *mut c_void,
    bytes: usize,
    stream: *mut c_void,
) -> Code {
    let copied = || {
        entered()?;
        let (target, source) = (device_of(to_context)?, device_of(from_context)?);
        let memory = lock(&double().memory);
        if !memory.holds_on(target, to as usize, bytes) || !memory.holds_on(source, from as usize, bytes) {
            return Err(code::INVALID_VALUE);
        }
        drop(memory);
        let (to, from) = (to as usize, from as usize);
        submit(stream as usize, Operation::Copy { to, to_device: true, from, from_device: true, bytes })
    };
    code_of(copied())
}
