//! One GPU's primary context, entered by whichever thread works with it, and the one stream that all work goes through.
#![expect(unsafe_code, reason = "the driver's handles are retained, used and released")]

use super::driver::{fault, said, sticky};
use crate::Fault;
use cudarc::driver::{DriverError, result, sys};
use std::sync::OnceLock;

/// A retained primary context with one stream.
#[derive(Debug)]
pub struct Context {
    device: sys::CUdevice,
    raw: sys::CUcontext,
    stream: sys::CUstream,
    /// What made it unusable.
    lost: OnceLock<String>,
}

// SAFETY: the driver's handles may be used by any thread; what is not thread-safe, recording, is guarded by `Gpu`.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// The context of a device, whose waits spin: a wake-up would take as long as a small kernel. Errors: the driver's words.
    pub(crate) fn retain(ordinal: i32) -> Result<Self, Fault> {
        let device = result::device::get(ordinal).map_err(|e| fault("cuDeviceGet", e))?;
        // SAFETY: `device` is valid. A context that another library made active keeps its own flags: timing is then less sharp.
        let _ = unsafe { sys::cuDevicePrimaryCtxSetFlags_v2(device, sys::CUctx_flags_enum::CU_CTX_SCHED_SPIN as u32) };
        // SAFETY: `device` is valid, and `drop` releases what is retained here.
        let raw = unsafe { result::primary_ctx::retain(device) }.map_err(|e| fault("cuDevicePrimaryCtxRetain", e))?;
        let mut context = Self { device, raw, stream: std::ptr::null_mut(), lost: OnceLock::new() };
        context.enter()?;
        context.stream =
            result::stream::create(result::stream::StreamKind::NonBlocking).map_err(|e| fault("cuStreamCreate", e))?;
        Ok(context)
    }
    /// Makes it the calling thread's. Errors: an earlier error has made it unusable.
    pub(crate) fn enter(&self) -> Result<(), Fault> {
        if let Some(why) = self.lost.get() {
            return Err(Fault::Lost(why.clone()));
        }
        // SAFETY: the context stays retained for as long as this value lives.
        self.check("cuCtxSetCurrent", unsafe { result::ctx::set_current(self.raw) })
    }
    /// The driver's answer as a value. An error that the context does not survive is remembered.
    pub(crate) fn check<T>(&self, what: &str, answer: Result<T, DriverError>) -> Result<T, Fault> {
        answer.map_err(|error| {
            if !sticky(error) {
                return fault(what, error);
            }
            let why = format!("the GPU's context was lost to an error in {what} or before it: {}", said(error));
            Fault::Lost(self.lost.get_or_init(|| why).clone())
        })
    }
    /// Why it cannot be used any more.
    pub fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }
    /// The driver's number of the device.
    pub(crate) fn device(&self) -> sys::CUdevice {
        self.device
    }
    /// The driver's handle, for calls that name a context.
    pub(crate) fn raw(&self) -> sys::CUcontext {
        self.raw
    }
    /// The stream that all work goes through but what stands in lanes of its own.
    pub(crate) fn stream(&self) -> sys::CUstream {
        self.stream
    }
    /// Waits for all work of all streams. Errors: what went wrong in it.
    pub(crate) fn synchronize_all(&self) -> Result<(), Fault> {
        self.enter()?;
        self.check("cuCtxSynchronize", result::ctx::synchronize())
    }
    /// Waits for all submitted work. Errors: what went wrong in it.
    pub(crate) fn synchronize(&self) -> Result<(), Fault> {
        self.enter()?;
        // SAFETY: the stream is this context's own and lives with it.
        self.check("cuStreamSynchronize", unsafe { result::stream::synchronize(self.stream) })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if !self.stream.is_null() && self.enter().is_ok() {
            // SAFETY: made by `retain`, and nothing else holds it. A failure here has nobody left to tell.
            let _ = unsafe { result::stream::destroy(self.stream) };
        }
        // SAFETY: retained once by `retain`.
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}
