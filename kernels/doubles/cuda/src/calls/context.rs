//! Calls about contexts: there is one, the device's primary one.
#![expect(unsafe_code, reason = "a C library by nature: its callers hand it pointers")]
#![allow(missing_docs, clippy::missing_safety_doc, reason = "NVIDIA's header says what each call does and wants")]

use super::{code_of, say};
use crate::code::{self, Code};
use crate::fault::Fault;
use crate::state::double;
use crate::stream::{drain_all, outside_capture};
use std::cell::Cell;
use std::ffi::{c_int, c_uint, c_void};
use std::ptr::{dangling_mut, null_mut};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

type Context = *mut c_void;

static RETAINED: AtomicI32 = AtomicI32::new(0);
static FLAGS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static CURRENT: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread has entered the context. Errors: it has not.
pub(crate) fn entered() -> Result<(), Code> {
    double().alive()?;
    if CURRENT.get() { Ok(()) } else { Err(code::INVALID_CONTEXT) }
}

/// The handle; it is never followed.
fn handle() -> Context {
    dangling_mut::<u64>().cast()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut Context, device: c_int) -> Code {
    if device != 0 {
        return code::INVALID_DEVICE;
    }
    if [Fault::Busy, Fault::Exclusive].into_iter().any(|fault| double().has(fault)) {
        return code::DEVICE_UNAVAILABLE;
    }
    RETAINED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the header's contract: a writable handle.
    unsafe { say(context, handle()) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxRelease_v2(_device: c_int) -> Code {
    let was = RETAINED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n > 0).then_some(n - 1));
    if was.is_ok() { code::SUCCESS } else { code::INVALID_CONTEXT }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuDevicePrimaryCtxSetFlags_v2(_device: c_int, flags: c_uint) -> Code {
    FLAGS.store(flags, Ordering::Relaxed);
    code::SUCCESS
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuDevicePrimaryCtxGetState(_device: c_int, flags: *mut c_uint, active: *mut c_int) -> Code {
    // SAFETY: the header's contract: a writable integer.
    unsafe { flags.write(FLAGS.load(Ordering::Relaxed)) };
    // SAFETY: as above.
    unsafe { say(active, c_int::from(RETAINED.load(Ordering::Relaxed) > 0)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetFlags(flags: *mut c_uint) -> Code {
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(flags, FLAGS.load(Ordering::Relaxed)) }
}

#[unsafe(no_mangle)]
pub extern "C" fn cuCtxSetCurrent(context: Context) -> Code {
    CURRENT.set(!context.is_null());
    code_of(double().alive())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetCurrent(context: *mut Context) -> Code {
    // SAFETY: the header's contract: a writable handle.
    unsafe { say(context, if CURRENT.get() { handle() } else { null_mut() }) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cuCtxGetDevice(device: *mut c_int) -> Code {
    // SAFETY: the header's contract: a writable integer.
    unsafe { say(device, 0) }
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
