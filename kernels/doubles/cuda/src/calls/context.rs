//! Calls about contexts: there is one a device, its primary one.
#![expect(unsafe_code, reason = "a C library by nature: its callers hand it pointers")]
#![allow(missing_docs, clippy::missing_safety_doc, reason = "NVIDIA's header says what each call does and wants")]

use super::{code_of, say};
use crate::code::{self, Code};
use crate::fault::Fault;
use crate::state::{double, lock};
use crate::stream::{drain_all, outside_capture};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::{c_int, c_uint, c_void};
use std::ptr::{null_mut, without_provenance_mut};
use std::sync::Mutex;

type Context = *mut c_void;

/// How often each device's context was retained, and its flags.
static CONTEXTS: Mutex<BTreeMap<usize, (u32, c_uint)>> = Mutex::new(BTreeMap::new());

thread_local! {
    static CURRENT: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The device whose context the calling thread has entered. Errors: it has entered none.
pub(crate) fn current() -> Result<usize, Code> {
    double().alive()?;
    CURRENT.get().ok_or(code::INVALID_CONTEXT)
}

/// Whether the calling thread has entered a context. Errors: it has not.
pub(crate) fn entered() -> Result<(), Code> {
    current().map(drop)
}

/// The handle of a device's context; it is never followed.
fn handle(device: usize) -> Context {
    without_provenance_mut((device + 1) * size_of::<u64>())
}

/// The device that a handle is of. Errors: it is none of this library's.
pub(crate) fn device_of(context: Context) -> Result<usize, Code> {
    let device = (context.addr() / size_of::<u64>()).checked_sub(1).ok_or(code::INVALID_CONTEXT)?;
    if device < double().devices && handle(device) == context { Ok(device) } else { Err(code::INVALID_CONTEXT) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut Context, device: c_int) -> Code {
    let device = match double().device(device) {
        Ok(device) => device,
        Err(code) => return code,
    };
    if [Fault::Busy, Fault::Exclusive].into_iter().any(|fault| double().has(fault)) {
        return code::DEVICE_UNAVAILABLE;
    }
    lock(&CONTEXTS).entry(device).or_default().0 += 1;
    // SAFETY: the header's contract: a writable handle.
    unsafe { say(context, handle(device)) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRelease_v2(device: c_int) -> Code {
    let released = |device| {
        let mut contexts = lock(&CONTEXTS);
        let (times, _) = contexts.get_mut(&device).filter(|(times, _)| *times > 0).ok_or(code::INVALID_CONTEXT)?;
        *times -= 1;
        Ok(())
    };
    code_of(double().device(device).and_then(released))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxSetFlags_v2(device: c_int, flags: c_uint) -> Code {
    code_of(double().device(device).map(|device| lock(&CONTEXTS).entry(device).or_default().1 = flags))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDevicePrimaryCtxGetState(device: c_int, flags: *mut c_uint, active: *mut c_int) -> Code {
    let (times, set) = match double().device(device) {
        Ok(device) => lock(&CONTEXTS).get(&device).copied().unwrap_or_default(),
        Err(code) => return code,
    };
    // SAFETY: the header's contract: a writable integer.
    unsafe { flags.write(set) };
    // SAFETY: as above.
    unsafe { say(active, c_int::from(times > 0)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetFlags(flags: *mut c_uint) -> Code {
    let set = match current() {
        Ok(device) => lock(&CONTEXTS).get(&device).copied().unwrap_or_default().1,
        Err(code) => return code,
    };
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(flags, set) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(context: Context) -> Code {
    let device = if context.is_null() { Ok(None) } else { device_of(context).map(Some) };
    code_of(device.map(|device| CURRENT.set(device)).and_then(|()| double().alive()))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetCurrent(context: *mut Context) -> Code {
    // SAFETY: the header's contract: a writable handle.
    unsafe { say(context, CURRENT.get().map_or(null_mut(), handle)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetDevice(device: *mut c_int) -> Code {
    let current = match current() {
        Ok(current) => current,
        Err(code) => return code,
    };
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(device, current as c_int) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSynchronize() -> Code {
    code_of(entered().and_then(|()| outside_capture()).and_then(|()| {
        drain_all();
        double().alive()
    }))
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetLimit(_limit: c_int, _value: usize) -> Code {
    code_of(entered())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetStreamPriorityRange(least: *mut c_int, greatest: *mut c_int) -> Code {
    // SAFETY: the header's contract: a writable integer.
    unsafe { least.write(0) };
    // SAFETY: as above.
    unsafe { say(greatest, -5) }
}
