//! Attention of many new tokens on a GPU's tensor cores, a tile of query lines a block; a step of one token a sequence goes the way of [`Split`].

use super::check::{fitting, sinks_of};
use super::split_cuda::{self, Split};
use super::{Attention, KvType, naive_cuda};
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::cuda::{Gpu, Properties, hold};
use crate::gemm::Activations;
use crate::{Buffer, Fault, Io, Unsupported};
use std::sync::Arc;

static SOURCE: Source = Source { path: "attention/flash_sm80.cu", text: include_str!("flash_sm80.cu") };

/// Warps of a block.
const WARPS: usize = 4;
/// New tokens of a sequence from which on a tile is worth it: with fewer most of its lines are empty, and too few blocks share a long
/// cache.
const LEAST_ROWS: usize = 8;

/// A block for each tile of query lines and key head.
pub(super) struct Flash;
pub(super) static FLASH: Cuda<(Attention, Flash)> = Cuda::new();

/// The functions, the sinks if there are any, and what does calls of few tokens.
#[derive(Debug)]
pub(super) struct Ready {
    append: Function,
    attend: Function,
    sinks: Vec<Buffer>,
    /// One token a sequence; `None` where the other kernel does not take such heads.
    one: Option<(Attention, split_cuda::Ready)>,
}

/// How one shape is cut up; why so stands in the `.cu` file.
#[derive(Clone, Copy, Debug)]
struct Tiling {
    /// Parts that queries and powers are the sum of.
    parts: usize,
    /// Tiles of 16 lines a warp.
    tiles: usize,
    /// Tokens a step.
    tokens: usize,
}

impl Tiling {
    fn of(op: &Attention) -> Self {
        let parts = if op.activations == Activations::Bf16 { 1 } else { 3 };
        let tiles = if parts == 1 && op.head_dim <= 128 { 2 } else { 1 };
        let tokens = match op.head_dim {
            ..=64 => 64,
            65..=128 => 32,
            _ => 16,
        };
        Self { parts, tiles, tokens }
    }
    fn lines(self) -> usize {
        WARPS * 16 * self.tiles
    }
    /// Bytes of shared memory: two stages, and queries that no registers hold.
    fn shared(self, op: &Attention) -> usize {
        let (dim, cell) = (op.head_dim, op.kv.element().size());
        let values = if op.kv == KvType::Fp8 { 4 * (4 * dim + 32) } else { 16 * (2 * dim + 16) };
        let queries = if self.parts == 3 && dim > 128 { self.lines() * dim * size_of::<f32>() } else { 0 };
        2 * self.tokens / 16 * (16 * dim * cell + values) + queries
    }
}

/// Whether the kernel is for such a cache and so many new tokens.
fn takes(op: &Attention) -> Result<(), Unsupported> {
    let no = |why: String| Err(Unsupported(why));
    if !matches!(op.kv, KvType::Bf16 | KvType::Fp8) {
        return no(format!("reads bf16 and fp8 caches, and this one is {}", op.kv.name()));
    }
    if !op.head_dim.is_multiple_of(16) || op.head_dim > 256 {
        return no(format!("takes heads of a multiple of 16 elements up to 256, and these have {}", op.head_dim));
    }
    if op.rows < LEAST_ROWS * op.sequences {
        return no(format!(
            "takes {LEAST_ROWS} new tokens a sequence or more, and here are {}",
            op.rows / op.sequences
        ));
    }
    Ok(())
}

/// The op of a call of one token a sequence on the caches of `op`; `None` where `split` does not take it.
fn one(op: &Attention) -> Option<Attention> {
    let rows = op.sequences;
    let one = Attention { rows, depth: op.depth + op.rows - rows, ..*op };
    split_cuda::takes(&one).is_ok().then_some(one)
}

impl CudaOp<Attention> for Flash {
    type Ready = Ready;
    const NAME: &'static str = "flash";

    fn accepts(op: &Attention, gpu: &Properties) -> Result<(), Unsupported> {
        takes(op)?;
        let (has, needs) = (gpu.shared_bytes as usize, Tiling::of(op).shared(op));
        if needs > has {
            return Err(Unsupported(format!("needs {needs} bytes of shared memory, and a block has {has}")));
        }
        Ok(())
    }
    fn units(op: &Attention) -> Vec<Unit> {
        if takes(op).is_err() {
            return Vec::new();
        }
        let Tiling { parts, tiles, tokens } = Tiling::of(op);
        let unit = Unit::plain(&SOURCE, FROM_SM80, &["attend_flash"]).with("DIM", op.head_dim);
        let unit = unit.with("KV", naive_cuda::number(op.kv)).with("PARTS", parts).with("M_TILES", tiles);
        let one = one(op).map(|one| Split::units(&one)).unwrap_or_default();
        [naive_cuda::unit(op), unit.with("TOKENS", tokens)].into_iter().chain(one).collect()
    }
    fn ready(op: &Attention, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        sinks_of(op, weights)?;
        let one = match one(op) {
            Some(one) => Some((one, Split::ready(&one, weights, &modules[2..], gpu)?)),
            None => None,
        };
        Ok(Ready {
            append: modules[0].function("append")?,
            attend: modules[1].function("attend_flash")?.with_shared(Tiling::of(op).shared(op))?,
            sinks: hold(weights, gpu)?,
            one,
        })
    }
    fn run(op: &Attention, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        fitting(op, io)?;
        let spans = &io.live.spans;
        if let Some((one, split)) = &mut ready.one
            && spans.iter().all(|span| span.rows <= 1)
        {
            return Split::run(one, split, gpu, io);
        }
        let (table, rows) = (gpu.rows(io.live)?, io.live.rows());
        let ([qkv], [out, keys, values]) = (io.inputs, &mut *io.outputs) else {
            unreachable!("the operands were just counted")
        };
        let (heads, kv_heads, slots) = (op.heads, op.kv_heads, op.layout().slots());
        let args = Args::new().read(qkv).write(keys).write(values).address(table);
        let args = args.int(heads).int(kv_heads).int(op.head_dim).int(slots);
        gpu.launch(&ready.append, Grid::of([rows, kv_heads, 1], 32), args)?;
        let mut first = 0;
        for span in spans {
            let args = Args::new()
                .read(qkv)
                .write(out)
                .read(keys)
                .read(values)
                .address(table)
                .read_or_null(ready.sinks.first())
                .int(first)
                .int(span.rows)
                .int(heads)
                .int(kv_heads)
                .int(slots)
                .int(op.window.unwrap_or(0))
                .float(op.scale())
                .float(op.softcap.unwrap_or(0.0));
            let tiles = (span.rows * op.group()).div_ceil(Tiling::of(op).lines());
            gpu.launch(&ready.attend, Grid::of([tiles, kv_heads, 1], 32 * WARPS as u32), args)?;
            first += span.rows;
        }
        Ok(())
    }
}
