//! The canary on a device: prepared and checked once, then run for some fifty milliseconds whenever it is asked.

use crate::measure;
use spark_kernels::Device;
use spark_results::AxisValue;
use spark_results::canary::{Canary, Strand};
use spark_workloads::{Request, Step, Workload, ops};
use std::fmt;
use std::sync::Arc;

/// Rounds through the three, in turn, so that a disturbance meets them alike …
const ROUNDS: usize = 5;
/// … but no further one once so many nanoseconds were spent: it should cost a tenth of a second at most …
const ENOUGH_NS: u64 = 70_000_000;
/// … and never fewer than these: the first meets cold caches and clocks.
const FEWEST: usize = 2;
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

/// The three on one device, ready to be run again and again. They hold 170 MB of its memory.
pub struct Prepared {
    device: Arc<dyn Device>,
    /// Matrix times vector, copy, arithmetic.
    all: [Ready; 3],
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Prepared").field("device", &self.device.id()).finish_non_exhaustive()
    }
}

impl Prepared {
    /// Prepares the three on `device` and checks each. Errors: why it cannot be, in words.
    pub fn on(device: &Arc<dyn Device>, seed: u64) -> Result<Self, String> {
        let text = |text: &str| AxisValue::from(text);
        let gemv = [
            ("m", 1_u64.into()),
            ("n", SIDE.into()),
            ("k", SIDE.into()),
            ("format", text("mxfp4")),
            ("activations", text("int8")),
        ];
        let all = [
            ready(&ops::GEMM, &gemv, device, seed)?,
            ready(&ops::COPY, &[("bytes", COPY.into())], device, seed)?,
            ready(&ops::PEAK, &[("type", text("f32"))], device, seed)?,
        ];
        Ok(Self { device: device.clone(), all })
    }

    /// Runs the three. Errors: what went wrong, in words.
    pub fn run(&mut self, at_ns: u64) -> Result<Canary, String> {
        let mut ns: [Vec<u64>; 3] = Default::default();
        for round in 0..ROUNDS {
            if round >= FEWEST && ns.iter().flatten().sum::<u64>() >= ENOUGH_NS {
                break;
            }
            for (one, ns) in self.all.iter_mut().zip(&mut ns) {
                ns.push(measure::once(&mut *one.step, &*self.device, 1).map_err(|e| e.to_string())?);
            }
        }
        let [gemv, copy, alu] = [0, 1, 2].map(|i| {
            let one = &self.all[i];
            Strand { of: one.of.clone(), work: one.step.work(), ns: std::mem::take(&mut ns[i]) }
        });
        Ok(Canary { device: self.device.id().to_owned(), at_ns, gemv, copy, alu })
    }
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
        let mut prepared = Prepared::on(&device, 1).unwrap();
        let canary = prepared.run(7).unwrap();
        for (strand, workload) in [(&canary.gemv, "gemm/"), (&canary.copy, "copy/"), (&canary.alu, "peak/")] {
            assert!(strand.of.starts_with(workload) && (FEWEST..=ROUNDS).contains(&strand.ns.len()), "{strand:?}");
            assert!(strand.per_s().is_some());
        }
        // Rounds end once enough was spent, so that a slow machine is not kept either.
        let spent = |of: &Canary, rounds: usize| -> u64 {
            [&of.gemv, &of.copy, &of.alu].iter().flat_map(|s| s.ns.iter().take(rounds)).sum()
        };
        let rounds = canary.gemv.ns.len();
        assert!(rounds == FEWEST || spent(&canary, rounds - 1) < ENOUGH_NS, "{canary:?}");
        assert_eq!(prepared.run(9).unwrap().gemv.of, canary.gemv.of, "what was prepared is run again");
        assert!(canary.gemv_over_copy().is_some());
    }
}
