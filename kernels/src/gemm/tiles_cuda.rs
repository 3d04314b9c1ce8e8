//! Weights packed into tiles on a GPU, and activations rounded in the order of those tiles: what fast gemms have in common.

use super::activations::Activations;
use super::{Gemm, canonical};
use crate::cuda::Gpu;
use crate::cuda::arch::Arch;
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::format::Format;
use crate::{Buffer, Device, Fault, Placement, Type};

static PACK: Source = Source { path: "gemm/pack.cu", text: include_str!("pack.cu") };
static QUANTISE: Source = Source { path: "gemm/quantise.cu", text: include_str!("quantise.cu") };
static QUANTISE_FP4: Source = Source { path: "gemm/quantise_fp4.cu", text: include_str!("quantise_fp4.cu") };

/// Outputs of a tile, and bytes of its codes.
pub(super) const OUTPUTS: usize = 16;
pub(super) const TILE_BYTES: usize = 1024;

/// What a tile is for a format: the definitions at the head of `tile.cuh`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    /// `FORMAT` there.
    pub(super) number: usize,
    /// Elements along k.
    pub(super) k_tile: usize,
    /// Elements whose products are added before a scale.
    pub(super) block: usize,
    /// Bytes of a scale.
    pub(super) scale_bytes: usize,
}

impl Geometry {
    /// `None` for formats that are not packed.
    pub(super) const fn of(format: Format) -> Option<Self> {
        let (number, k_tile, block, scale_bytes) = match format {
            Format::Mxfp4 => (0, 128, 32, 1),
            Format::Nvfp4 => (1, 128, 16, 1),
            Format::Q8_0 => (2, 64, 32, 2),
            Format::Q4_0 => (3, 128, 32, 2),
            Format::Fp8 => (4, 64, 32, 0),
            Format::Bf16 => (5, 32, 32, 0),
            Format::F16
            | Format::F32
            | Format::Q4_1
            | Format::Q5_0
            | Format::Q5_1
            | Format::Q4K
            | Format::Q5K
            | Format::Q6K => return None,
        };
        Some(Self { number, k_tile, block, scale_bytes })
    }
    /// Bytes of scales of one output in one tile.
    pub(super) const fn row_scales(&self) -> usize {
        self.k_tile / self.block * self.scale_bytes
    }
    /// k in whole tiles.
    pub(super) const fn padded(&self, k: usize) -> usize {
        k.next_multiple_of(self.k_tile)
    }
}

/// What is compiled to pack weights: `ordered` as the block-scaled instruction wants them.
pub(super) fn packing(geometry: Geometry, ordered: bool, archs: &'static [Arch]) -> Unit {
    let unit = Unit::plain(&PACK, archs, &["pack_tiles", "pack_scales"]);
    unit.with("FORMAT", geometry.number).with("ORDERED", usize::from(ordered))
}

/// Packed weights.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) tiles: Buffer,
    pub(super) scales: Buffer,
    /// One an output.
    pub(super) factors: Buffer,
    pub(super) bias: Option<Buffer>,
}

impl Packed {
    /// Packs `weights`, canonical, by the functions of [`packing`].
    pub(super) fn new(
        op: &Gemm,
        geometry: Geometry,
        weights: &[Buffer],
        module: &std::sync::Arc<Module>,
        gpu: &Gpu,
    ) -> Result<Self, Fault> {
        canonical::shapes(op, weights)?;
        let bias = if op.bias { weights.last().map(|bias| gpu.copy(bias)).transpose()? } else { None };
        let tiles = op.n.div_ceil(OUTPUTS) * (geometry.padded(op.k) / geometry.k_tile);
        let outputs = op.n.next_multiple_of(OUTPUTS);
        let bytes = |len| gpu.alloc(Type::U8, len, Placement::Fast);
        let mut packed = Self {
            tiles: bytes(tiles * TILE_BYTES)?,
            scales: bytes(tiles * OUTPUTS * geometry.row_scales())?,
            factors: gpu.alloc(Type::F32, outputs, Placement::Fast)?,
            bias,
        };
        // Canonical weights on the host are brought over for as long as it takes.
        let on_gpu = |buffer: &Buffer| if buffer.gpu().is_some() { Ok(None) } else { gpu.copy(buffer).map(Some) };
        let copies = weights.iter().map(on_gpu).collect::<Result<Vec<_>, _>>()?;
        let at = |i: usize| copies[i].as_ref().unwrap_or(&weights[i]);
        let row_bytes = op.weights.bytes(op.k) as u64;
        let args = Args::new().read(at(0)).long(row_bytes).int(op.n).int(op.k).write(&mut packed.tiles);
        gpu.launch(&module.function("pack_tiles")?, Grid::covering(tiles * TILE_BYTES / 16, 256), args)?;
        let given = (op.weights.scales(op.n) > 0).then(|| at(1));
        let args = Args::new()
            .read(at(0))
            .long(row_bytes)
            .int(op.n)
            .int(op.k)
            .read_or_null(given)
            .int(usize::from(op.weights == Format::Fp8))
            .write(&mut packed.scales)
            .write(&mut packed.factors);
        gpu.launch(&module.function("pack_scales")?, Grid::line(outputs, 256), args)?;
        // What was brought over may go when the kernels are through with it.
        gpu.wait()?;
        Ok(packed)
    }
    /// Bytes that it holds.
    pub(super) fn resident(&self) -> u64 {
        [&self.tiles, &self.scales, &self.factors].into_iter().chain(&self.bias).map(|b| b.bytes() as u64).sum()
    }
}

