//! Launches of the empty kernel on a GPU: waited for, in a row, or as a graph.

use super::{Launch, Way};
use crate::cpu::variant::{no_weights, operands};
use crate::cuda::Gpu;
use crate::cuda::arch::FROM_SM80;
use crate::cuda::graph::Captured;
use crate::cuda::kernel::{Cuda, CudaOp};
use crate::cuda::launch::{Args, Grid};
use crate::cuda::module::{Function, Module};
use crate::cuda::source::{Source, Unit};
use crate::{Buffer, Device, Fault, Io, Op};
use std::sync::Arc;

static SOURCE: Source = Source { path: "launch/empty.cu", text: include_str!("empty.cu") };

/// One warp.
pub(super) struct Empty;
pub(super) static EMPTY: Cuda<(Launch, Empty)> = Cuda::new();

/// The kernel, and the graph of its launches with the address that they count at.
#[derive(Debug)]
pub(super) struct Ready {
    count: Function,
    graph: Option<(u64, Captured)>,
}

fn submit(count: &Function, gpu: &Gpu, launches: &mut Buffer) -> Result<(), Fault> {
    gpu.launch(count, Grid::line(1, 32), Args::new().write(launches))
}

impl CudaOp<Launch> for Empty {
    type Ready = Ready;
    const NAME: &'static str = "empty";

    fn units(_: &Launch) -> Vec<Unit> {
        vec![Unit::plain(&SOURCE, FROM_SM80, &["count_launch"])]
    }
    fn ready(_: &Launch, weights: &[Buffer], modules: &[Arc<Module>], _: &Gpu) -> Result<Ready, Fault> {
        no_weights(Launch::NAME, weights)?;
        Ok(Ready { count: modules[0].function("count_launch")?, graph: None })
    }
    fn run(op: &Launch, ready: &mut Ready, gpu: &Gpu, io: &mut Io<'_>) -> Result<(), Fault> {
        let [launches] = &mut *io.outputs else {
            return Err(operands(Launch::NAME, "as output a number of launches"));
        };
        match op.way {
            Way::RoundTrip => (0..op.launches).try_for_each(|_| {
                submit(&ready.count, gpu, launches)?;
                gpu.wait()
            }),
            Way::Row => (0..op.launches).try_for_each(|_| submit(&ready.count, gpu, launches)),
            Way::Graph => {
                // The graph is made at the first call, which is checked and not timed: only then is it known where it counts.
                let at = launches.gpu().map_or(0, crate::cuda::memory::Memory::address);
                if ready.graph.as_ref().is_none_or(|(of, _)| *of != at) {
                    let count = &ready.count;
                    let captured =
                        gpu.capture(&mut || (0..op.launches).try_for_each(|_| submit(count, gpu, launches)))?;
                    ready.graph = Some((at, captured));
                }
                ready.graph.as_mut().map_or(Ok(()), |(_, graph)| graph.launch())
            }
        }
    }
}
