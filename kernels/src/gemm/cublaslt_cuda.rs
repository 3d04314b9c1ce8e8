//! cuBLASLt as one more way to multiply: the rival beside the kernels, on the same operands and within the same check.

use super::activations::Activations;
use super::tiles_cuda::{Geometry, natural_rounding, natural_tail};
use super::wgmma_cuda::{PACK, fp8_rounding};
use super::{Gemm, canonical};
use crate::cpu::variant::{operands, rows_in_use};
use crate::cuda::arch::FROM_SM80;
use crate::cuda::cublaslt::{Operands, Problem, Product, Session, cublaslt, session};
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::cuda::{Gpu, Properties};
use crate::format::Format;
use crate::{Arithmetic, Buffer, Device, Fault, Io, Op, Placement, Type, Unsupported};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

static SOURCE: Source = Source { path: "gemm/cublaslt.cu", text: include_str!("cublaslt.cu") };

/// The library's products; ours are the roundings before and the scales behind them.
pub(super) struct CublasLt;
pub(super) static CUBLASLT: Cuda<(Gemm, CublasLt)> = Cuda::new();

fn kind(op: &Gemm) -> Result<Operands, Unsupported> {
    match (op.weights, op.activations) {
        (Format::Bf16, Activations::Bf16) => Ok(Operands::Bf16),
        (Format::Fp8, Activations::Fp8) => Ok(Operands::E4m3),
        (Format::Nvfp4, Activations::Nvfp4) => Ok(Operands::Nvfp4),
        (weights, activations) => Err(Unsupported(format!(
            "multiplies bf16, fp8 and nvfp4 each with itself, not {weights} with {activations}"
        ))),
    }
}

/// Elements of a row of both operands, padded with zeros to what the library can read.
fn padded(op: &Gemm, of: Operands) -> usize {
    op.k.next_multiple_of(if of == Operands::Nvfp4 { 64 } else { 32 })
}

/// Bytes of the scales of so many rows of NVFP4; of others a byte that nobody reads.
fn scale_bytes(rows: usize, k: usize, of: Operands) -> usize {
    if of == Operands::Nvfp4 { rows.next_multiple_of(128) * k / 16 } else { 1 }
}

/// Weights and room for activations in the library's layout, and the products by how many rows they are for.
#[derive(Debug)]
pub(super) struct Ready {
    session: Arc<Mutex<Session>>,
    products: BTreeMap<usize, Product>,
    weights: Buffer,
    weight_scales: Buffer,
    factors: Buffer,
    bias: Option<Buffer>,
    round: Function,
    codes: Buffer,
    scales: Buffer,
    row_scales: Buffer,
    /// Absent where nothing is left to do on y.
    finish: Option<Function>,
}

fn problem(op: &Gemm, of: Operands, rows: usize) -> Problem {
    Problem { of, rows, n: op.n, k: padded(op, of) }
}

impl CudaOp<Gemm> for CublasLt {
    type Ready = Ready;
    const NAME: &'static str = "cublaslt";

