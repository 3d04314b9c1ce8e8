//! The vector paths' plan: round the live rows, then multiply them with tiles of weights, few rows at once or by panels.
#![expect(unsafe_code, reason = "workers write disjoint parts of scratch and output")]

use super::Gemm;
use super::canonical::{Canonical, operands, scratch};
use super::channels::Channels;
use super::packed::{LANES, Packed};
use crate::cpu::Cpu;
use crate::cpu::kernel::Kernel;
use crate::cpu::pool::Pool;
use crate::cpu::split::Split;
use crate::{Buffer, Device, Fault, Io, Prepared};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// Up to this many rows the weights are decoded once for all of them.
pub(super) const FEW: usize = 8;
/// Tiles a panel: with a group's rows, the sums and one weight of each tile fit 32 registers.
pub(super) const TILES: usize = 3;
/// Panels that share a pass over one chunk of the activations, which stays in L2 meanwhile.
pub(super) const SETS: usize = 4;
/// Rows a pass: 512 rows × one chunk are up to 327 KB of activations, and 12 tiles of sums 393 KB, together inside 1 MiB.
pub(super) const PASS: usize = 512;

/// What a path needs to know of an op: sizes of its scratch, and what stands outside its sums.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Up to this many rows the kernel for few is taken; above, weights are decoded into panels that serve group after group.
    pub(super) few: usize,
    /// Up to this many rows each stands by itself; above, those of a group are interleaved in memory word by word.
    pub(super) apart: usize,
    /// Rows that the panel kernel takes at a time, and that are interleaved.
    pub(super) group: usize,
    /// Words (i32) of one row of rounded activations that stands by itself.
    pub(super) row_words: usize,
    /// Words of one row of a group.
    pub(super) grouped_words: usize,
    /// Bytes of one panel.
    pub(super) panel: usize,
    /// Constant for the whole tensor, beside its scale: powers of two that decoding leaves out.
    pub(super) factor: f32,
    /// Codes of as many rows as are quantised together; 0 for float activations.
    pub(super) codes: usize,
    /// Block scales of as many rows.
    pub(super) scales: usize,
}

impl Plan {
    /// Rows that are interleaved when there are so many.
    pub(super) fn grain(&self, rows: usize) -> usize {
        if rows > self.apart { self.group } else { 1 }
    }
    /// f32 sums a worker keeps.
    pub(super) fn sums(&self, rows: usize) -> usize {
        rows.min(PASS).next_multiple_of(self.group) * SETS * TILES * LANES
    }
}

/// Operands of a quantising kernel: rows `rows` of x into blocks of words.
#[derive(Debug)]
pub(super) struct Quantise<'a> {
    pub(super) op: &'a Gemm,
    pub(super) x: &'a [f32],
    pub(super) rows: Range<usize>,
    /// Words as the panel kernel reads them, or as that for few rows does.
    pub(super) grouped: bool,
    /// Rows interleaved word by word: those of a group, or 1.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "other paths interleave what is grouped, and only that")
    )]
    pub(super) grain: usize,
    /// Goes into the row scales.
    pub(super) factor: f32,
    /// The words of these rows: of whole groups where they are grouped.
    pub(super) out: &'a mut [i32],
    pub(super) row_scales: &'a mut [f32],
    /// Codes, block scales and scale bytes of the rows that are quantised together.
    pub(super) codes: &'a mut [i8],
    pub(super) scales: &'a mut [f32],
    pub(super) bytes: &'a mut [u8],
}

/// Operands of a multiplying kernel: all live rows with tiles `tiles`.
#[derive(Debug)]
pub(super) struct Multiply<'a> {
    pub(super) op: &'a Gemm,
    pub(super) packed: &'a Packed,
    pub(super) tiles: Range<usize>,
    pub(super) rows: usize,
    pub(super) acts: &'a [i32],
    /// One an output row, everything that is constant along k folded in.
    pub(super) row_scales: &'a [f32],
    /// 16 a tile.
    pub(super) bias: &'a [f32],
    pub(super) y: &'a Split<'a, f32>,
    /// Decoded weights.
    pub(super) panel: &'a mut [u8],
    /// Sums of a pass.
    pub(super) sums: &'a mut [f32],
}

/// The three kernels of one instruction set. A kernel is declared for the lifetime of its operands, so these are functions.
pub(super) trait Kernels: std::fmt::Debug + Send + Sync + 'static {
    /// Rounds rows of activations.
    fn quantise<'a>() -> Kernel<Quantise<'a>>;
    /// Multiplies at most [`Plan::few`] rows.
    fn few<'a>() -> Kernel<Multiply<'a>>;
    /// Multiplies any number of rows.
    fn panels<'a>() -> Kernel<Multiply<'a>>;
}

/// A gemm packed for the kernels `I`.
#[derive(Debug)]
pub(super) struct Ready<I> {
    op: Gemm,
    pool: Arc<Pool>,
    packed: Packed,
    plan: Plan,
    tensor_scale: f32,
    /// 16 a tile; zeros where `channels` has the biases.
    bias: Buffer,
    channels: Option<Channels>,
    acts: Buffer,
    row_scales: Buffer,
    panel: Buffer,
    sums: Buffer,
    codes: Buffer,
    scales: Buffer,
    bytes: Buffer,
    kernels: PhantomData<I>,
}

