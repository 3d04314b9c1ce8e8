//! The choice of experts on a GPU.

use super::route::Route;
use super::routing::{Draw, Routing};
use crate::cpu::variant::{no_weights, operands, rows_in_use};
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Device, Fault, Host, Io, Op};
use std::sync::Arc;

pub(crate) static SOURCE: Source = Source { path: "moe/naive.cu", text: include_str!("naive.cu") };

/// What is compiled of it, for every op that chooses or orders.
pub(crate) fn unit() -> Unit {
    Unit::plain(&SOURCE, FROM_SM80, &["route", "order", "touch"])
}

/// One thread a token.
pub(super) struct Naive;
pub(super) static NAIVE: Cuda<(Route, Naive)> = Cuda::new();

/// The function, and of a draw the sums of the ranks' weights and the experts by rank.
#[derive(Debug)]
pub(super) struct Ready {
    function: Function,
    draw: Option<[Buffer; 2]>,
}

impl CudaOp<Route> for Naive {
    type Ready = Ready;
    const NAME: &'static str = "naive";

    fn units(_: &Route) -> Vec<Unit> {
        vec![unit()]
    }
    fn ready(op: &Route, weights: &[Buffer], modules: &[Arc<Module>], gpu: &Gpu) -> Result<Ready, Fault> {
        no_weights(Route::NAME, weights)?;
        let draw = match op.routing {
            Routing::Router => None,
            _ => {
                let draw = Draw::new(op.routing, op.experts, op.seed);
                // As bits: a double is no element type of buffers.
                let sums = Host::U64(draw.sums().iter().map(|sum| sum.to_bits()).collect());
                Some([gpu.upload(&sums)?, gpu.upload(&draw.ranked().to_vec().into())?])
            }
        };
        Ok(Ready { function: modules[0].function("route")?, draw })
    }
    fn run(op: &Route, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = rows_in_use(Route::NAME, io.live, op.rows)?;
        let ([logits], [ids, weights]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Route::NAME, "the logits, and as outputs ids and weights"));
        };
        let [sums, ranked] = match &ready.draw {
            Some([sums, ranked]) => [Some(sums), Some(ranked)],
            None => [None, None],
        };
        let args = Args::new()
            .read(logits)
            .write(ids)
            .write(weights)
            .address(gpu.rows(io.live)?)
            .read_or_null(sums)
            .read_or_null(ranked)
            .long(op.seed)
            .int(rows)
            .int(op.experts)
            .int(op.active)
            .int(op.shared)
            .int(usize::from(op.normalised));
        gpu.launch(&ready.function, Grid::covering(rows, 32), args)
    }
}
