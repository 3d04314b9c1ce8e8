//! A region of a GPU's memory, copied to and from on the GPU's stream.
#![expect(unsafe_code, reason = "device memory is allocated, copied and freed by address")]

use super::context::Context;
use crate::Fault;
use crate::link::block::Block;
use cudarc::driver::{result, sys};
use std::sync::Arc;

/// Memory of one GPU, freed when dropped.
#[derive(Debug)]
pub struct Memory {
    at: sys::CUdeviceptr,
    bytes: usize,
    context: Arc<Context>,
    /// Whose it is, where it was not allocated by this value.
    lent: Option<Arc<Block>>,
}

impl Memory {
    /// Zeroed memory. Errors: there is not that much.
    pub(crate) fn zeroed(context: &Arc<Context>, bytes: usize) -> Result<Self, Fault> {
        context.enter()?;
        // The driver refuses to allocate nothing.
        let bytes = bytes.max(1);
        // SAFETY: a context is current; the address is owned by the value made here.
        let at = match unsafe { result::malloc_sync(bytes) } {
            Err(e) if e.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                return Err(Fault::OutOfMemory { bytes: bytes as u64 });
            }
            answer => context.check("cuMemAlloc", answer)?,
        };
        let memory = Self { at, bytes, context: context.clone(), lent: None };
        // SAFETY: the region just allocated has `bytes` bytes.
        let cleared = unsafe { result::memset_d8_async(at, 0, bytes, context.stream()) };
        context.check("cuMemsetD8Async", cleared)?;
        Ok(memory)
    }
    /// What the GPU sees of `block`; `None` if nothing.
    pub(crate) fn of(block: &Arc<Block>) -> Option<Self> {
        let (at, context) = (block.device()?, block.context().clone());
        Some(Self { at, bytes: block.bytes(), context, lent: Some(block.clone()) })
    }
    /// Its address on the GPU.
    pub fn address(&self) -> u64 {
        self.at
    }
    /// Its size, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
    /// The context it belongs to.
    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }
    /// Copies `bytes` to `offset`. They may be given up when it returns. Panics if they do not fit.
    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Fault> {
        self.contains(offset, bytes.len());
        if bytes.is_empty() {
            return Ok(());
        }
        self.context.enter()?;
        // SAFETY: the range was found inside the region. From pageable memory the driver returns after it has taken the bytes,
        // and the wait below holds where it does not.
        let copied = unsafe { result::memcpy_htod_async(self.at + offset as u64, bytes, self.context.stream()) };
        self.context.check("cuMemcpyHtoDAsync", copied)?;
        self.context.synchronize()
    }
    /// Copies bytes from `offset` on into `bytes`, after all submitted work. Panics if there are not so many.
    pub(crate) fn read(&self, offset: usize, bytes: &mut [u8]) -> Result<(), Fault> {
        self.contains(offset, bytes.len());
        if bytes.is_empty() {
            return Ok(());
        }
        self.context.enter()?;
        // SAFETY: the range was found inside the region, and `bytes` stays borrowed until the wait below.
        let copied = unsafe { result::memcpy_dtoh_async(bytes, self.at + offset as u64, self.context.stream()) };
        self.context.check("cuMemcpyDtoHAsync", copied)?;
        self.context.synchronize()
    }
    /// Copies the first `bytes` of `from` over its own first. Panics if they do not fit.
    pub(crate) fn copy(&mut self, from: &Self, bytes: usize) -> Result<(), Fault> {
        self.contains(0, bytes);
        from.contains(0, bytes);
        self.context.enter()?;
        // SAFETY: both ranges were found inside their regions, which belong to one context; the stream orders it.
        let copied = unsafe { result::memcpy_dtod_async(self.at, from.at, bytes, self.context.stream()) };
        self.context.check("cuMemcpyDtoDAsync", copied)
    }
    fn contains(&self, offset: usize, bytes: usize) {
        assert!(
            offset.checked_add(bytes).is_some_and(|end| end <= self.bytes),
            "{offset} + {bytes} <= {} bytes of memory",
            self.bytes
        );
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.lent.is_none() && self.context.enter().is_ok() {
            // SAFETY: allocated by `zeroed`, freed once; the driver waits for work that uses it. A failure has nobody to tell.
            let _ = unsafe { result::free_sync(self.at) };
        }
    }
}
