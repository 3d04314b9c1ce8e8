//! Blocked online softmax on vectors: what is the same for every instruction set.
//!
//! A tile of query vectors meets the keys 64 at a time and keeps, for each vector, the largest score so far, Σp and Σp·v
//! relative to it; a larger score rescales the sums. Scores are in powers of two: queries are scaled by log2(e)/√head_dim once.
//!
//! Bounds and figures, Emerald Rapids, 2 threads, 32/8 heads. Prefill: of a row and block, 2 · 64 · d/16 multiply-adds stand beside about
//! 60 instructions of softmax on the same two ports, so that 0.94 of the f32 peak is the most for d = 128 and 0.90 for d = 64; reached
//! 0.77 at 4096 rows, 0.64 at 512 (d = 128), 0.69 to 0.73 at 512 rows after 4096 (d = 64), 0.88 through int8. Decode, cold, after 4096
//! tokens: 0.81 of the read roof over bf16 and 0.80 over int8 (d = 128), 0.77 and 0.72 (d = 64); some 10 µs of a call are two barriers and
//! the first lines of each head, which weigh 2 to 8 % there.
#![expect(unsafe_code, reason = "workers write disjoint parts of scratch and output")]

use super::append::Caches;
use super::check::{operands, sinks};
use super::layout::LANES;
use super::schedule::{BLOCK, Schedule, Tile};
use super::stored::Stored;
use super::{Attention, KvType};
use crate::cpu::Cpu;
use crate::cpu::isa::{Feature, require};
use crate::cpu::kernel::Kernel;
use crate::cpu::pool::Pool;
use crate::cpu::split::Split;
use crate::gemm::Activations;
use crate::math::exp_f32;
use crate::{Backend, Buffer, Device, Fault, Implementation, Io, Op, Placement, Prepared, Type, Unsupported};
use half::bf16;
use std::f32::consts::LOG2_E;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// An instruction set.
pub(super) trait Isa: Debug + Send + Sync + 'static {
    /// Its name in ids.
    const NAME: &'static str;
    /// What it needs.
    const FEATURES: &'static [Feature];
}

/// An instruction set with a kernel for parts of tiles over one type of cache.
pub(super) trait Attends<T: Stored>: Isa {
    /// The kernel: adds the part's blocks of keys to its sums.
    fn kernel<'a>() -> Kernel<Part<'a, T>>;
}

/// Some blocks of keys for one tile: the kernel's operands.
#[derive(Debug)]
pub(super) struct Part<'a, T> {
    /// Keys of one region, transposed in blocks of 16.
    pub(super) keys: &'a [T],
    /// Values of the region, likewise in blocks of 16.
    pub(super) values: &'a [T],
    /// Which blocks of 64 keys.
    pub(super) blocks: Range<usize>,
    /// \[64\]\[dim\] for keys, as much for values: a block in f32.
    pub(super) panel: &'a mut [f32],
    /// \[vectors\]\[2·dim + 2·64\] bytes, and 8 for each vector: queries and probabilities as integers.
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only x86 has a kernel for integers"))]
    pub(super) codes: &'a mut [u8],
    pub(super) queries: Queries<'a>,
}

/// The query vectors of a tile and what comes of them.
#[derive(Debug)]
pub(super) struct Queries<'a> {
    /// How many.
    pub(super) vectors: usize,
    /// head_dim: a multiple of 16.
    pub(super) dim: usize,
    pub(super) sees: Sees,
    /// log2(e) · softcap, or 0 for none; with it scores come in as 2·log2(e)·score/softcap.
    pub(super) cap: f32,
    /// \[vectors\]\[dim\], scaled.
    pub(super) q: &'a [f32],
    /// \[vectors\]\[64\]: scores, then probabilities, of the present block.
    pub(super) p: &'a mut [f32],
    pub(super) state: State<'a>,
}

/// Which tokens each vector of a tile sees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sees {
    /// Vector i sees `seen + i / group` tokens …
    pub(super) seen: usize,
    pub(super) group: usize,
    /// … less those before the last `window` of them.
    pub(super) window: usize,
}

