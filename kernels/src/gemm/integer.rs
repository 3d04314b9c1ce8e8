//! The integer paths' plan: quantise the live rows, then multiply them with tiles of weights, by few rows or by panels.
//!
//! Vector dot products multiply unsigned with signed bytes. Weights are the unsigned side: their codes are looked up or stored
//! with an offset (12, 8 or 128), and each block's sum starts at −offset · Σ activations instead of 0, which costs nothing.
#![expect(unsafe_code, reason = "workers write disjoint parts of scratch and output")]

use super::Gemm;
use super::canonical::{Canonical, operands, scratch};
use super::packed::{LANES, Packed};
use crate::cpu::Cpu;
use crate::cpu::kernel::Kernel;
use crate::cpu::pool::Pool;
use crate::cpu::split::Split;
use crate::format::Format;
use crate::{Buffer, Device, Fault, Io, Prepared};
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// Up to this many rows the weights are decoded in registers, once for all of them; above, into panels.
pub(super) const FEW: usize = 8;
/// Rows that the panel kernel takes at a time, interleaved in memory.
pub(super) const GROUP: usize = 4;
/// Tiles the panel kernel takes at a time: GROUP × TILES i32 sums, as many f32 sums and TILES weights fit 32 registers.
pub(super) const TILES: usize = 3;
/// Elements of k a panel: 3 tiles × 512 × 16 codes and their f32 scales are 27 to 30 KB, inside L1.
pub(super) const PANEL_K: usize = 512;
/// Sets of TILES that share a pass over one chunk of the activations, which stays in L2 meanwhile.
pub(super) const SETS: usize = 4;
/// Rows a pass: 512 rows × 512 of k are 327 KB of activations and 12 tiles of sums are 393 KB, together inside a 1 MiB L2.
pub(super) const PASS: usize = 512;

/// The words (i32) that one row has for each block: its codes by four, the start of the sum, and the bits of the f32 scale.
pub(super) const fn words(block: usize) -> usize {
    block / 4 + 2
}

/// What has to be added to a weight's stored code to make it unsigned.
pub(super) const fn offset(format: Format) -> i32 {
    match format {
        Format::Mxfp4 | Format::Nvfp4 => 12,
        Format::Q4_0 => 8,
        _ => 128,
    }
}

/// Operands of a quantising kernel: rows `rows` of x into blocks of words.
#[derive(Debug)]
pub(super) struct Quantise<'a> {
    pub(super) op: &'a Gemm,
    pub(super) x: &'a [f32],
    pub(super) rows: Range<usize>,
    /// GROUP rows interleaved word by word, or each row by itself.
    pub(super) grouped: bool,
    /// Goes into the row scales.
    pub(super) factor: f32,
    /// The words of these rows: all of a GROUP where they are grouped.
    pub(super) out: &'a mut [i32],
    pub(super) row_scales: &'a mut [f32],
    /// One row of codes, of block scales, of scale bytes.
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
    /// Decoded weights: `panel_bytes`.
    pub(super) panel: &'a mut [u8],
    /// Sums of a pass: `SUMS`.
    pub(super) sums: &'a mut [f32],
}

/// Bytes of one panel of TILES at most: codes, and 16 f32 scales a block, of which blocks of 16 have the most.
pub(super) const PANEL_BYTES: usize = TILES * PANEL_K * LANES + TILES * (PANEL_K / 16) * LANES * 4;

/// f32 sums a worker keeps.
pub(super) fn sums_len(rows: usize) -> usize {
    rows.min(PASS).next_multiple_of(GROUP) * SETS * TILES * LANES
}

impl Multiply<'_> {
    /// Stores outputs `tile * 16 ..` of `row`, scaled and biased lanes of which the last tile may have fewer than 16.
    #[inline]
    pub(super) fn store(&self, row: usize, tile: usize, lanes: &[f32; LANES]) {
        let n = self.op.n;
        let live = LANES.min(n - tile * LANES);
        let at = row * n + tile * LANES;
        // SAFETY: tile `tile` is in this worker's share alone, so these outputs of the row are too.
        let out = unsafe { self.y.part(at..at + live) };
        out.copy_from_slice(&lanes[..live]);
    }
}

/// The three kernels of one instruction set. A kernel is declared for the lifetime of its operands, so these are functions.
pub(super) trait Kernels: std::fmt::Debug + Send + Sync + 'static {
    /// Rounds rows of activations.
    fn quantise<'a>() -> Kernel<Quantise<'a>>;
    /// Multiplies at most [`FEW`] rows, each by itself in memory.
    fn few<'a>() -> Kernel<Multiply<'a>>;
    /// Multiplies any number of rows, grouped in memory.
    fn panels<'a>() -> Kernel<Multiply<'a>>;
}

