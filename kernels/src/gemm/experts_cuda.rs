//! The projections of many experts on the tensor cores of a GPU: the gemm's own kernels over tiles of rows of one expert each.

use super::Gemm;
use super::mma_cuda::{
    MANY_OUTPUTS, Sm80, Sm120a, THREADS, Way, accepts, choice, shared_bytes, sm80, sm120a, stored, way,
};
use super::tiles_cuda::{Gather, Geometry, OUTPUTS, Packed, Rows, Stored, packing, rounding};
use crate::cpu::variant::{operands, rows_in_use};
use crate::cuda::arch::{Arch, FROM_SM80, SM12XA};
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::cuda::{Gpu, Properties};
use crate::moe::{self, Experts};
use crate::{Arithmetic, Buffer, Device, Fault, Io, Op, Placement, Type, Unsupported};
use std::sync::Arc;

static GROUP: Source = Source { path: "moe/group.cu", text: include_str!("../moe/group.cu") };

pub(super) static SM80: Cuda<(Experts, Sm80)> = Cuda::new();
pub(super) static SM120A: Cuda<(Experts, Sm120a)> = Cuda::new();

/// Experts that the grouping counts: its threads.
const MOST: usize = 1024;
/// Rows of a tile, by the functions. With few tokens each expert has one tile of the least, so that its weights are read once.
const HEIGHTS: [usize; 3] = [8, 32, 128];
/// Tokens up to which that is so.
const FEW_TOKENS: usize = HEIGHTS[0];

/// Which height a call of so many tokens takes: the one that an expert fills, if all are chosen alike.
fn height(op: &Experts, tokens: usize) -> usize {
    match tokens {
        0..=FEW_TOKENS => 0,
        _ if tokens * op.active <= HEIGHTS[1] * op.experts => 1,
        _ => 2,
    }
}

/// Tiles of `height` rows that the choices of so many tokens take at most.
fn tiles(op: &Experts, tokens: usize, height: usize) -> usize {
    let choices = tokens * op.active;
    choices.min((choices + (height - 1) * op.experts.min(choices)) / height)
}

/// Packed weights of all experts, room for rounded rows and for the order of a call, and the functions.
#[derive(Debug)]
pub(super) struct Ready {
    stored: Stored,
    packed: Packed,
    rows: Rows,
    multiply: Vec<Function>,
    order: Function,
    group: Function,
    combine: Function,
    /// Of each choice, of each place, and the table of tiles.
    places: Buffer,
    choices: Buffer,
    table: Buffer,
    /// What each choice says, where it is combined.
    said: Option<Buffer>,
}

fn supported(op: &Experts, pair: impl Fn(&Gemm) -> Result<(), Unsupported>) -> Result<(), Unsupported> {
    // The pairs of few rows are those of tiles of 8.
    let m = if op.rows <= FEW_TOKENS { FEW_TOKENS } else { HEIGHTS[2] };
    pair(&Gemm { m, ..op.gemm() })?;
    if !op.n.is_multiple_of(OUTPUTS) {
        return Err(Unsupported(format!("experts of {} outputs do not end with a tile of {OUTPUTS}", op.n)));
    }
    if op.experts > MOST {
        return Err(Unsupported(format!("groups up to {MOST} experts, and here are {}", op.experts)));
    }
    Ok(())
}

fn units(op: &Experts, stored: Stored, archs: &'static [Arch]) -> Vec<Unit> {
    let (gemm, Some(geometry)) = (op.gemm(), Geometry::of(op.weights)) else { return Vec::new() };
    let Way { few, experts_few, many, experts_many, .. } = way(stored);
    let with = |unit: Unit| choice(&gemm, geometry, stored, unit).with("EXPERTS", 1);
    let mut units = vec![
        packing(geometry, stored == Stored::Fp4, archs),
        rounding(&gemm, geometry, stored, archs),
        moe::cuda::unit(),
        Unit::plain(&GROUP, FROM_SM80, &["group", "combine"]),
        with(Unit::plain(few, archs, experts_few)),
    ];
    if op.rows > FEW_TOKENS {
        units.push(with(Unit::plain(many, archs, experts_many)));
    }
    units
}

fn ready(op: &Experts, stored: Stored, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
    let geometry = Geometry::of(op.weights);
    let geometry = geometry.ok_or_else(|| Unsupported(format!("has no tiles of {}", op.weights)))?;
    let way = way(stored);
    let mut multiply = vec![modules[4].function(way.experts_few[0])?];
    if let Some(module) = modules.get(5) {
        for (name, height) in way.experts_many.iter().zip(&HEIGHTS[1..]) {
            multiply.push(module.function(name)?.with_shared(shared_bytes(geometry, stored, *height))?);
        }
    }
    // Of each height the most tiles that a call which takes it has, and of all of them the most room.
    let few = op.rows.min(FEW_TOKENS);
    let most =
        [few, op.rows, op.rows].into_iter().zip(HEIGHTS).map(|(tokens, height)| (tiles(op, tokens, height), height));
    let most: Vec<_> = most.take(multiply.len()).collect();
    let slots = most.iter().map(|(tiles, height)| tiles * height).max().unwrap_or(0);
    let table = most.iter().map(|(tiles, _)| *tiles).max().unwrap_or(0);
    let choices = op.rows * op.active;
    let words = |len| gpu.alloc(Type::U32, len, Placement::Fast);
    let rows = Gemm { m: slots.max(1), ..op.gemm() };
    Ok(Ready {
        stored,
        packed: Packed::new(&op.all(), geometry, weights, &modules[0], gpu)?,
        rows: Rows::new(&rows, geometry, stored, &modules[1], gpu)?,
        multiply,
        order: modules[2].function("order")?,
        group: modules[3].function("group")?,
        combine: modules[3].function("combine")?,
        places: words(choices)?,
        choices: words(choices)?,
        table: words(4 * table)?,
        said: if op.combine { Some(gpu.alloc(Type::F32, choices * op.n, Placement::Fast)?) } else { None },
    })
}