impl Sees {
    /// Keys of block `block` that vector `i` sees: a range inside 0..64, empty if it sees none.
    pub(super) fn visible(self, i: usize, block: usize) -> Range<usize> {
        let seen = self.seen + i / self.group;
        let inside = |slot: usize| slot.saturating_sub(block * BLOCK).min(BLOCK);
        inside(seen.saturating_sub(self.window))..inside(seen)
    }

    /// Keys of block `block` that any of the vectors sees, from a whole vector of keys on.
    pub(super) fn shared(self, vectors: &Range<usize>, block: usize) -> Range<usize> {
        let (first, last) = (self.visible(vectors.start, block), self.visible(vectors.end - 1, block));
        first.start / LANES * LANES..last.end
    }
}

/// The running sums of a tile.
#[derive(Debug)]
pub(super) struct State<'a> {
    /// Σ p·v, \[vectors\]\[dim\].
    pub(super) sums: &'a mut [f32],
    /// Σ p, \[vectors\]\[16\]: one sum a lane.
    pub(super) weights: &'a mut [f32],
    /// Largest score so far, `f32::MIN` before the first, so that differences are never ∞ − ∞.
    pub(super) max: &'a mut [f32],
}

/// Whether the vector kernels can compute `op` on `device`.
pub(super) fn supports<I: Isa>(op: &Attention, device: &dyn Device) -> Result<(), Unsupported> {
    op.validate().map_err(|invalid| Unsupported(invalid.0))?;
    Cpu::of(device)?;
    if !op.head_dim.is_multiple_of(LANES) {
        return Err(Unsupported(format!("head_dim = {} is no multiple of {LANES}", op.head_dim)));
    }
    if op.kv == KvType::Fp8 {
        return Err(no_fp8());
    }
    if op.activations != Activations::F32 {
        return Err(Unsupported(format!("multiplies f32 queries, and these are {}", op.activations)));
    }
    require(I::FEATURES)
}

fn no_fp8() -> Unsupported {
    Unsupported::because("has no vectors for fp8 caches; the scalar one takes them")
}

impl<I: Attends<f32> + Attends<bf16> + Attends<u8>> Implementation<Attention> for I {
    fn name(&self) -> &'static str {
        I::NAME
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Attention, device: &dyn Device) -> Result<(), Unsupported> {
        supports::<I>(op, device)
    }
    fn prepare(&self, op: &Attention, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        match op.kv {
            KvType::F32 => ready::<I, f32>(op, weights, device),
            KvType::Bf16 => ready::<I, bf16>(op, weights, device),
            KvType::Int8 => ready::<I, u8>(op, weights, device),
            KvType::Fp8 => Err(Fault::Unsupported(no_fp8())),
        }
    }
}

/// Allocates what a call over one type of cache needs.
pub(super) fn ready<I: Attends<T>, T: Stored>(
    op: &Attention,
    weights: &[Buffer],
    device: &dyn Device,
) -> Result<Box<dyn Prepared>, Fault> {
    supports::<I>(op, device)?;
    Ok(Box::new(Ready::<I, T>::new(op, weights, device)?))
}

/// A worker's scratch, in f32: queries, probabilities, three states.
#[derive(Clone, Copy, Debug)]
struct Scratch {
    vectors: usize,
    dim: usize,
}

/// Which of a worker's states: the tile it came into, whole tiles, the tile it leaves to others.
const ENTERED: usize = 0;
const WHOLE: usize = 1;
const LEFT: usize = 2;

