//! `read` on a GPU.

use super::Read;
use crate::cpu::variant::{no_weights, operands};
use crate::cuda::Gpu;
use crate::cuda::Properties;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Device, Fault, Io, Op, Placement, Type, Unsupported};
use std::sync::Arc;

static SOURCE: Source = Source { path: "read/read.cu", text: include_str!("read.cu") };

/// Threads of a block, and blocks of them an SM.
const THREADS: u32 = 512;
const BLOCKS: usize = 2;

/// `LOADS` of 16 bytes in flight a thread; through L1 with `CACHED` = 1.
pub(super) struct Loads<const LOADS: usize, const CACHED: usize>;
pub(super) static LOADS8: Cuda<(Read, Loads<8, 0>)> = Cuda::new();
pub(super) static LOADS4: Cuda<(Read, Loads<4, 0>)> = Cuda::new();
pub(super) static CACHED4: Cuda<(Read, Loads<4, 1>)> = Cuda::new();

/// The function, and where blocks add up what they find: the sum and how many have come.
#[derive(Debug)]
pub(super) struct Ready {
    function: Function,
    found: Buffer,
}

impl<const LOADS: usize, const CACHED: usize> CudaOp<Read> for Loads<LOADS, CACHED> {
    type Ready = Ready;
    const NAME: &'static str = match (LOADS, CACHED) {
        (8, 0) => "loads-8",
        (_, 0) => "loads-4",
        _ => "loads-4-l1",
    };

    fn accepts(op: &Read, _gpu: &Properties) -> Result<(), Unsupported> {
        op.0.on_a_gpu()
    }
    fn units(_: &Read) -> Vec<Unit> {
        vec![Unit::plain(&SOURCE, FROM_SM80, &["read_words"]).with("UNROLLED", LOADS).with("CACHED", CACHED)]
    }
    fn ready(_: &Read, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        no_weights(Read::NAME, weights)?;
        Ok(Ready { function: modules[0].function("read_words")?, found: gpu.alloc(Type::U64, 2, Placement::Fast)? })
    }
    fn run(op: &Read, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let ([array], [total, next]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Read::NAME, "an array, and as outputs a sum and a window"));
        };
        let window = op.window();
        let args = Args::new()
            .read(array)
            .long(op.0.bytes as u64)
            .long(window.bytes as u64)
            .int(window.passes())
            .write(total)
            .write(next)
            .write(&mut ready.found);
        gpu.launch(&ready.function, Grid::line(op.0.threads * BLOCKS, THREADS), args)
    }
}