    fn accepts(op: &Gemm, gpu: &Properties) -> Result<(), Unsupported> {
        let of = kind(op)?;
        let (least, name) = match of {
            Operands::Bf16 => ((8, 0), "bf16"),
            Operands::E4m3 => ((8, 9), "fp8"),
            Operands::Nvfp4 => ((10, 0), "nvfp4"),
        };
        if gpu.capability < least {
            return Err(Unsupported(format!("multiplies {name} from sm_{}{} on", least.0, least.1)));
        }
        if of != Operands::Bf16 && !op.n.is_multiple_of(16) {
            return Err(Unsupported(format!("multiplies {name} for multiples of 16 outputs, and here are {}", op.n)));
        }
        cublaslt().map(drop)
    }
    fn arithmetic(op: &Gemm) -> Arithmetic {
        match kind(op) {
            Ok(Operands::E4m3) => Arithmetic::Fp8,
            Ok(Operands::Nvfp4) => Arithmetic::Nvfp4,
            _ => Arithmetic::Bf16,
        }
    }
    // The library multiplies FP8 on the same tensor cores and takes their sums out as we do: it is asked for no fast accumulation.
    fn rounding(op: &Gemm) -> f64 {
        if kind(op) == Ok(Operands::E4m3) { fp8_rounding(op) } else { 0.0 }
    }
    fn units(op: &Gemm) -> Vec<Unit> {
        let (Ok(of), Some(geometry)) = (kind(op), Geometry::of(op.weights)) else { return Vec::new() };
        let mut units = vec![Unit::plain(&SOURCE, FROM_SM80, &["pack_nvfp4", "round_nvfp4", "scale_outputs"])];
        if of != Operands::Nvfp4 {
            let pack = Unit::plain(&PACK, FROM_SM80, &["pack_rows", "pack_factors"]);
            units.push(pack.with("FORMAT", geometry.number));
            units.push(natural_rounding(op.activations, FROM_SM80));
        }
        units
    }
    fn ready(op: &Gemm, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        canonical::shapes(op, weights)?;
        let (of, session) = (kind(op)?, session(gpu)?);
        let k = padded(op, of);
        // The library is asked before anything is laid out for it.
        let product = session.lock().unwrap_or_else(PoisonError::into_inner).product(problem(op, of, op.m))?;
        let bytes = |len| gpu.alloc(Type::U8, len, Placement::Fast);
        let bias = if op.bias { weights.last().map(|bias| gpu.copy(bias)).transpose()? } else { None };
        let copies = weights.iter().map(|w| if w.gpu().is_some() { Ok(None) } else { gpu.copy(w).map(Some) });
        let copies = copies.collect::<Result<Vec<_>, _>>()?;
        let at = |i: usize| copies[i].as_ref().unwrap_or(&weights[i]);
        let row_bytes = op.weights.bytes(op.k) as u64;
        let pitch = match of {
            Operands::Bf16 => 2 * k,
            Operands::E4m3 => k,
            Operands::Nvfp4 => k / 2,
        };
        let mut packed = bytes(op.n * pitch)?;
        let mut weight_scales = bytes(scale_bytes(op.n, k, of))?;
        let mut factors = gpu.alloc(Type::F32, op.n, Placement::Fast)?;
        if of == Operands::Nvfp4 {
            let args = Args::new().read(at(0)).long(row_bytes).int(op.n).int(op.k).read(at(1));
            let args = args.write(&mut packed).write(&mut weight_scales).write(&mut factors);
            gpu.launch(&modules[0].function("pack_nvfp4")?, Grid::line(op.n.next_multiple_of(128), 256), args)?;
        } else {
            let args = Args::new().read(at(0)).int(op.n).int(op.k).int(pitch).write(&mut packed);
            gpu.launch(&modules[1].function("pack_rows")?, Grid::covering(op.n * pitch / 16, 256), args)?;
            let given = (op.weights.scales(op.n) > 0).then(|| at(1));
            let args = Args::new().read(at(0)).long(row_bytes).int(op.n).int(op.k).read_or_null(given);
            let args = args.int(usize::from(op.weights == Format::Fp8)).write(&mut packed).write(&mut factors);
            gpu.launch(&modules[1].function("pack_factors")?, Grid::line(op.n, 256), args)?;
        }
        gpu.wait()?;
        let finish = of != Operands::Bf16 || op.bias;
        Ok(Ready {
            session,
            products: BTreeMap::from([(op.m, product)]),
            weights: packed,
            weight_scales,
            factors,
            bias,
            round: match of {
                Operands::Nvfp4 => modules[0].function("round_nvfp4")?,
                _ => modules[2].function("quantise_rows")?,
            },
            codes: bytes(op.m * pitch)?,
            scales: bytes(scale_bytes(op.m, k, of))?,
            row_scales: gpu.alloc(Type::F32, op.m, Placement::Fast)?,
            finish: if finish { Some(modules[0].function("scale_outputs")?) } else { None },
        })
    }
    fn resident(ready: &Ready) -> u64 {
        let all = [&ready.weights, &ready.weight_scales, &ready.factors].into_iter().chain(&ready.bias);
        all.map(|b| b.bytes() as u64).sum()
    }
    fn run(op: &Gemm, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let (rows, of) = (rows_in_use(Gemm::NAME, io.live, op.m)?, kind(op)?);
        let ([x], [y]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Gemm::NAME, "one input and one output"));
        };
        if rows == 0 {
            return Ok(());
        }
        let args = Args::new().read(x).int(op.k).write(&mut ready.codes);
        if of == Operands::Nvfp4 {
            let args = args.write(&mut ready.scales).write(&mut ready.row_scales);
            gpu.launch(&ready.round, Grid::line(rows, 512), args)?;
        } else {
            let args = natural_tail(args.write(&mut ready.row_scales));
            gpu.launch(&ready.round, Grid::line(rows, 1024), args)?;
        }
        let mut session = ready.session.lock().unwrap_or_else(PoisonError::into_inner);
        // How many rows there are enters the library's choice. Another number than at the last call is asked about once, on the host.
        let product = match ready.products.entry(rows) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(session.product(problem(op, of, rows))?),
        };
        session.run(product, (&ready.weights, &ready.codes), (&ready.weight_scales, &ready.scales), y)?;
        let Some(finish) = &ready.finish else { return Ok(()) };
        let args = Args::new().write(y).read(&ready.row_scales).read(&ready.factors);
        let grid = Grid::of([op.n.div_ceil(256), rows, 1], 256);
        gpu.launch(finish, grid, args.read_or_null(ready.bias.as_ref()).int(op.n))
    }
}
