//! Gemms on the tensor cores of a GPU through `mma.sync`: few rows as a stream of weights, many as tiles in shared memory.

use super::Gemm;
use super::activations::Activations;
use super::tiles_cuda::{FEW, Geometry, OUTPUTS, Packed, Rows, Stored, TILE_BYTES, packing, rounding};
use crate::cpu::variant::{operands, rows_in_use};
use crate::cuda::arch::{Arch, FROM_SM80, SM12XA};
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::cuda::{Gpu, Properties};
use crate::format::Format;
use crate::{Arithmetic, Buffer, Fault, Io, Op, Unsupported};
use std::sync::Arc;

/// The two files of a way to multiply, and the functions in them: for 8 and 16 rows, for tiles of 32 and of 128; for experts' rows.
pub(super) struct Way {
    pub(super) few: &'static Source,
    few_entries: &'static [&'static str],
    pub(super) experts_few: &'static [&'static str],
    pub(super) many: &'static Source,
    many_entries: &'static [&'static str],
    pub(super) experts_many: &'static [&'static str],
}
macro_rules! way {
    ($kind:literal, $few:literal, $many:literal) => {
        Way {
            few: &Source { path: concat!("gemm/", $few), text: include_str!($few) },
            few_entries: &[concat!("gemv_", $kind, "_8"), concat!("gemv_", $kind, "_16")],
            experts_few: &[concat!("experts_", $kind, "_8")],
            many: &Source { path: concat!("gemm/", $many), text: include_str!($many) },
            many_entries: &[concat!("gemm_", $kind, "_32"), concat!("gemm_", $kind, "_128")],
            experts_many: &[concat!("experts_", $kind, "_32"), concat!("experts_", $kind, "_128")],
        }
    };
}
static INTEGER: Way = way!("integer", "gemv.cu", "mma_sm80_int8.cu");
static FLOAT: Way = way!("float", "gemv_float.cu", "mma_sm80_float.cu");
static FP4: Way = way!("fp4", "gemv_sm120a.cu", "mma_sm120a.cu");

/// Outputs of a block of many rows, and its threads; threads of a block of few rows.
pub(super) const MANY_OUTPUTS: usize = 128;
pub(super) const THREADS: u32 = 256;
/// Rows of a tile, by the two functions of many rows, and up to how many rows the smaller is taken.
const M_TILES: [usize; 2] = [32, 128];
const SMALL: usize = 64;

/// Products of int8 and of 16-bit numbers: sm_80 and later.
pub(super) struct Sm80;
pub(super) static SM80: Cuda<(Gemm, Sm80)> = Cuda::new();

/// FP4 times FP4 by the block-scaled instruction.
pub(super) struct Sm120a;
pub(super) static SM120A: Cuda<(Gemm, Sm120a)> = Cuda::new();

/// How a pair is stored and multiplied.
pub(super) fn stored(op: &Gemm) -> Stored {
    if op.integer() { Stored::Codes } else { Stored::Halves }
}
pub(super) fn way(stored: Stored) -> &'static Way {
    match stored {
        Stored::Codes => &INTEGER,
        Stored::Halves => &FLOAT,
        Stored::Fp4 => &FP4,
    }
}

/// Bytes of shared memory that a block of many rows takes.
pub(super) fn shared_bytes(geometry: Geometry, stored: Stored, m_tile: usize) -> usize {
    let (row, stages) = if stored == Stored::Fp4 { (64, 4) } else { (128, 3) };
    let row_elements = match stored {
        Stored::Codes => 128,
        Stored::Halves => 64,
        Stored::Fp4 => 128,
    };
    let tiles = MANY_OUTPUTS / OUTPUTS * (row_elements / geometry.k_tile);
    let x_scales = if stored == Stored::Fp4 { geometry.row_scales() } else { 0 };
    stages * (tiles * (TILE_BYTES + OUTPUTS * geometry.row_scales()) + m_tile * (row + x_scales))
}

/// Packed weights, room for activations, and the functions.
#[derive(Debug)]
pub(super) struct Ready {
    stored: Stored,
    packed: Packed,
    rows: Rows,
    few: [Function; 2],
    many: Option<[Function; 2]>,
}

/// What `mma-sm80` multiplies.
pub(super) fn sm80(op: &Gemm) -> Result<(), Unsupported> {
    use Activations as A;
    use Format as F;
    match (op.weights, op.activations) {
        (F::Mxfp4 | F::Nvfp4 | F::Q8_0 | F::Q4_0, A::Int8 | A::Int8g32)
        | (F::Mxfp4, A::Mxfp4)
        | (F::Nvfp4, A::Nvfp4)
        | (F::Bf16, A::Bf16)
        | (F::Fp8, A::Bf16 | A::Fp8) => Ok(()),
        (F::Mxfp4 | F::Nvfp4, A::Bf16) if op.m <= FEW => Ok(()),
        (F::Mxfp4 | F::Nvfp4, A::Bf16) => {
            Err(Unsupported(format!("multiplies {} with bf16 for at most {FEW} rows", op.weights)))
        }
        (weights, activations) => Err(Unsupported(format!("does not multiply {weights} with {activations}"))),
    }
}

/// What `mma-sm120a` multiplies.
pub(super) fn sm120a(op: &Gemm) -> Result<(), Unsupported> {
    match (op.weights, op.activations) {
        (Format::Mxfp4, Activations::Mxfp4) | (Format::Nvfp4, Activations::Nvfp4) => Ok(()),
        (weights, activations) => Err(Unsupported(format!(
            "multiplies mxfp4 with mxfp4 and nvfp4 with nvfp4, not {weights} with {activations}"
        ))),
    }
}

