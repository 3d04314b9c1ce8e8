//! What a command would run: ids in order, each with its memory and a guess of its time. Pure and printable.

use spark_results::BenchmarkId;
use spark_workloads::suite::{Entry, Policy};
use spark_workloads::{Decline, Devices, Footprint, Request, Workload, axis::BadRequest};
use std::time::Duration;

/// One thing to measure.
#[derive(Clone, Debug)]
pub struct Task {
    /// Which.
    pub id: BenchmarkId,
    /// What it takes, or why it cannot be.
    pub footprint: Result<Footprint, Decline>,
}

/// A guess of how fast operands are generated, in bytes a second: only the time left depends on it.
const SETUP_PER_S: f64 = 0.4e9;
/// A guess of the time its roofs take before and after.
const ROOFS_S: f64 = 0.3;
/// Guesses of what a machine moves and computes in a second.
const BYTES_PER_S: f64 = 20e9;
const FLOPS_PER_S: f64 = 100e9;
/// Memory left to the system: a machine that swaps measures its disk.
const MARGIN: u64 = 768 << 20;

impl Task {
    /// A guess of the time it takes under `policy`.
    pub fn estimate(&self, policy: &Policy) -> Duration {
        let setup = self.footprint.as_ref().map_or(0.0, |f| f.setup as f64 / SETUP_PER_S);
        // Sampling ends at the policy's time or at its count, whatever comes first.
        let by_count = policy.samples_max as f64 * self.sample_s().max(policy.sample_us as f64 * 1e-6);
        let sampling = (0.7 * policy.time_ms as f64 * 1e-3).min(by_count) + policy.warmup_ms as f64 * 1e-3;
        Duration::from_secs_f64(setup + if self.footprint.is_ok() { sampling + ROOFS_S } else { 0.0 })
    }
    /// A guess of the time of one sample, in seconds.
    fn sample_s(&self) -> f64 {
        let Ok(footprint) = &self.footprint else { return 0.0 };
        let iteration = (footprint.traffic as f64 / BYTES_PER_S).max(footprint.flops as f64 / FLOPS_PER_S);
        // A sample of `decode` is all its tokens, one an iteration; with a prompt it is one iteration.
        match (self.id.workload.as_str(), self.id.int("n_prompt")) {
            ("decode", None) => iteration * self.id.int("n_gen").unwrap_or(1) as f64,
            _ => iteration,
        }
    }
    /// Why it will not be run with `available` bytes of memory, if so.
    pub fn declined(&self, available: u64) -> Option<Decline> {
        match &self.footprint {
            Err(decline) => Some(decline.clone()),
            Ok(footprint) => {
                let usable = usable(available);
                (footprint.bytes > usable).then(|| {
                    Decline::Skip(format!(
                        "needs {} of memory, and {} may be used ({} available); choose a smaller shape or model",
                        spark_results::quantity::size(footprint.bytes),
                        spark_results::quantity::size(usable),
                        spark_results::quantity::size(available),
                    ))
                })
            }
        }
    }
}

/// How much of the available memory a task may use.
pub fn usable(available: u64) -> u64 {
    available.saturating_sub(MARGIN)
}

/// The tasks that `entries` multiply out to on `devices`, each id once, narrowed by `filters`.
///
/// Errors: an unknown workload or axis, a value that cannot be.
pub fn tasks(entries: &[Entry], devices: &Devices, filters: &[String]) -> Result<Vec<Task>, BadRequest> {
    let mut tasks: Vec<Task> = Vec::new();
    for entry in entries {
        let workload = spark_workloads::find(&entry.workload)
            .ok_or_else(|| BadRequest(format!("there is no workload '{}'; see spark-bench list", entry.workload)))?;
        add(&mut tasks, workload, &entry.request()?, devices, filters)?;
    }
    Ok(tasks)
}

/// Adds the cases of one request.
pub fn add(
    tasks: &mut Vec<Task>,
    workload: &dyn Workload,
    request: &Request,
    devices: &Devices,
    filters: &[String],
) -> Result<(), BadRequest> {
    for device in devices.iter() {
        for id in workload.cases(request, &**device)? {
            let wanted = filters.is_empty() || filters.iter().any(|glob| id.matches(glob));
            if wanted && !tasks.iter().any(|t| t.id == id) {
                let footprint = workload.footprint(&id, &**device);
                tasks.push(Task { id, footprint });
            }
        }
    }
    Ok(())
}
