//! Gemms of many rows on Hopper's warpgroup tensor cores: what `wgmma_sm90a.cu` is given.

use super::activations::Activations;
use super::tiles_cuda::{FEW, Geometry, natural_rounding, natural_tail};
use super::{Gemm, canonical};
use crate::cpu::variant::{operands, rows_in_use};
use crate::cuda::arch::SM90A;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::cuda::tensor_map::{Elements, Matrix, TensorMap};
use crate::cuda::{Gpu, Properties};
use crate::format::Format;
use crate::{Arithmetic, Buffer, Device, Fault, Io, Op, Placement, Type, Unsupported};
use std::sync::Arc;

static SOURCE: Source = Source { path: "gemm/wgmma_sm90a.cu", text: include_str!("wgmma_sm90a.cu") };
pub(super) static PACK: Source = Source { path: "gemm/wgmma_pack.cu", text: include_str!("wgmma_pack.cu") };

/// Tiles of 128 outputs × 64, 128 or 256 rows.
pub(super) struct Wgmma;
pub(super) static WGMMA: Cuda<(Gemm, Wgmma)> = Cuda::new();

/// Outputs of a tile, and threads of a block.
const OUTPUTS: usize = 128;
const THREADS: u32 = 384;
/// Bytes along k of a stage's rows.
const STAGE: usize = 128;

/// `KIND` in the `.cu` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bf16,
    Fp8,
    Fp4,
}

impl Kind {
    fn of(op: &Gemm) -> Result<Self, Unsupported> {
        match (op.weights, op.activations) {
            (Format::Bf16, Activations::Bf16) => Ok(Self::Bf16),
            (Format::Fp8, Activations::Fp8) => Ok(Self::Fp8),
            (Format::Mxfp4 | Format::Nvfp4, Activations::Bf16) => Ok(Self::Fp4),
            (weights, activations) => Err(Unsupported(format!(
                "multiplies bf16 with bf16, fp8 with fp8, mxfp4 and nvfp4 with bf16, not {weights} with {activations}"
            ))),
        }
    }
    fn number(self) -> usize {
        self as usize
    }
    fn elements(self) -> Elements {
        if self == Self::Fp8 { Elements::Bytes } else { Elements::Bf16 }
    }
    /// Rows of a tile, by the functions of the file.
    fn widths(self) -> &'static [usize] {
        if self == Self::Fp8 { &[64, 128] } else { &[64, 128, 256] }
    }
    fn entries(self) -> &'static [&'static str] {
        const ALL: &[&str] = &["gemm_wgmma_64", "gemm_wgmma_128", "gemm_wgmma_256"];
        &ALL[..self.widths().len()]
    }
    /// Bytes of a tile's weights in one stage.
    fn left_bytes(self, op: &Gemm) -> usize {
        match self {
            Self::Fp4 => OUTPUTS * 32 + OUTPUTS * (64 / op.block()),
            _ => OUTPUTS * STAGE,
        }
    }
    /// Bytes of shared memory of a block of tiles of `width` rows: the ring, and two barriers a stage.
    fn shared_bytes(self, op: &Gemm, width: usize) -> usize {
        let stages = if self != Self::Fp4 && width == 256 { 4 } else { 6 };
        stages * (width * STAGE + self.left_bytes(op).next_multiple_of(1024) + 16)
    }
    /// Elements along k in a stage.
    fn stage_k(self) -> usize {
        STAGE / self.elements().bytes()
    }
}

/// What sums of FP8 on tensor cores are off beside the op's tolerance, relative to Σ|a·b|.
// Hopper's align 32 products and the sum so far to the largest of them and keep 13 bits behind its first (others call it "14 bits" or FP22;
// `peak` meets it too). The sum is taken out of them every 128 elements, so the largest is some √128 of a mean product p, and each of 33 terms
// loses up to 2^-13 of it: √33 · 2^-13 · 0.6 · √128 · p an instruction, and √(k / 32) times that over k. Relative to Σ|a·b| = k · p that is
// 8·10⁻⁴ ÷ √k; five times it is 2^-8 ÷ √k. A result that is wrong is off by about 1 ÷ √k.
pub(super) fn fp8_rounding(op: &Gemm) -> f64 {
    2f64.powi(-8) / (op.k as f64).sqrt()
}