/// A gemm with integer activations, packed for the kernels `I`.
#[derive(Debug)]
pub(super) struct Ready<I> {
    op: Gemm,
    pool: Arc<Pool>,
    packed: Packed,
    /// What is constant for the whole tensor: its scale and the powers of two that decoding leaves out.
    factor: f32,
    bias: Buffer,
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
) -> Result<Box<dyn Prepared>, Fault> {
    let pool = Cpu::of(device)?.pool().clone();
    let given = Canonical::of(op, weights)?;
    let packed = Packed::new(op, &given, &pool)?;
    let (blocks, threads) = (packed.layout().blocks, pool.threads());
    let mut bias = scratch::<f32>(packed.tiles * LANES)?;
    if let Some(given) = given.bias {
        bias.slice_mut::<f32>()[..op.n].copy_from_slice(given);
    }
    Ok(Box::new(Ready::<I> {
        factor: given.tensor_scale * decoding_factor(op.weights),
        bias,
        acts: scratch::<i32>(op.m.next_multiple_of(GROUP) * blocks * words(op.block()))?,
        row_scales: scratch::<f32>(op.m.next_multiple_of(GROUP))?,
        panel: scratch::<u8>(threads * PANEL_BYTES)?,
        sums: scratch::<f32>(threads * sums_len(op.m))?,
        codes: scratch::<i8>(threads * op.k)?,
        scales: scratch::<f32>(threads * blocks)?,
        bytes: scratch::<u8>(threads * blocks)?,
        kernels: PhantomData,
        op: op.clone(),
        pool,
        packed,
    }))
}

impl<I: Kernels> Prepared for Ready<I> {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (quantise, few, panels) = (I::quantise().here()?, I::few().here()?, I::panels().here()?);
        let Self { op, packed, factor, .. } = self;
        let (x, y, rows) = operands(op, io);
        let grouped = rows > FEW;
        let grain = if grouped { GROUP } else { 1 };
        let (k, blocks) = (op.k, packed.layout().blocks);
        let a_row = blocks * words(op.block());
        let stretch = sums_len(op.m);
        let bias = self.bias.slice::<f32>();
        let (y, acts) = (Split::new(y), Split::new(self.acts.slice_mut::<i32>()));
        let row_scales = Split::new(self.row_scales.slice_mut::<f32>());
        let (panel, sums) = (Split::new(self.panel.slice_mut()), Split::new(self.sums.slice_mut()));
        let (codes, scales) = (Split::new(self.codes.slice_mut()), Split::new(self.scales.slice_mut()));
        let bytes = Split::new(self.bytes.slice_mut());
        self.pool.run(&|worker| {
            let me = worker.index;
            let mine = worker.share(rows, grain);
            let whole = if mine.is_empty() { 0..0 } else { mine.start..mine.end.next_multiple_of(grain) };
            quantise.call(&mut Quantise {
                op,
                x,
                rows: mine.clone(),
                grouped,
                factor: *factor,
                // SAFETY: shares are cut at the grain, so rounding the end of one up does not reach into another.
                out: unsafe { acts.part(whole.start * a_row..whole.end * a_row) },
                // SAFETY: as above.
                row_scales: unsafe { row_scales.part(mine) },
                // SAFETY: each worker takes its own stretch of scratch, here and below.
                codes: unsafe { codes.part(me * k..(me + 1) * k) },
                // SAFETY: own stretch.
                scales: unsafe { scales.part(me * blocks..(me + 1) * blocks) },
                // SAFETY: own stretch.
                bytes: unsafe { bytes.part(me * blocks..(me + 1) * blocks) },
            });
            worker.wait();
            let kernel = if grouped { panels } else { few };
            kernel.call(&mut Multiply {
                op,
                packed,
                tiles: worker.share(packed.tiles, 1),
                rows,
                // SAFETY: behind the barrier activations and their scales are only read.
                acts: unsafe { acts.read(0..rows.next_multiple_of(grain) * a_row) },
                // SAFETY: as above.
                row_scales: unsafe { row_scales.read(0..rows) },
                bias,
                y: &y,
                // SAFETY: own stretch.
                panel: unsafe { panel.part(me * PANEL_BYTES..(me + 1) * PANEL_BYTES) },
                // SAFETY: own stretch.
                sums: unsafe { sums.part(me * stretch..(me + 1) * stretch) },
            });
        });
        Ok(())
    }
    fn resident(&self) -> u64 {
        self.packed.bytes() as u64
    }
}

/// Decoded FP4 is twice the value; E4M3 scales are read as f16, whose exponent bias is 8 more.
fn decoding_factor(format: Format) -> f32 {
    match format {
        Format::Mxfp4 => 0.5,
        Format::Nvfp4 => 0.5 * 256.0,
        _ => 1.0,
    }
}
