//! Memory that a host and a GPU may both work with, seen by one of them at a time.

use super::Allocator;
use super::block::Block;
use crate::cpu::pages::Pages;
use crate::cuda::Gpu;
use crate::cuda::memory::Memory;
use crate::{Buffer, Element, Fault, Type, Unsupported};
use std::sync::Arc;

/// One allocation with a buffer for each side, so that any op of either runs on it.
#[derive(Debug)]
pub struct Region {
    block: Arc<Block>,
    host: Option<Buffer>,
    gpu: Option<Buffer>,
}

impl Region {
    /// `len` elements from `allocator`, which nobody has touched yet as far as it leaves that open; what stands there is anything. Errors:
    /// there is no such memory for this GPU, or not so much.
    pub fn new(gpu: &Gpu, allocator: Allocator, of: Type, len: usize) -> Result<Self, Fault> {
        let bytes = len.checked_mul(of.size()).ok_or(Fault::OutOfMemory { bytes: u64::MAX })?;
        let block = Arc::new(Block::new(gpu, allocator, bytes)?);
        let host = Pages::of(&block).map(|pages| Buffer::in_pages(of, len, pages));
        let on_gpu = Memory::of(&block).map(|memory| Buffer::on_gpu(of, len, memory));
        Ok(Self { block, host, gpu: on_gpu })
    }
    /// Who gave it.
    pub fn allocator(&self) -> Allocator {
        self.block.allocator()
    }
    /// Its size.
    pub fn bytes(&self) -> usize {
        self.block.bytes()
    }
    /// As the host sees it, after all that the GPU was given to do. Errors: the host does not see it, or what went wrong on the GPU.
    pub fn host(&mut self) -> Result<&mut Buffer, Fault> {
        self.block.context().synchronize_all()?;
        let name = self.allocator().name();
        self.host.as_mut().ok_or_else(|| Unsupported(format!("{name}: the host does not reach it")).into())
    }
    /// As the GPU sees it. Errors: it does not.
    pub fn gpu(&mut self) -> Result<&mut Buffer, Fault> {
        let name = self.allocator().name();
        self.gpu.as_mut().ok_or_else(|| Unsupported(format!("{name}: the GPU does not reach it")).into())
    }
    /// Fills it by the host where that sees it, else by a copy; `value` gives each element.
    pub fn fill<T: Element>(&mut self, gpu: &Gpu, value: impl Fn(usize) -> T) -> Result<(), Fault> {
        /// Elements of one piece of a copy.
        const PIECE: usize = 1 << 20;
        if self.host.is_some() {
            self.host()?.slice_mut::<T>().iter_mut().enumerate().for_each(|(at, to)| *to = value(at));
            return Ok(());
        }
        let buffer = self.gpu()?;
        for start in (0..buffer.len()).step_by(PIECE) {
            let piece: Vec<T> = (start..(start + PIECE).min(buffer.len())).map(&value).collect();
            crate::device::write(gpu, buffer, start, &piece)?;
        }
        Ok(())
    }
    /// The same bytes as elements of another type, as many as fit.
    pub fn seen_as(&mut self, of: Type) {
        for buffer in [&mut self.host, &mut self.gpu].into_iter().flatten() {
            buffer.retype(of);
        }
    }
    pub(crate) fn block(&self) -> &Arc<Block> {
        &self.block
    }
}
