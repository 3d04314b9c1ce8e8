//! Warming up: by count and by time, and on until the latest times stay at one level.

use super::once;
use spark_kernels::{Device, Fault};
use spark_results::stats;
use spark_workloads::Step;
use spark_workloads::suite::Policy;
use std::time::Duration;

/// The longest a warm-up may take, as a multiple of the time asked for.
const PATIENCE: u32 = 4;

/// What warming up found.
#[derive(Debug)]
pub(super) struct Warm {
    /// Nanoseconds an iteration, towards the end.
    pub(super) iteration_ns: f64,
    /// What bears on trust.
    pub(super) notes: Vec<String>,
}

/// Runs `step` until `policy`'s time and count are reached and what it takes has settled. `None`: `stop` said so.
pub(super) fn until_steady(
    step: &mut dyn Step,
    device: &dyn Device,
    policy: &Policy,
    iterations: u64,
    now: &dyn Fn() -> Duration,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Warm>, Fault> {
    let began = now();
    let least = Duration::from_millis(policy.warmup_ms);
    let mut each = Vec::new();
    let mut next_look = 0;
    loop {
        if stop() {
            return Ok(None);
        }
        each.push(once(step, device, iterations)? as f64 / iterations as f64);
        let taken = now() - began;
        let (enough, late) = (each.len() as u64 * iterations >= policy.warmup_iterations, taken >= least);
        // One slow iteration that outlasts the whole patience is warm enough: a second one would say nothing more.
        let impatient = taken >= PATIENCE * least;
        // Looked at as the count grows by an eighth: a look sorts, and thousands of short iterations would else be mostly that.
        let look = enough && late && each.len() >= next_look;
        if look {
            next_look = each.len() + (each.len() / 8).max(1);
        }
        if (look && stats::settled(&each)) || (impatient && (enough || taken >= 10 * PATIENCE * least)) {
            break;
        }
    }
    let tail = &each[each.len() / 2..];
    let mut notes = Vec::new();
    if !stats::settled(&each) {
        notes.push(format!("not steady after {} warm-up iterations", each.len() as u64 * iterations));
    }
    Ok(Some(Warm { iteration_ns: stats::median(tail), notes }))
}