impl Scratch {
    fn state_len(self) -> usize {
        self.vectors * (self.dim + LANES) + self.vectors.next_multiple_of(LANES)
    }
    /// Floats of queries, probabilities and a panel.
    fn operands_len(self) -> usize {
        self.vectors * (self.dim + BLOCK) + 2 * BLOCK * self.dim
    }
    fn len(self) -> usize {
        self.operands_len() + 3 * self.state_len()
    }
    fn operands(self, worker: usize) -> Range<usize> {
        worker * self.len()..worker * self.len() + self.operands_len()
    }
    fn codes(self, worker: usize) -> Range<usize> {
        let len = (self.vectors * (2 * self.dim + 2 * BLOCK + 8)).next_multiple_of(64);
        worker * len..(worker + 1) * len
    }
    fn state(self, worker: usize, which: usize) -> Range<usize> {
        let start = self.operands(worker).end + which * self.state_len();
        start..start + self.state_len()
    }
    /// (sums, weights, max) of a state of `vectors` vectors.
    fn cut(self, state: &mut [f32], vectors: usize) -> State<'_> {
        let (sums, rest) = state.split_at_mut(self.vectors * self.dim);
        let (weights, max) = rest.split_at_mut(self.vectors * LANES);
        State {
            sums: &mut sums[..vectors * self.dim],
            weights: &mut weights[..vectors * LANES],
            max: &mut max[..vectors],
        }
    }
}

#[derive(Debug)]
struct Ready<I, T> {
    op: Attention,
    pool: Arc<Pool>,
    scratch: Buffer,
    codes: Buffer,
    /// A sink's score a head, times log2(e); empty without sinks.
    sinks: Vec<f32>,
    kinds: PhantomData<(I, T)>,
}

impl<I: Attends<T>, T: Stored> Ready<I, T> {
    fn new(op: &Attention, weights: &[Buffer], device: &dyn Device) -> Result<Self, Fault> {
        let sinks = sinks(op, weights)?.iter().map(|sink| sink * LOG2_E).collect();
        let pool = Cpu::of(device)?.pool().clone();
        let floats = pool.threads() * shape(op).len();
        let scratch = Buffer::host(Type::F32, floats, Placement::Fast)?;
        let codes = Buffer::host(Type::U8, shape(op).codes(pool.threads()).start, Placement::Fast)?;
        Ok(Self { op: *op, pool, scratch, codes, sinks, kinds: PhantomData })
    }
}

fn shape(op: &Attention) -> Scratch {
    Scratch { vectors: Schedule::largest(op.group()), dim: op.head_dim }
}

