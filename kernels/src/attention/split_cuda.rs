//! Attention of few new tokens on a GPU, the cache cut into stretches that are worked on side by side.

use super::check::{fitting, sinks_of};
use super::{Attention, KvType, naive_cuda};
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::cuda::{Gpu, Properties, hold};
use crate::{Buffer, Device, Fault, Io, Placement, Type, Unsupported};
use std::sync::Arc;

static SOURCE: Source = Source { path: "attention/split.cu", text: include_str!("split.cu") };

/// Threads of a block of `attend_split`.
const THREADS: u32 = 128;
/// Blocks an SM there should be at least, and tokens a stretch is worth its overhead from on.
const BLOCKS_AN_SM: usize = 4;
const LEAST_TOKENS: usize = 128;
/// Stretches at most: `merge` goes through them one by one.
const MOST_SPLITS: usize = 64;

/// A block for each row, some query heads and a stretch of the cache.
pub(super) struct Split;
pub(super) static SPLIT: Cuda<(Attention, Split)> = Cuda::new();

/// The functions, the sinks if there are any, and what the stretches find.
#[derive(Debug)]
pub(super) struct Ready {
    append: Function,
    attend: Function,
    merge: Function,
    sinks: Vec<Buffer>,
    /// Largest score and sum of powers of each row, head and stretch, and the sums of values.
    parts: Buffer,
    sums: Buffer,
    splits: usize,
}

/// Query heads that a block takes: of a group of five it is one, of eight four. Four longer ones than of 128 elements spill registers.
fn together(op: &Attention) -> usize {
    let most = if op.head_dim > 128 { 2 } else { 4 };
    [4, 2, 1].into_iter().find(|heads| *heads <= most && op.group().is_multiple_of(*heads)).unwrap_or(1)
}

/// How many stretches the cache is cut into. A recorded step is replayed at other lengths, so it hangs on the capacity alone.
fn splits(op: &Attention, sms: usize) -> usize {
    let blocks = op.rows * op.heads / together(op);
    let seen = op.window.unwrap_or(usize::MAX).min(op.capacity());
    (BLOCKS_AN_SM * sms).div_ceil(blocks).min(seen.div_ceil(LEAST_TOKENS)).clamp(1, MOST_SPLITS)
}

/// Whether the kernel is for such a cache.
pub(super) fn takes(op: &Attention) -> Result<(), Unsupported> {
    if !matches!(op.kv, KvType::Bf16 | KvType::Fp8) {
        return Err(Unsupported(format!("reads bf16 and fp8 caches, and this one is {}", op.kv.name())));
    }
    if !op.head_dim.is_multiple_of(64) || op.head_dim > 256 {
        return Err(Unsupported(format!(
            "takes heads of 64, 128, 192 or 256 elements, and these have {}",
            op.head_dim
        )));
    }
    Ok(())
}

impl CudaOp<Attention> for Split {
    type Ready = Ready;
    const NAME: &'static str = "split";

    fn accepts(op: &Attention, _: &Properties) -> Result<(), Unsupported> {
        takes(op)
    }
    fn units(op: &Attention) -> Vec<Unit> {
        if takes(op).is_err() {
            return Vec::new();
        }
        let unit = Unit::plain(&SOURCE, FROM_SM80, &["attend_split", "merge"]);
        let unit = unit.with("DIM", op.head_dim).with("HEADS", together(op));
        vec![naive_cuda::unit(op), unit.with("KV", naive_cuda::number(op.kv)).with("ROUNDED", naive_cuda::rounded(op))]
    }
    fn ready(op: &Attention, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        sinks_of(op, weights)?;
        let splits = splits(op, gpu.threads());
        let parts = if splits > 1 { op.rows * op.heads * splits } else { 0 };
        Ok(Ready {
            append: modules[0].function("append")?,
            attend: modules[1].function("attend_split")?,
            merge: modules[1].function("merge")?,
            sinks: hold(weights, gpu)?,
            parts: gpu.alloc(Type::F32, 2 * parts, Placement::Fast)?,
            sums: gpu.alloc(Type::F32, parts * op.head_dim, Placement::Fast)?,
            splits,
        })
    }
    fn run(op: &Attention, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        fitting(op, io)?;
        let (table, rows) = (gpu.rows(io.live)?, io.live.rows());
        let ([qkv], [out, keys, values]) = (io.inputs, &mut *io.outputs) else {
            unreachable!("the operands were just counted")
        };
        let (heads, kv_heads, slots) = (op.heads, op.kv_heads, op.layout().slots());
        let args = Args::new().read(qkv).write(keys).write(values).address(table);
        let args = args.int(heads).int(kv_heads).int(op.head_dim).int(slots);
        gpu.launch(&ready.append, Grid::of([rows, kv_heads, 1], 32), args)?;
        let args = Args::new()
            .read(qkv)
            .write(out)
            .read(keys)
            .read(values)
            .address(table)
            .read_or_null(ready.sinks.first())
            .write(&mut ready.parts)
            .write(&mut ready.sums)
            .int(heads)
            .int(kv_heads)
            .int(slots)
            .int(op.window.unwrap_or(0))
            .float(op.scale())
            .float(op.softcap.unwrap_or(0.0));
        gpu.launch(&ready.attend, Grid::of([rows, heads / together(op), ready.splits], THREADS), args)?;
        if ready.splits == 1 {
            return Ok(());
        }
        let args = Args::new().write(out).read_or_null(ready.sinks.first()).read(&ready.parts).read(&ready.sums);
        gpu.launch(&ready.merge, Grid::of([rows, heads, 1], op.head_dim as u32), args.int(heads).int(ready.splits))
    }
}
