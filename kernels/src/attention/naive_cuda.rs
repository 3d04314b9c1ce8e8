//! The plain attention on a GPU, over the CPU's cache layout.

use super::check::{fitting, sinks_of};
use super::{Attention, KvType};
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::cuda::{Gpu, Properties, hold};
use crate::gemm::Activations;
use crate::{Buffer, Fault, Io, Unsupported};
use std::sync::Arc;

static SOURCE: Source = Source { path: "attention/naive.cu", text: include_str!("naive.cu") };

/// Threads a block of `attend`: tokens at a time.
const THREADS: usize = 128;

/// One block a row and head.
pub(super) struct Naive;
pub(super) static NAIVE: Cuda<(Attention, Naive)> = Cuda::new();

/// The two functions, and the sinks if there are any.
#[derive(Debug)]
pub(super) struct Ready {
    append: Function,
    attend: Function,
    sinks: Vec<Buffer>,
}

fn shared(op: &Attention) -> usize {
    (2 * op.head_dim + THREADS) * size_of::<f32>()
}

/// The number of a type of cache in the `.cu` files.
pub(super) fn number(kv: KvType) -> u8 {
    match kv {
        KvType::F32 => 0,
        KvType::Bf16 => 1,
        KvType::Int8 => 2,
        KvType::Fp8 => 3,
    }
}

/// 1 where queries are rounded to bf16.
pub(super) fn rounded(op: &Attention) -> u8 {
    u8::from(op.activations == Activations::Bf16)
}

/// What is compiled: `append` serves every implementation.
pub(super) fn unit(op: &Attention) -> Unit {
    let unit = Unit::plain(&SOURCE, FROM_SM80, &["append", "attend"]).with("KV", number(op.kv));
    unit.with("ROUNDED", rounded(op))
}

impl CudaOp<Attention> for Naive {
    type Ready = Ready;
    const NAME: &'static str = "naive";

    fn accepts(op: &Attention, gpu: &Properties) -> Result<(), Unsupported> {
        // Beside the dynamic shared memory stands a little of the kernel's own.
        if shared(op) + 1024 > gpu.shared_bytes as usize {
            let (has, needs) = (gpu.shared_bytes, shared(op));
            return Err(Unsupported(format!(
                "head_dim {} needs {needs} bytes of shared memory, and a block has {has}",
                op.head_dim
            )));
        }
        Ok(())
    }
    fn units(op: &Attention) -> Vec<Unit> {
        vec![unit(op)]
    }
    fn ready(op: &Attention, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        sinks_of(op, weights)?;
        let attend = modules[0].function("attend")?.with_shared(shared(op))?;
        Ok(Ready { append: modules[0].function("append")?, attend, sinks: hold(weights, gpu)? })
    }
    fn run(op: &Attention, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        fitting(op, io)?;
        let (table, rows) = (gpu.rows(io.live)?, io.live.rows());
        let ([qkv], [out, keys, values]) = (io.inputs, &mut *io.outputs) else {
            unreachable!("the operands were just counted")
        };
        let (heads, kv_heads, dim, slots) = (op.heads, op.kv_heads, op.head_dim, op.layout().slots());
        let args = Args::new().read(qkv).write(keys).write(values).address(table);
        let args = args.int(heads).int(kv_heads).int(dim).int(slots);
        gpu.launch(&ready.append, Grid::of([rows, kv_heads, 1], 32), args)?;
        let args = Args::new()
            .read(qkv)
            .write(out)
            .read(keys)
            .read(values)
            .address(table)
            .read_or_null(ready.sinks.first())
            .int(heads)
            .int(kv_heads)
            .int(dim)
            .int(slots)
            .int(op.window.unwrap_or(0))
            .float(op.scale())
            .float(op.softcap.unwrap_or(0.0));
        gpu.launch(&ready.attend, Grid::of([rows, heads, 1], THREADS as u32), args)
    }
}