impl<I: Attends<T>, T: Stored> Prepared for Ready<I, T> {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (op, spans, shape) = (self.op, io.live.spans.as_slice(), shape(&self.op));
        let (dim, group) = (op.head_dim, op.group());
        let operands = operands(&op, io)?;
        let (qkv, out) = (operands.qkv, Split::new(operands.out));
        let caches = Caches::<T>::new(op.layout(), operands.keys, operands.values);
        let scratch = Split::new(self.scratch.slice_mut::<f32>());
        let schedule = Schedule::new(&op, spans, self.pool.threads(), self.pool.shares());
        let codes = Split::new(self.codes.slice_mut::<u8>());
        let kernel = I::kernel().here()?;
        let window = op.window.unwrap_or(usize::MAX);
        // A cap's tanh is made of 2^(2·log2(e)·score/cap).
        let (scale, cap) = match op.softcap {
            None => (op.scale() * LOG2_E, 0.0),
            Some(cap) => (op.scale() * (2.0 * LOG2_E / cap), cap * LOG2_E),
        };
        let sinks = self.sinks.as_slice();
        let write = |tile: &Tile, state: &State<'_>| {
            for (i, row) in tile.rows.clone().enumerate() {
                let at = (row * op.heads + tile.kv_head * group) * dim;
                // SAFETY: these heads of this row belong to this tile, which one worker finishes.
                let out = unsafe { out.part(at..at + group * dim) };
                let sinks = sinks.get(tile.kv_head * group..(tile.kv_head + 1) * group);
                finish(state, i * group, dim, sinks, out);
            }
        };
        self.pool.run(&|worker| {
            caches.append(&op, &worker, qkv, spans);
            worker.wait();
            for tile in schedule.tiles() {
                let blocks = schedule.part(&tile, worker.index);
                if blocks.is_empty() {
                    continue;
                }
                let whole = blocks == tile.blocks();
                let which = if whole {
                    WHOLE
                } else if blocks.start > tile.blocks().start {
                    ENTERED
                } else {
                    LEFT
                };
                // SAFETY: a worker's own scratch, borrowed once at a time.
                let own = unsafe { scratch.part(shape.operands(worker.index)) };
                // SAFETY: as above; others read it after the barrier only.
                let state = unsafe { scratch.part(shape.state(worker.index, which)) };
                let state = shape.cut(state, tile.vectors);
                state.sums.fill(0.0);
                state.weights.fill(0.0);
                state.max.fill(f32::MIN);
                let (q, own) = own.split_at_mut(shape.vectors * dim);
                let (p, panel) = own.split_at_mut(shape.vectors * BLOCK);
                // SAFETY: a worker's own.
                let codes = unsafe { codes.part(shape.codes(worker.index)) };
                for (i, q) in q.chunks_exact_mut(group * dim).take(tile.rows.len()).enumerate() {
                    let at = (tile.rows.start + i) * op.input_row() + tile.kv_head * group * dim;
                    q.iter_mut().zip(&qkv[at..]).for_each(|(q, given)| *q = given * scale);
                }
                // SAFETY: past the barrier nobody writes to the caches.
                let (keys, values) = unsafe { caches.region(tile.sequence, tile.kv_head) };
                let sees = Sees { seen: tile.seen, group, window };
                let queries = Queries { vectors: tile.vectors, dim, sees, cap, q, p, state };
                let mut part = Part { keys, values, blocks, panel, codes, queries };
                kernel.call(&mut part);
                if whole {
                    write(&tile, &part.queries.state);
                }
            }
            if worker.count == 1 {
                return;
            }
            worker.wait();
            for tile in schedule.tiles() {
                let (own, all) = (schedule.part(&tile, worker.index), tile.blocks());
                if own.is_empty() || own.start > all.start || own.end == all.end {
                    continue;
                }
                // SAFETY: past the barrier only the worker that began the tile uses this state.
                let state = unsafe { scratch.part(shape.state(worker.index, LEFT)) };
                let mut state = shape.cut(state, tile.vectors);
                for other in worker.index + 1..worker.count {
                    if schedule.part(&tile, other).is_empty() {
                        continue;
                    }
                    // SAFETY: past the barrier the state of a tile entered is used by the worker that began that tile alone.
                    let theirs = unsafe { scratch.part(shape.state(other, ENTERED)) };
                    merge(&mut state, &shape.cut(theirs, tile.vectors), dim);
                }
                write(&tile, &state);
            }
        });
        Ok(())
    }
    fn resident(&self) -> u64 {
        0
    }
}

/// Adds the sums over other keys.
fn merge(into: &mut State<'_>, from: &State<'_>, dim: usize) {
    for (i, (into_max, &from_max)) in into.max.iter_mut().zip(from.max.iter()).enumerate() {
        let max = into_max.max(from_max);
        let (ours, theirs) = (power(*into_max - max), power(from_max - max));
        let add = |into: &mut [f32], from: &[f32]| {
            into.iter_mut().zip(from).for_each(|(into, from)| *into = *into * ours + from * theirs);
        };
        add(&mut into.sums[i * dim..][..dim], &from.sums[i * dim..][..dim]);
        add(&mut into.weights[i * LANES..][..LANES], &from.weights[i * LANES..][..LANES]);
        *into_max = max;
    }
}

/// Σp·v ÷ Σp of the vectors from `first` on, as many as `out` holds; `sinks` are scores, in powers of two, that have no value.
fn finish(state: &State<'_>, first: usize, dim: usize, sinks: Option<&[f32]>, out: &mut [f32]) {
    for (i, out) in out.chunks_exact_mut(dim).enumerate() {
        let sink = sinks.map(|sinks| sinks[i]);
        let i = first + i;
        let mut weight: f32 = state.weights[i * LANES..][..LANES].iter().sum();
        let sums = &state.sums[i * dim..][..dim];
        let mut factor = 1.0;
        if let Some(sink) = sink {
            let max = sink.max(state.max[i]);
            factor = power(state.max[i] - max);
            weight = weight * factor + power(sink - max);
        }
        let share = factor / weight;
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum * share);
    }
}

/// 2^x.
fn power(x: f32) -> f32 {
    exp_f32(x * std::f32::consts::LN_2)
}
