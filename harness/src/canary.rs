//! The canary on a device: prepared, checked, run for some fifty milliseconds, and thrown away.

use crate::measure;
use spark_kernels::Device;
use spark_results::AxisValue;
use spark_results::canary::{Canary, Strand};
use spark_workloads::{Request, Step, Workload, ops};
use std::sync::Arc;

/// Rounds through the three, in turn, so that a disturbance meets them alike.
const ROUNDS: usize = 5;
/// Outputs and reduction of the matrix: 35 MB of weights, past every cache but the largest.
const SIDE: u64 = 8192;
const COPY: u64 = 64 << 20;
/// Memory for further sets of operands: none, since the copy between two runs evicts what the first of them read.
const MORE_SETS: u64 = 0;

/// One of the three, ready.
struct Ready {
    of: String,
    step: Box<dyn Step>,
}

/// Runs the three on `device`. Errors: why it cannot be, in words.
pub fn run(device: &Arc<dyn Device>, seed: u64, at_ns: u64) -> Result<Canary, String> {
    let text = |text: &str| AxisValue::from(text);
    let gemv = [
        ("m", 1_u64.into()),
        ("n", SIDE.into()),
        ("k", SIDE.into()),
        ("format", text("mxfp4")),
        ("activations", text("int8")),
    ];
    let mut all = [
        ready(&ops::GEMM, &gemv, device, seed)?,
        ready(&ops::COPY, &[("bytes", COPY.into())], device, seed)?,
        ready(&ops::PEAK, &[("type", text("f32"))], device, seed)?,
    ];
    let mut ns: [Vec<u64>; 3] = Default::default();
    for _ in 0..ROUNDS {
        for (one, ns) in all.iter_mut().zip(&mut ns) {
            ns.push(measure::once(&mut *one.step, &**device, 1).map_err(|e| e.to_string())?);
        }
    }
    let [gemv, copy, alu] = all.map(|one| (one.of, one.step.work()));
    let strand = |(of, work), ns| Strand { of, work, ns };
    let [first, second, third] = ns;
    Ok(Canary {
        device: device.id().to_owned(),
        at_ns,
        gemv: strand(gemv, first),
        copy: strand(copy, second),
        alu: strand(alu, third),
    })
}

fn ready(
    workload: &dyn Workload,
    axes: &[(&str, AxisValue)],
    device: &Arc<dyn Device>,
    seed: u64,
) -> Result<Ready, String> {
    let axes = axes.iter().map(|(name, value)| ((*name).to_owned(), vec![value.clone()])).collect();
    let request = Request { axes, implementation: String::new() };
    let id = workload.cases(&request, &**device).map_err(|e| e.to_string())?.pop();
    let id = id.ok_or_else(|| format!("{} has no case here", workload.name()))?;
    let body = workload.prepare(&id, device, seed, MORE_SETS).map_err(|e| format!("{id}: {e}"))?;
    let mut step = body.step().map_err(|e| e.to_string())?;
    match step.check().map_err(|e| format!("{id}: {e}"))? {
        Some(check) if !check.passed() => Err(format!("{id} computes wrongly")),
        _ => Ok(Ready { of: id.to_string(), step }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spark_kernels::cpu::Cpu;

    #[test]
    fn three_strands_are_run_and_say_what_they_are() {
        let device: Arc<dyn Device> = Arc::new(Cpu::new(Some(1), 1 << 20));
        let canary = run(&device, 1, 7).unwrap();
        for (strand, workload) in [(&canary.gemv, "gemm/"), (&canary.copy, "copy/"), (&canary.alu, "peak/")] {
            assert!(strand.of.starts_with(workload) && strand.ns.len() == ROUNDS, "{strand:?}");
            assert!(strand.per_s().is_some());
        }
        assert!(canary.gemv_over_copy().is_some());
    }
}
