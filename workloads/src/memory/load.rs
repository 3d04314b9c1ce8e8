//! What a group of cores may do beside another: a stream through memory, lines at random, or decoding.

use crate::axis::{BadRequest, Request};
use crate::llm::DECODE;
use crate::ops::{COPY, GEMM, LINES, READ, WRITE};
use crate::workload::{Decline, Step, Workload};
use spark_kernels::cuda::Gpu;
use spark_kernels::{Backend, Device, Fault};
use spark_results::{AxisValue, BenchmarkId, Work};
use std::sync::Arc;

/// One kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    Read,
    Write,
    Copy,
    Random,
    Gemv,
    Decode,
}

/// Length of a row of the matrix that is multiplied: k of the largest models.
const ROW: u64 = 8192;
/// Runs of a GPU that are submitted together: one is over before the next could be asked for.
const SUBMITTED: u64 = 8;
/// Tokens of one run: few, so that a cell holds some runs on slow machines too.
const TOKENS: u64 = 8;

impl Load {
    pub(super) const STREAMS: [Load; 4] = [Load::Read, Load::Write, Load::Copy, Load::Random];
    /// What stands for `streams` on a GPU, whose cores have no reads at random here.
    pub(super) const OF_GPU: [Load; 3] = [Load::Read, Load::Write, Load::Gemv];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Load::Read => "read",
            Load::Write => "write",
            Load::Copy => "copy",
            Load::Random => "random",
            Load::Gemv => "gemv",
            Load::Decode => "decode",
        }
    }
    /// The loads that a word on an axis stands for, on a GPU or on cores. Errors: the words there are.
    pub(super) fn of(word: &str, on_gpu: bool) -> Result<Vec<Load>, BadRequest> {
        let all = [Load::Read, Load::Write, Load::Copy, Load::Random, Load::Gemv, Load::Decode];
        if word == "streams" {
            return Ok(if on_gpu { Load::OF_GPU.into() } else { Load::STREAMS.into() });
        }
        if on_gpu && word == Load::Random.name() {
            return Err(BadRequest(
                "a GPU does not read at random here; it does read, write, copy, gemv or decode".into(),
            ));
        }
        all.into_iter().find(|load| load.name() == word).map(|load| vec![load]).ok_or_else(|| {
            let word = spark_results::machine::clean(word);
            BadRequest(format!("'{word}' is no load; it is streams, read, write, copy, random, gemv or decode"))
        })
    }
    /// The benchmark it is otherwise, on `device`.
    pub(super) fn id(self, device: &dyn Device, with: &With) -> Result<BenchmarkId, BadRequest> {
        let text = |text: &str| AxisValue::from(text);
        let (workload, axes): (&dyn Workload, Vec<(&str, AxisValue)>) = match self {
            Load::Read => (&READ, vec![("bytes", with.bytes.into())]),
            Load::Write => (&WRITE, vec![("bytes", with.bytes.into())]),
            // Two arrays, of half the size each.
            Load::Copy => (&COPY, vec![("bytes", (with.bytes / 2).next_multiple_of(64).into())]),
            Load::Random => (&LINES, vec![("bytes", with.bytes.into())]),
            Load::Gemv => {
                // Half a byte a weight in FP4, whatever the format: so much that no cache keeps the matrix.
                let rows = (with.bytes * 2 / ROW).next_multiple_of(64).max(64);
                (
                    &GEMM,
                    vec![("format", text(&with.format)), ("m", 1_u64.into()), ("n", rows.into()), ("k", ROW.into())],
                )
            }
            Load::Decode => {
                (&DECODE, vec![("model", text(&with.model)), ("format", text(&with.format)), ("n_gen", TOKENS.into())])
            }
        };
        let axes = axes.into_iter().map(|(name, value)| (name.to_owned(), vec![value])).collect();
        let mut ids = workload.cases(&Request { axes, implementation: String::new() }, device)?;
        ids.pop().ok_or_else(|| BadRequest(format!("{} has no case on {}", workload.name(), device.id())))
    }
    /// The workload it is otherwise.
    pub(super) fn workload(self) -> &'static dyn Workload {
        match self {
            Load::Read => &READ,
            Load::Write => &WRITE,
            Load::Copy => &COPY,
            Load::Random => &LINES,
            Load::Gemv => &GEMM,
            Load::Decode => &DECODE,
        }
    }
}

/// Sizes of the loads.
#[derive(Clone, Debug)]
pub(super) struct With {
    /// Bytes of each stream's arrays together.
    pub(super) bytes: u64,
    /// What decodes.
    pub(super) model: String,
    /// Format of its weights.
    pub(super) format: String,
}

/// A load, ready to run on one group.
pub(super) struct Running {
    pub(super) load: Load,
    pub(super) step: Box<dyn Step + Send>,
    device: Arc<dyn Device>,
    together: u64,
}

impl Running {
    pub(super) fn new(
        load: Load,
        device: &Arc<dyn Device>,
        with: &With,
        (seed, memory): (u64, u64),
    ) -> Result<Self, Decline> {
        let id = load.id(&**device, with)?;
        let step = load.workload().prepare(&id, device, seed, memory)?.step()?;
        let real_gpu = device.backend() == Backend::Cuda && !Gpu::of(&**device).is_ok_and(Gpu::simulated);
        let alone = if real_gpu { SUBMITTED } else { 1 };
        let together = step.iterations_a_sample().unwrap_or(alone).max(1);
        Ok(Self { load, step, device: device.clone(), together })
    }
    /// What stands between two resets, once.
    pub(super) fn once(&mut self) -> Result<(), Fault> {
        self.step.reset()?;
        (0..self.together).try_for_each(|_| self.step.run())?;
        // What is submitted is not done: a side ends with its work.
        self.device.wait()
    }
    /// What that does.
    pub(super) fn work(&self) -> Work {
        let (work, times) = (self.step.work(), self.together);
        Work {
            flops: work.flops.saturating_mul(times),
            bytes: work.bytes.saturating_mul(times),
            items: work.items.saturating_mul(times),
            item: work.item,
        }
    }
    /// What its speed counts, and in which unit.
    pub(super) fn amount(&self) -> (f64, &'static str) {
        let work = self.work();
        if self.load == Load::Decode { (work.items as f64, "tok/s") } else { (work.bytes as f64, "B/s") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_read_back_from_their_names_and_others_are_refused() {
        for load in Load::STREAMS.into_iter().chain([Load::Gemv, Load::Decode]) {
            assert_eq!(Load::of(load.name(), false), Ok(vec![load]));
            let workload = match load {
                Load::Random => "lines",
                Load::Gemv => "gemm",
                _ => load.name(),
            };
            assert_eq!(load.workload().name(), workload);
        }
        assert_eq!(Load::of("streams", false).unwrap().len(), 4);
        assert_eq!(Load::of("streams", true), Ok(Load::OF_GPU.into()));
        assert!(Load::of("idle", false).unwrap_err().0.contains("'idle'"));
        assert!(Load::of("random", true).is_err());
    }
}
