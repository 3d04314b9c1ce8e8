//! What it takes a GPU to reach a page that stands elsewhere: a walk over pages, each read waiting for the one before.

use super::Region;
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::Function;
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Device, Fault, Placement, Type};
use std::time::Duration;

static SOURCE: Source = Source { path: "link/faults.cu", text: include_str!("faults.cu") };

pub(super) fn unit() -> Unit {
    Unit::plain(&SOURCE, FROM_SM80, &["walk"])
}

/// The walk.
#[derive(Debug)]
pub struct Walk {
    function: Function,
    total: Buffer,
}

impl Walk {
    /// Errors: no compiler, no memory.
    pub fn new(gpu: &Gpu) -> Result<Self, Fault> {
        let function = gpu.module(&unit())?.function("walk")?;
        Ok(Self { function, total: gpu.alloc(Type::U32, 1, Placement::Fast)? })
    }
    /// Lets the host write all pages of `page` bytes of `region` (of 32-bit words), which brings them to it. Returns how many.
    pub fn bring_home(region: &mut Region, page: usize) -> Result<usize, Fault> {
        let words = region.host()?.slice_mut::<u32>();
        words.iter_mut().step_by(page / 4).for_each(|word| *word = 1);
        Ok(words.len().div_ceil(page / 4))
    }
    /// How long one GPU thread takes over those pages. Errors: it did not see what the host wrote.
    pub fn run(&mut self, gpu: &Gpu, region: &mut Region, page: usize) -> Result<Duration, Fault> {
        let pages = region.gpu()?;
        let count = pages.len().div_ceil(page / 4);
        let took = gpu.time(&mut || {
            let args = Args::new().read(pages).long(page as u64 / 4).int(count).write(&mut self.total);
            gpu.launch(&self.function, Grid::line(1, 1), args)
        })?;
        match gpu.download(&self.total)?.slice::<u32>()[0] as usize {
            seen if seen == count => Ok(took),
            seen => Err(Fault::Device(format!("the GPU saw what the host wrote on {seen} of {count} pages"))),
        }
    }
}