fn run(op: &Experts, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
    let tokens = rows_in_use(Experts::NAME, io.live, op.rows)?;
    let (x, ids, weights) = match (op.combine, io.inputs) {
        (false, [x, ids]) => (x, ids, None),
        (true, [x, ids, weights]) => (x, ids, Some(*weights)),
        _ => return Err(operands(Experts::NAME, "x, ids and, to combine, weights")),
    };
    let [y] = &mut *io.outputs else { return Err(operands(Experts::NAME, "one output")) };
    if tokens == 0 {
        return Ok(());
    }
    let (choices, which) = (tokens * op.active, height(op, tokens));
    let (height, tiles) = (HEIGHTS[which], tiles(op, tokens, HEIGHTS[which]));
    let Ready { rows, packed, places, table, said, .. } = ready;
    gpu.launch(&ready.order, Grid::covering(choices, 128), Args::new().read(ids).write(places).int(choices))?;
    let said = match said {
        Some(said) => said,
        None => &mut **y,
    };
    let args = Args::new().read(ids).read(places).write(&mut ready.choices).write(table).int(tiles).int(height);
    gpu.launch(&ready.group, Grid::line(1, MOST as u32), args.int(choices).int(op.experts).write(said).int(op.n))?;
    let from = (!op.combine).then_some((&ready.choices, op.active));
    rows.round(x, tiles * height, op.k, Some(Gather { table, height, from }), gpu)?;
    let args = Args::new().read(&packed.tiles).read(&packed.scales).read(&packed.factors);
    let args = args.read_or_null(packed.bias.as_ref()).read(&rows.row_scales).write(said);
    let args = rows.arguments(args.int(tiles * height).int(op.n).int(op.k), ready.stored, which == 0);
    let outputs = if which == 0 { OUTPUTS } else { MANY_OUTPUTS };
    let grid = Grid::of([op.n.div_ceil(outputs), tiles, 1], THREADS);
    gpu.launch(&ready.multiply[which], grid, args.read(table))?;
    let (Some(said), Some(weights)) = (&ready.said, weights) else { return Ok(()) };
    let args = Args::new().read(said).read(places).read(weights).write(y).int(op.n).int(op.active);
    gpu.launch(&ready.combine, Grid::of([op.n.div_ceil(256), tokens, 1], 256), args)
}

macro_rules! experts {
    ($of:ty, $pair:path, $stored:expr, $archs:expr) => {
        impl CudaOp<Experts> for $of {
            type Ready = Ready;
            const NAME: &'static str = <Self as CudaOp<Gemm>>::NAME;

            fn accepts(op: &Experts, gpu: &Properties) -> Result<(), Unsupported> {
                supported(op, $pair)?;
                // Tiles of 128 rows, where there may be any.
                let m = if op.rows > FEW_TOKENS { HEIGHTS[2] } else { FEW_TOKENS };
                accepts(&Gemm { m, ..op.gemm() }, gpu, $stored(&op.gemm()))
            }
            fn arithmetic(op: &Experts) -> Arithmetic {
                <Self as CudaOp<Gemm>>::arithmetic(&op.gemm())
            }
            fn units(op: &Experts) -> Vec<Unit> {
                if supported(op, $pair).is_ok() { units(op, $stored(&op.gemm()), $archs) } else { Vec::new() }
            }
            fn ready(op: &Experts, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
                ready(op, $stored(&op.gemm()), weights, modules, gpu)
            }
            fn resident(ready: &Ready) -> u64 {
                ready.packed.resident()
            }
            fn run(op: &Experts, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
                run(op, ready, gpu, io)
            }
        }
    };
}
experts!(Sm80, sm80, stored, FROM_SM80);
experts!(Sm120a, sm120a, |_: &Gemm| Stored::Fp4, SM12XA);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_enough_for_any_choice() {
        let op = Experts::nasty().into_iter().find(|op| op.experts == 33).unwrap();
        for tokens in [1, 8, 9, 70] {
            let choices = tokens * op.active;
            for height in HEIGHTS {
                // All for one expert, and as many experts as there are, each with one choice more than whole tiles.
                let spread = op.experts.min(choices);
                let worst = (choices - spread) / height + spread;
                let least = choices.div_ceil(height);
                assert!(tiles(&op, tokens, height) >= least.max(worst.min(choices)), "{tokens} {height}");
            }
        }
    }
}
