//! One allocation, by address, given back when dropped.
#![expect(unsafe_code, reason = "memory is had from the driver and given back by address")]

use super::Allocator;
use crate::cpu::pages::Pages;
use crate::cuda::Gpu;
use crate::cuda::context::Context;
use crate::{Fault, Placement};
use cudarc::driver::{DriverError, result, sys};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

/// Page-locked for all contexts, and with an address on the device.
const PINNED: u32 = sys::CU_MEMHOSTALLOC_PORTABLE | sys::CU_MEMHOSTALLOC_DEVICEMAP;
const REGISTERED: u32 = sys::CU_MEMHOSTREGISTER_PORTABLE | sys::CU_MEMHOSTREGISTER_DEVICEMAP;

/// An allocation.
#[derive(Debug)]
pub(crate) struct Block {
    allocator: Allocator,
    bytes: usize,
    host: Option<NonNull<u8>>,
    device: Option<u64>,
    /// What the system gave.
    pages: Option<Pages>,
    context: Arc<Context>,
}

// SAFETY: the addresses are this value's own; who reads and writes behind them is governed by the borrows of `Region`.
unsafe impl Send for Block {}
// SAFETY: as above; `&Block` gives out addresses only.
unsafe impl Sync for Block {}

impl Block {
    /// `bytes` bytes that nobody has touched yet, as far as the allocator leaves that open. Errors: there is no such memory for this
    /// GPU, or not so much of it.
    pub(crate) fn new(gpu: &Gpu, allocator: Allocator, bytes: usize) -> Result<Self, Fault> {
        allocator.available(gpu.properties())?;
        let bytes = bytes.max(1);
        let context = gpu.context().clone();
        context.enter()?;
        let mut block = Self { allocator, bytes, host: None, device: None, pages: None, context };
        let reached = allocator.seen_by_gpu(gpu.properties()).is_ok();
        match allocator {
            Allocator::Pageable | Allocator::Registered => {
                let mut pages = Pages::untouched(bytes, Placement::Fast)?;
                block.host = NonNull::new(pages.as_mut_ptr());
                block.pages = Some(pages);
                if allocator == Allocator::Registered {
                    block.register()?;
                } else if reached {
                    block.device = block.host.map(|at| at.as_ptr() as u64);
                }
            }
            Allocator::Pinned | Allocator::WriteCombined => {
                let combined =
                    if allocator == Allocator::WriteCombined { sys::CU_MEMHOSTALLOC_WRITECOMBINED } else { 0 };
                // SAFETY: a context is current; the address is owned by the value made here.
                let at = unsafe { result::malloc_host(bytes, PINNED | combined) };
                block.host = NonNull::new(block.had("cuMemHostAlloc", at)?.cast());
                block.map()?;
            }
            Allocator::Managed | Allocator::ManagedAdvised => {
                // SAFETY: as above.
                let at = unsafe { result::malloc_managed(bytes, sys::CUmemAttach_flags_enum::CU_MEM_ATTACH_GLOBAL) };
                let at = block.had("cuMemAllocManaged", at)?;
                (block.device, block.host) = (Some(at), NonNull::new(at as *mut u8));
                if allocator == Allocator::ManagedAdvised {
                    block.advise(gpu.ordinal())?;
                }
            }
            Allocator::Device => {
                // SAFETY: as above.
                let at = unsafe { result::malloc_sync(bytes) };
                block.device = Some(block.had("cuMemAlloc", at)?);
            }
        }
        Ok(block)
    }
    fn had<T>(&self, what: &str, answer: Result<T, DriverError>) -> Result<T, Fault> {
        match answer {
            Err(e) if e.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                Err(Fault::OutOfMemory { bytes: self.bytes as u64 })
            }
            answer => self.context.check(what, answer),
        }
    }
    fn register(&mut self) -> Result<(), Fault> {
        let Some(at) = self.host else { return Ok(()) };
        // SAFETY: the pages are this value's own and as long.
        let pinned = unsafe { sys::cuMemHostRegister_v2(at.as_ptr().cast(), self.bytes, REGISTERED) }.result();
        if let Err(fault) = self.had("cuMemHostRegister", pinned) {
            // What was not registered is not to be taken back.
            self.allocator = Allocator::Pageable;
            return Err(fault);
        }
        self.map()
    }
    /// Asks for the address by which the device knows pinned memory.
    fn map(&mut self) -> Result<(), Fault> {
        let Some(at) = self.host else { return Ok(()) };
        let mut device = 0;
        // SAFETY: pinned memory of this context; an address is written.
        let asked = unsafe { sys::cuMemHostGetDevicePointer_v2(&raw mut device, at.as_ptr().cast(), 0) }.result();
        self.context.check("cuMemHostGetDevicePointer", asked)?;
        self.device = Some(device);
        Ok(())
    }
    /// Advises the driver to keep the pages with the host and to map them on the device.
    fn advise(&self, ordinal: i32) -> Result<(), Fault> {
        use sys::{CUmem_advise as Advice, CUmemLocationType_enum as Where};
        let place = |type_, id| sys::CUmemLocation { type_, id };
        let host = place(Where::CU_MEM_LOCATION_TYPE_HOST, 0);
        let device = place(Where::CU_MEM_LOCATION_TYPE_DEVICE, ordinal);
        let all =
            [(Advice::CU_MEM_ADVISE_SET_PREFERRED_LOCATION, host), (Advice::CU_MEM_ADVISE_SET_ACCESSED_BY, device)];
        for (advice, place) in all {
            // SAFETY: managed memory of this value, as long as said.
            let advised = unsafe { result::mem_advise(self.device.unwrap_or(0), self.bytes, advice, place) };
            self.context.check("cuMemAdvise", advised)?;
        }
        Ok(())
    }
    pub(crate) fn allocator(&self) -> Allocator {
        self.allocator
    }
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
    /// Its address for the host.
    pub(crate) fn host(&self) -> Option<NonNull<u8>> {
        self.host
    }
    /// Its address for the GPU's kernels.
    pub(crate) fn device(&self) -> Option<u64> {
        self.device
    }
    /// Its address for the driver's copies, which take the host's too.
    pub(crate) fn either(&self) -> u64 {
        self.device.or(self.host.map(|at| at.as_ptr() as u64)).unwrap_or(0)
    }
    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.context
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.context.enter().is_err() {
            // What a lost context held is gone with it.
            return;
        }
        let host = self.host.map(|at| at.as_ptr().cast::<c_void>());
        // A failure here has nobody left to tell.
        match (self.allocator, host, self.device) {
            (Allocator::Pinned | Allocator::WriteCombined, Some(at), _) => {
                // SAFETY: had from the driver by `new`, and given back once.
                let _ = unsafe { result::free_host(at) };
            }
            (Allocator::Registered, Some(at), _) => {
                // SAFETY: registered by `new`, and still mapped: the pages are dropped after this.
                let _ = unsafe { sys::cuMemHostUnregister(at) };
            }
            (Allocator::Managed | Allocator::ManagedAdvised | Allocator::Device, _, Some(at)) => {
                // SAFETY: had from the driver by `new`, and given back once; the driver waits for work that uses it.
                let _ = unsafe { result::free_sync(at) };
            }
            _ => {}
        }
    }
}