/// Packs and allocates. Errors: operands that do not fit, no memory left.
pub(super) fn prepare<I: Kernels>(
    op: &Gemm,
    weights: &[Buffer],
    device: &dyn Device,
    plan: Plan,
) -> Result<Box<dyn Prepared>, Fault> {
    let pool = Cpu::of(device)?.pool().clone();
    let given = Canonical::of(op, weights)?;
    let packed = Packed::new(op, &given, &pool)?;
    let (rows, threads) = (op.m.next_multiple_of(plan.group), pool.threads());
    let mut bias = scratch::<f32>(packed.tiles * LANES)?;
    let channels = Channels::of(op, &given)?;
    if let (Some(given), None) = (given.bias, &channels) {
        bias.slice_mut::<f32>()[..op.n].copy_from_slice(given);
    }
    Ok(Box::new(Ready::<I> {
        tensor_scale: given.tensor_scale,
        bias,
        channels,
        acts: scratch::<i32>(rows.max(threads) * plan.row_words.max(plan.grouped_words))?,
        row_scales: scratch::<f32>(op.m.max(threads))?,
        panel: scratch::<u8>(threads * plan.panel)?,
        sums: scratch::<f32>(threads * plan.sums(op.m))?,
        codes: scratch::<i8>(threads * plan.codes)?,
        scales: scratch::<f32>(threads * plan.scales)?,
        bytes: scratch::<u8>(threads * plan.scales)?,
        plan,
        kernels: PhantomData,
        op: op.clone(),
        pool,
        packed,
    }))
}

impl<I: Kernels> Prepared for Ready<I> {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (quantise, few, panels) = (I::quantise().here()?, I::few().here()?, I::panels().here()?);
        let Self { op, packed, plan, tensor_scale, .. } = self;
        let (x, y, rows) = operands(op, io);
        let grouped = rows > plan.few;
        let grain = plan.grain(rows);
        // One row is rounded by every worker for itself: sooner done than waited for and fetched from another's cache.
        let alone = rows == 1;
        let a_row = if grouped { plan.grouped_words } else { plan.row_words };
        let factor = *tensor_scale * plan.factor;
        let stretch = plan.sums(op.m);
        let (bias, channels) = (self.bias.slice::<f32>(), &self.channels);
        let (y, acts) = (Split::new(y), Split::new(self.acts.slice_mut::<i32>()));
        let row_scales = Split::new(self.row_scales.slice_mut::<f32>());
        let (panel, sums) = (Split::new(self.panel.slice_mut()), Split::new(self.sums.slice_mut()));
        let (codes, scales) = (Split::new(self.codes.slice_mut()), Split::new(self.scales.slice_mut()));
        let bytes = Split::new(self.bytes.slice_mut());
        self.pool.run(&|worker| {
            let me = worker.index;
            let tiles = worker.share(packed.tiles, 1);
            let mine = if alone { 0..1 } else { worker.share(rows, grain) };
            let whole = if mine.is_empty() { 0..0 } else { mine.start..mine.end.next_multiple_of(grain) };
            let first = if alone { me } else { 0 };
            if !grouped {
                packed.begin(tiles.clone());
            }
            quantise.call(&mut Quantise {
                op,
                x,
                rows: mine.clone(),
                grouped,
                grain,
                factor,
                // SAFETY: shares are cut at the grain, so rounding the end of one up does not reach into another; the one
                // row of each worker alone has the worker's place.
                out: unsafe { acts.part((first + whole.start) * a_row..(first + whole.end) * a_row) },
                // SAFETY: as above.
                row_scales: unsafe { row_scales.part(first + mine.start..first + mine.end) },
                // SAFETY: each worker takes its own stretch of scratch, here and below.
                codes: unsafe { codes.part(me * plan.codes..(me + 1) * plan.codes) },
                // SAFETY: own stretch.
                scales: unsafe { scales.part(me * plan.scales..(me + 1) * plan.scales) },
                // SAFETY: own stretch.
                bytes: unsafe { bytes.part(me * plan.scales..(me + 1) * plan.scales) },
            });
            if !alone {
                worker.wait();
            }
            let kernel = if grouped { panels } else { few };
            kernel.call(&mut Multiply {
                op,
                packed,
                tiles: tiles.clone(),
                rows,
                // SAFETY: behind the barrier, and in a worker's own place, activations and their scales are only read.
                acts: unsafe { acts.read(first * a_row..(first + rows.next_multiple_of(grain)) * a_row) },
                // SAFETY: as above.
                row_scales: unsafe { row_scales.read(first..first + rows) },
                bias,
                y: &y,
                // SAFETY: own stretch.
                panel: unsafe { panel.part(me * plan.panel..(me + 1) * plan.panel) },
                // SAFETY: own stretch.
                sums: unsafe { sums.part(me * stretch..(me + 1) * stretch) },
            });
            if let Some(channels) = channels {
                channels.apply(&y, rows, op.n, tiles.start * LANES..op.n.min(tiles.end * LANES), 0);
            }
        });
        Ok(())
    }
    fn buffers(&self) -> Vec<&Buffer> {
        vec![self.packed.buffer()]
    }
    fn resident(&self) -> u64 {
        self.packed.bytes() as u64
    }
}