/// The widest tile that leaves at most a quarter of the SMs without one, else the narrowest: its place in `widths`.
fn choose(widths: &[usize], rows: usize, n: usize, sms: usize) -> usize {
    let enough = |width: usize| 4 * n.div_ceil(OUTPUTS) * rows.div_ceil(width) >= 3 * sms;
    widths.iter().rposition(|width| *width < 2 * rows && enough(*width)).unwrap_or(0)
}

/// Packed weights, room for activations, and the functions.
#[derive(Debug)]
pub(super) struct Ready {
    weights: Buffer,
    factors: Buffer,
    bias: Option<Buffer>,
    /// Of FP4 there is no map: its place is taken by any.
    weights_map: TensorMap,
    round: Function,
    codes: Buffer,
    row_scales: Buffer,
    /// For each width of tiles.
    tiles: Vec<(Function, TensorMap)>,
}

impl CudaOp<Gemm> for Wgmma {
    type Ready = Ready;
    const NAME: &'static str = "wgmma-sm90a";

    fn accepts(op: &Gemm, gpu: &Properties) -> Result<(), Unsupported> {
        let kind = Kind::of(op)?;
        if op.m <= FEW {
            return Err(Unsupported(format!("is for more than {FEW} rows; a stream of weights does few")));
        }
        let most = kind.widths().iter().map(|width| kind.shared_bytes(op, *width)).max().unwrap_or(0);
        if most > gpu.shared_bytes as usize {
            let has = gpu.shared_bytes;
            return Err(Unsupported(format!("takes {most} bytes of shared memory, a block here has {has}")));
        }
        Ok(())
    }
    fn arithmetic(op: &Gemm) -> Arithmetic {
        if Kind::of(op) == Ok(Kind::Fp8) { Arithmetic::Fp8 } else { Arithmetic::Bf16 }
    }
    fn rounding(op: &Gemm) -> f64 {
        if Kind::of(op) == Ok(Kind::Fp8) { fp8_rounding(op) } else { 0.0 }
    }
    fn units(op: &Gemm) -> Vec<Unit> {
        let (Ok(kind), Some(geometry)) = (Kind::of(op), Geometry::of(op.weights)) else { return Vec::new() };
        let entries: &[&str] =
            if kind == Kind::Fp4 { &["pack_codes", "pack_factors"] } else { &["pack_rows", "pack_factors"] };
        vec![
            Unit::plain(&PACK, SM90A, entries).with("FORMAT", geometry.number),
            natural_rounding(op.activations, SM90A),
            Unit::plain(&SOURCE, SM90A, kind.entries()).with("KIND", kind.number()).with("FORMAT", geometry.number),
        ]
    }
    fn ready(op: &Gemm, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        canonical::shapes(op, weights)?;
        let kind = Kind::of(op)?;
        let bytes = |len| gpu.alloc(Type::U8, len, Placement::Fast);
        let bias = if op.bias { weights.last().map(|bias| gpu.copy(bias)).transpose()? } else { None };
        let tiles = op.n.div_ceil(OUTPUTS);
        let pitch = (op.k * kind.elements().bytes()).next_multiple_of(16);
        let mut packed = match kind {
            Kind::Fp4 => bytes(tiles * op.k.div_ceil(kind.stage_k()) * kind.left_bytes(op))?,
            _ => bytes(op.n * pitch)?,
        };
        let mut factors = gpu.alloc(Type::F32, tiles * OUTPUTS, Placement::Fast)?;
        // Canonical weights on the host are brought over for as long as it takes.
        let copies = weights.iter().map(|w| if w.gpu().is_some() { Ok(None) } else { gpu.copy(w).map(Some) });
        let copies = copies.collect::<Result<Vec<_>, _>>()?;
        let at = |i: usize| copies[i].as_ref().unwrap_or(&weights[i]);
        let row_bytes = op.weights.bytes(op.k) as u64;
        let args = Args::new().read(at(0));
        if kind == Kind::Fp4 {
            let args = args.long(row_bytes).int(op.n).int(op.k).write(&mut packed);
            let words = tiles * op.k.div_ceil(kind.stage_k()) * OUTPUTS * 8;
            gpu.launch(&modules[0].function("pack_codes")?, Grid::covering(words, 256), args)?;
        } else {
            let args = args.int(op.n).int(op.k).int(pitch).write(&mut packed);
            gpu.launch(&modules[0].function("pack_rows")?, Grid::covering(op.n * pitch / 16, 256), args)?;
        }
        let given = (op.weights.scales(op.n) > 0).then(|| at(1));
        let args = Args::new().read(at(0)).long(row_bytes).int(op.n).int(op.k).read_or_null(given);
        let args = args.int(usize::from(op.weights == Format::Fp8)).write(&mut packed).write(&mut factors);
        gpu.launch(&modules[0].function("pack_factors")?, Grid::line(tiles * OUTPUTS, 256), args)?;
        gpu.wait()?;

        let x_pitch = op.k.next_multiple_of(32) * kind.elements().bytes();
        let codes = bytes(op.m * x_pitch)?;
        let x = Matrix { buffer: &codes, of: kind.elements(), rows: op.m, columns: op.k, pitch: x_pitch };
        let mut tiles = Vec::new();
        for (entry, width) in kind.entries().iter().zip(kind.widths()) {
            let function = modules[2].function(entry)?.with_shared(kind.shared_bytes(op, *width))?;
            tiles.push((function, TensorMap::swizzled(x, *width)?));
        }
        let of = Matrix { buffer: &packed, of: kind.elements(), rows: op.n, columns: op.k, pitch };
        let weights_map = if kind == Kind::Fp4 { tiles[0].1 } else { TensorMap::swizzled(of, OUTPUTS)? };
        Ok(Ready {
            weights: packed,
            factors,
            bias,
            weights_map,
            round: modules[1].function("quantise_rows")?,
            codes,
            row_scales: gpu.alloc(Type::F32, op.m, Placement::Fast)?,
            tiles,
        })
    }
    fn resident(ready: &Ready) -> u64 {
        [&ready.weights, &ready.factors].into_iter().chain(&ready.bias).map(|b| b.bytes() as u64).sum()
    }
    fn run(op: &Gemm, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let (rows, kind) = (rows_in_use(Gemm::NAME, io.live, op.m)?, Kind::of(op)?);
        let ([x], [y]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Gemm::NAME, "one input and one output"));
        };
        if rows == 0 {
            return Ok(());
        }
        let args = Args::new().read(x).int(op.k).write(&mut ready.codes).write(&mut ready.row_scales);
        let args = natural_tail(args);
        gpu.launch(&ready.round, Grid::line(rows, 1024), args)?;
        let which = choose(kind.widths(), rows, op.n, gpu.threads());
        let tiles = op.n.div_ceil(OUTPUTS) * rows.div_ceil(kind.widths()[which]);
        let (function, map) = &ready.tiles[which];
        let args = Args::new().block(&map.0).block(&ready.weights_map.0).read(&ready.weights).read(&ready.factors);
        let args = args.read_or_null(ready.bias.as_ref()).read(&ready.row_scales).write(y);
        gpu.launch(function, Grid::line(tiles.min(gpu.threads()), THREADS), args.int(rows).int(op.n).int(op.k))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_as_wide_as_leaves_most_sms_one() {
        let width = |rows, n| [64, 128, 256][choose(&[64, 128, 256], rows, n, 132)];
        assert_eq!(width(8192, 8192), 256);
        assert_eq!(width(512, 4096), 128);
        assert_eq!(width(512, 8192), 256);
        assert_eq!(width(64, 65536), 64);
        assert_eq!(width(65, 65536), 128);
        assert_eq!(width(17, 128), 64);
    }

    #[test]
    fn every_ring_fits_a_block_of_hopper() {
        for (weights, activations) in [
            (Format::Bf16, Activations::Bf16),
            (Format::Fp8, Activations::Fp8),
            (Format::Mxfp4, Activations::Bf16),
            (Format::Nvfp4, Activations::Bf16),
        ] {
            let op = Gemm { m: 512, n: 512, k: 512, weights, activations, bias: false };
            let kind = Kind::of(&op).unwrap();
            assert!(kind.widths().iter().all(|width| kind.shared_bytes(&op, *width) <= 227 << 10), "{op:?}");
        }
    }
}