/// How activations are stored for the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// int8 codes; scales and starts of sums for each block of weights.
    Codes,
    /// bf16, or FP8 as f16.
    Halves,
    /// Four-bit codes and byte scales.
    Fp4,
}

/// What is compiled to round activations.
pub(super) fn rounding(op: &Gemm, geometry: Geometry, stored: Stored, archs: &'static [Arch]) -> Unit {
    if stored == Stored::Fp4 {
        return Unit::plain(&QUANTISE_FP4, archs, &["quantise_fp4"]).with("FORMAT", geometry.number);
    }
    let unit = Unit::plain(&QUANTISE, archs, &["quantise_rows"]).with("FORMAT", geometry.number);
    unit.with("ACTIVATIONS", op.activations as usize).with("AS_F16", 1)
}

/// What is compiled to round bf16 or FP8 activations whose elements stand in their own order, padded to 32: that of tiles of bf16.
pub(super) fn natural_rounding(activations: Activations, archs: &'static [Arch]) -> Unit {
    let unit = Unit::plain(&QUANTISE, archs, &["quantise_rows"]).with("FORMAT", 5);
    unit.with("ACTIVATIONS", activations as usize).with("AS_F16", 0)
}

/// The arguments of [`natural_rounding`]'s function behind codes and scales of rows: no other scales, and the first rows in order.
pub(super) fn natural_tail(args: Args<'_>) -> Args<'_> {
    let none = args.write_or_null(None).write_or_null(None).int(0);
    none.read_or_null(None).int(1).read_or_null(None).int(1)
}

/// Rounded activations of up to `op.m` rows.
#[derive(Debug)]
pub(super) struct Rows {
    function: Function,
    stored: Stored,
    pub(super) codes: Buffer,
    pub(super) row_scales: Buffer,
    /// \[block of weights\]\[columns\]: what integer sums start with.
    pub(super) starts: Buffer,
    /// Likewise f32 scales; of FP4 bytes, \[tile along k\]\[columns\]\[of the tile\].
    pub(super) scales: Buffer,
    /// Rows there is room for.
    pub(super) columns: usize,
}

impl Rows {
    /// Room for them. `module` is [`rounding`]'s.
    pub(super) fn new(
        op: &Gemm,
        geometry: Geometry,
        stored: Stored,
        module: &std::sync::Arc<Module>,
        gpu: &Gpu,
    ) -> Result<Self, Fault> {
        let columns = op.m.next_multiple_of(if op.m > FEW { 128 } else { FEW });
        let (padded, blocks) = (geometry.padded(op.k), geometry.padded(op.k) / geometry.block);
        let alloc = |of, len| gpu.alloc(of, len, Placement::Fast);
        let (entry, row_bytes) = match stored {
            Stored::Codes => ("quantise_rows", padded),
            Stored::Halves => ("quantise_rows", 2 * padded),
            Stored::Fp4 => ("quantise_fp4", padded / 2),
        };
        // A stage of many rows reads 128 elements along k, of which beyond a shorter padding the products are 0 and the scales have to be numbers.
        let staged = op.k.next_multiple_of(STAGE_K) / geometry.block;
        let blocks = if stored == Stored::Codes { blocks.max(staged) * columns } else { 1 };
        let scales = match stored {
            Stored::Fp4 => alloc(Type::U8, padded / geometry.k_tile * columns * geometry.row_scales())?,
            _ => alloc(Type::F32, blocks)?,
        };
        Ok(Self {
            function: module.function(entry)?,
            stored,
            codes: alloc(Type::U8, op.m * row_bytes)?,
            row_scales: alloc(Type::F32, op.m)?,
            starts: alloc(Type::I32, blocks)?,
            scales,
            columns,
        })
    }
    /// Rounds `rows` rows: the first ones of `x`, or those that `gather` names.
    pub(super) fn round(
        &mut self,
        x: &Buffer,
        rows: usize,
        k: usize,
        gather: Option<Gather<'_>>,
        gpu: &Gpu,
    ) -> Result<(), Fault> {
        let args = Args::new().read(x).int(k).write(&mut self.codes).write(&mut self.row_scales);
        let args = if self.stored == Stored::Fp4 { args } else { args.write(&mut self.starts) };
        let args = args.write(&mut self.scales).int(self.columns);
        let from = gather.and_then(|gather| gather.from);
        let args = args.read_or_null(gather.map(|gather| gather.table)).int(gather.map_or(1, |gather| gather.height));
        let args = args.read_or_null(from.map(|(choices, _)| choices)).int(from.map_or(1, |(_, active)| active));
        gpu.launch(&self.function, Grid::line(rows, 1024), args)
    }
    /// What the kernels take of it, behind what all of them take alike.
    pub(super) fn arguments<'a>(&'a self, args: Args<'a>, stored: Stored, few: bool) -> Args<'a> {
        let args = args.read(&self.codes);
        match stored {
            Stored::Halves => args,
            Stored::Codes if few => args.read(&self.starts).read(&self.scales).int(self.columns),
            Stored::Codes | Stored::Fp4 => args.read(&self.scales).int(self.columns),
        }
    }
}

/// Rows of x that are not simply the first ones: a table of tiles (`experts.cuh`), and the choice at each of the rows that it names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gather<'a> {
    pub(super) table: &'a Buffer,
    /// Rows of a tile.
    pub(super) height: usize,
    /// Choices by place, so many a row of x; without it rows of x stand by place.
    pub(super) from: Option<(&'a Buffer, usize)>,
}

/// Elements along k of a stage of integers: `STAGE_K` in `stage.cuh`.
const STAGE_K: usize = 128;

/// Rows that a product reads all of the weights for at once; of more, a tile of rows after another.
pub(super) const FEW: usize = 16;
