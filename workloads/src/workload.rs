//! What can be measured: workloads list cases, prepare them, and state the work. Clocks and sensors are the harness's.

use crate::axis::{Axis, BadRequest, Request};
use crate::trial::Trial;
use spark_kernels::{Arithmetic, Device, Fault};
use spark_results::record::{Cache, Check, OpTime};
use spark_results::{BenchmarkId, Work};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that can be measured, at many shapes.
pub trait Workload: Sync {
    /// Its name in ids.
    fn name(&self) -> &'static str;
    /// What it shows, in one sentence.
    fn about(&self) -> &'static str;
    /// The axes of its shape.
    fn axes(&self) -> &'static [Axis];
    /// Its implementations on `device`, fastest first, each with the reason if it cannot run at the default shape.
    fn implementations(&self, device: &dyn Device) -> Vec<(String, Option<String>)>;
    /// The ids that `request` multiplies out to on `device`. Listing allocates nothing.
    fn cases(&self, request: &Request, device: &dyn Device) -> Result<Vec<BenchmarkId>, BadRequest>;
    /// What preparing and running `id` takes. The plan declines what does not fit before anything is allocated.
    fn footprint(&self, id: &BenchmarkId, device: &dyn Device) -> Result<Footprint, Decline>;
    /// Whether `id` is bounded by the roof of memory, whose array then has to be made before the operands take the room.
    fn needs_memory_roof(&self, _id: &BenchmarkId, _device: &dyn Device) -> bool {
        true
    }
    /// How long an experiment of its own lasts beside its preparation, as far as that is known before. `None`: as any step does.
    fn lasts(&self, _id: &BenchmarkId) -> Option<std::time::Duration> {
        None
    }
    /// Allocates, packs, uploads: everything that must not be timed.
    fn prepare(&self, id: &BenchmarkId, device: &Arc<dyn Device>, seed: u64, memory: u64) -> Result<Body, Decline>;
}

/// What a case takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Most bytes of the device's memory held at once, preparing included.
    pub bytes: u64,
    /// Floating-point or integer operations of one iteration: with a guess of the machine's speed, a guess of the time.
    pub flops: u64,
    /// Bytes moved by one iteration.
    pub traffic: u64,
    /// Bytes of operands to generate before anything runs.
    pub setup: u64,
}

/// Why a case is not measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Decline {
    /// No fault: it does not fit, or is not supported here.
    #[error("{0}")]
    Skip(String),
    /// It broke while it was prepared.
    #[error("{0}")]
    Fail(String),
}

impl From<Fault> for Decline {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unsupported(_) | Fault::OutOfMemory { .. } => Decline::Skip(fault.to_string()),
            Fault::Device(_) | Fault::Lost(_) => Decline::Fail(fault.to_string()),
        }
    }
}
impl From<BadRequest> for Decline {
    fn from(bad: BadRequest) -> Self {
        Decline::Skip(bad.0)
    }
}

/// What was prepared.
pub enum Body {
    /// The harness repeats it under its clock.
    Step(Box<dyn Step + Send>),
    /// It runs an experiment of its own.
    Trial(Box<dyn Trial>),
}

impl Body {
    /// The step, for what can only repeat one. Errors: an experiment of its own.
    pub fn step(self) -> Result<Box<dyn Step + Send>, Decline> {
        match self {
            Body::Step(step) => Ok(step),
            Body::Trial(_) => {
                Err(Decline::Skip("it is an experiment of its own and cannot be repeated as a step".into()))
            }
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Step(_) => f.write_str("Step"),
            Body::Trial(_) => f.write_str("Trial"),
        }
    }
}

/// Work that the harness repeats under its clock.
pub trait Step {
    /// Brings back the state that `run` changes, outside the timing: a cache filled further, tokens appended.
    fn reset(&mut self) -> Result<(), Fault> {
        Ok(())
    }
    /// One iteration: the measured thing and nothing else.
    fn run(&mut self) -> Result<(), Fault>;
    /// What one iteration does.
    fn work(&self) -> Work;
    /// Compares a result with the reference, before anything is timed.
    fn check(&mut self) -> Result<Option<Check>, Fault>;
    /// A number that the last run's result comes to, bit for bit: the same after each run of the same work. `None` where there is
    /// no result to read. It is asked for outside the timing.
    fn digest(&mut self) -> Result<Option<u64>, Fault> {
        Ok(None)
    }
    /// Which roofs stand over this work.
    fn roofs(&self) -> Roofs;
    /// The state of the caches at the start of each iteration.
    fn cache(&self) -> Cache;
    /// Bytes of operands, and how many of them stand on huge pages (absent where the system does not tell).
    fn pages(&self) -> Option<(u64, Option<u64>)> {
        None
    }
    /// What a reader must know beside the numbers.
    fn facts(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
    /// Where the time of an iteration goes, op by op, in so many iterations of its own that nobody times as a whole. Empty where the work
    /// is one op.
    fn parts(&mut self, _iterations: usize) -> Result<Vec<OpTime>, Fault> {
        Ok(Vec::new())
    }
    /// Iterations that belong together: the harness runs exactly that many between two resets.
    fn iterations_a_sample(&self) -> Option<u64> {
        None
    }
}

/// Which roofs stand over a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Roofs {
    /// Whether the read bandwidth of memory bounds it.
    pub memory: bool,
    /// Which arithmetic's peak bounds it.
    pub compute: Option<Arithmetic>,
}