fn geometry(op: &Gemm) -> Result<Geometry, Unsupported> {
    Geometry::of(op.weights).ok_or_else(|| Unsupported(format!("has no tiles of {}", op.weights)))
}

pub(super) fn accepts(op: &Gemm, gpu: &Properties, stored: Stored) -> Result<(), Unsupported> {
    let geometry = geometry(op)?;
    let (asked, has) = (shared_bytes(geometry, stored, M_TILES[1]), gpu.shared_bytes as usize);
    if op.m > FEW && asked > has {
        return Err(Unsupported(format!("takes {asked} bytes of shared memory, a block here has {has}")));
    }
    Ok(())
}

/// `unit` with the choices that the pair of formats makes.
pub(super) fn choice(op: &Gemm, geometry: Geometry, stored: Stored, unit: Unit) -> Unit {
    let unit = unit.with("FORMAT", geometry.number);
    match stored {
        Stored::Codes => unit.with("GROUPED", usize::from(op.activations.grouped())),
        Stored::Halves => unit.with("AS_F16", usize::from(op.activations == Activations::Fp8)),
        Stored::Fp4 => unit,
    }
}

fn units(op: &Gemm, stored: Stored, archs: &'static [Arch]) -> Vec<Unit> {
    let Some(geometry) = Geometry::of(op.weights) else { return Vec::new() };
    let way = way(stored);
    let with = |unit: Unit| choice(op, geometry, stored, unit).with("EXPERTS", 0);
    let mut units = vec![
        packing(geometry, stored == Stored::Fp4, archs),
        rounding(op, geometry, stored, archs),
        with(Unit::plain(way.few, archs, way.few_entries)),
    ];
    if op.m > FEW {
        units.push(with(Unit::plain(way.many, archs, way.many_entries)));
    }
    units
}

impl Ready {
    fn new(op: &Gemm, stored: Stored, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Self, Fault> {
        let (geometry, way) = (geometry(op)?, way(stored));
        let few = [modules[2].function(way.few_entries[0])?, modules[2].function(way.few_entries[1])?];
        let many = match modules.get(3) {
            Some(module) => {
                let of = |i: usize| {
                    module.function(way.many_entries[i])?.with_shared(shared_bytes(geometry, stored, M_TILES[i]))
                };
                Some([of(0)?, of(1)?])
            }
            None => None,
        };
        let packed = Packed::new(op, geometry, weights, &modules[0], gpu)?;
        Ok(Self { stored, packed, rows: Rows::new(op, geometry, stored, &modules[1], gpu)?, few, many })
    }
    fn run(&mut self, op: &Gemm, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(Gemm::NAME, io.live, op.m)?;
        let ([x], [y]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Gemm::NAME, "one input and one output"));
        };
        if rows == 0 {
            return Ok(());
        }
        self.rows.round(x, rows, op.k, None, gpu)?;
        let (packed, of) = (&self.packed, &self.rows);
        let (function, grid, few) = match &self.many {
            Some(many) if rows > FEW => {
                let which = usize::from(rows > SMALL);
                let blocks = [op.n.div_ceil(MANY_OUTPUTS), rows.div_ceil(M_TILES[which]), 1];
                (&many[which], Grid::of(blocks, THREADS), false)
            }
            _ => (&self.few[usize::from(rows > 8)], Grid::line(op.n.div_ceil(OUTPUTS), THREADS), true),
        };
        let args = Args::new().read(&packed.tiles).read(&packed.scales).read(&packed.factors);
        let args = args.read_or_null(packed.bias.as_ref()).read(&of.row_scales).write(y);
        let args = of.arguments(args.int(rows).int(op.n).int(op.k), self.stored, few);
        gpu.launch(function, grid, args)
    }
}

impl CudaOp<Gemm> for Sm80 {
    type Ready = Ready;
    const NAME: &'static str = "mma-sm80";

    fn accepts(op: &Gemm, gpu: &Properties) -> Result<(), Unsupported> {
        sm80(op).and_then(|()| accepts(op, gpu, stored(op)))
    }
    fn arithmetic(op: &Gemm) -> Arithmetic {
        // FP4 as twice its value in int8; FP8 times FP8 as f16, at the rate of bf16.
        if stored(op) == Stored::Codes { Arithmetic::Int8 } else { Arithmetic::Bf16 }
    }
    fn units(op: &Gemm) -> Vec<Unit> {
        if sm80(op).is_ok() { units(op, stored(op), FROM_SM80) } else { Vec::new() }
    }
    fn ready(op: &Gemm, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        Ready::new(op, stored(op), weights, modules, gpu)
    }
    fn resident(ready: &Ready) -> u64 {
        ready.packed.resident()
    }
    fn run(op: &Gemm, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        ready.run(op, gpu, io)
    }
}

impl CudaOp<Gemm> for Sm120a {
    type Ready = Ready;
    const NAME: &'static str = "mma-sm120a";

    fn accepts(op: &Gemm, gpu: &Properties) -> Result<(), Unsupported> {
        sm120a(op).and_then(|()| accepts(op, gpu, Stored::Fp4))
    }
    fn arithmetic(op: &Gemm) -> Arithmetic {
        if op.weights == Format::Mxfp4 { Arithmetic::Mxfp4 } else { Arithmetic::Nvfp4 }
    }
    fn units(op: &Gemm) -> Vec<Unit> {
        if sm120a(op).is_ok() { units(op, Stored::Fp4, SM12XA) } else { Vec::new() }
    }
    fn ready(op: &Gemm, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        Ready::new(op, Stored::Fp4, weights, modules, gpu)
    }
    fn resident(ready: &Ready) -> u64 {
        ready.packed.resident()
    }
    fn run(op: &Gemm, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        ready.run(op, gpu, io)
    }
}
