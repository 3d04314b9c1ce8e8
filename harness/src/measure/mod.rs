//! Timing a step: warm up until steady, sample until the interval is narrow or the time is up.

#[cfg(test)]
mod tests;
mod warmup;

use spark_kernels::{Device, Fault};
use spark_results::conditions::CoreClock;
use spark_results::stats;
use spark_workloads::Step;
use spark_workloads::suite::Policy;
use std::time::Duration;

/// At most so many readings of the core clock a task: enough to see it move, too few to matter.
const CLOCK_READINGS: usize = 32;

/// Samples that are taken however long each is: below three, one disturbance cannot be told from the rest.
const FEWEST: usize = 3;

/// What was sampled.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Each sample in nanoseconds, in the order taken.
    pub ns: Vec<u64>,
    /// When each began, in nanoseconds since the run's start.
    pub at_ns: Vec<u64>,
    /// Iterations of the step in each.
    pub iterations: u64,
    /// From when to when they were taken, in nanoseconds since the run's start: one window, and one more for each pause.
    pub windows: Vec<[u64; 2]>,
    /// The core clock between samples.
    pub clocks: Vec<CoreClock>,
    /// What bears on trust.
    pub notes: Vec<String>,
}

/// Repeats `step` on `device` as `policy` says. `now` is the time since the run's start, by which warm-up and budget are kept.
/// `stop` is asked between any two runs of the step: once it is true, nothing was measured and the result is `None`.
///
/// Errors: the step's own.
pub fn samples(
    step: &mut dyn Step,
    device: &dyn Device,
    policy: &Policy,
    now: &dyn Fn() -> Duration,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Samples>, Fault> {
    samples_apart(step, device, policy, &[], now, stop)
}

/// The same with `pauses`, evenly spread over the time, each as long as it says: what a sensor that sleeps misses in one stretch of
/// the work it sees in another.
///
/// Errors: the step's own.
pub fn samples_apart(
    step: &mut dyn Step,
    device: &dyn Device,
    policy: &Policy,
    pauses: &[Duration],
    now: &dyn Fn() -> Duration,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Samples>, Fault> {
    let fixed = step.iterations_a_sample();
    let Some(warm) = warmup::until_steady(step, device, policy, fixed.unwrap_or(1), now, stop)? else {
        return Ok(None);
    };
    let iterations = fixed.unwrap_or_else(|| {
        let each_ns = warm.iteration_ns.max(1.0);
        ((policy.sample_us as f64 * 1e3 / each_ns).ceil() as u64).clamp(1, 1 << 20)
    });
    let mut samples = Samples { iterations, notes: warm.notes, ..Samples::default() };
    let mut began = now();
    let mut opened = began;
    let budget = Duration::from_millis(policy.time_ms);
    let mut pauses = (1u32..).zip(pauses).map(|(i, pause)| (budget * i / (pauses.len() as u32 + 1), *pause)).peekable();
    let mut next_clock = 0;
    let mut stopping = stats::Stopping::new(policy.samples_min as usize, policy.interval);
    let mut values = Vec::new();
    loop {
        if stop() {
            return Ok(None);
        }
        let at = now();
        let ns = once(step, device, iterations)?;
        samples.at_ns.push(at.as_nanos() as u64);
        samples.ns.push(ns);
        values.push(ns as f64);
        let taken = samples.ns.len();
        // The core clock is read right behind a sample, while the core still runs at the frequency of the work.
        if taken > next_clock && samples.clocks.len() < CLOCK_READINGS {
            samples.clocks.push(CoreClock { at_ns: now().as_nanos() as u64, hz: device.core_clocks() });
            next_clock = taken + taken / 4;
        }
        if taken as u64 >= policy.samples_max {
            break;
        }
        if let Some((_, pause)) = pauses.next_if(|(at, _)| now() - began >= *at) {
            samples.windows.push([ns_of(opened), ns_of(now())]);
            std::thread::sleep(pause);
            // The budget is of measuring.
            began += pause;
            opened = now();
        }
        if taken as u64 >= policy.samples_min {
            if stopping.enough(&values) || now() - began >= budget {
                break;
            }
        } else if taken >= FEWEST && now() - began >= 8 * budget {
            samples.notes.push(format!("{taken} samples only: the time was up before {}", policy.samples_min));
            break;
        }
    }
    samples.windows.push([ns_of(opened), ns_of(now())]);
    Ok(Some(samples))
}

fn ns_of(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// One sample: the state brought back, then `iterations` runs under the device's clock.
pub fn once(step: &mut dyn Step, device: &dyn Device, iterations: u64) -> Result<u64, Fault> {
    step.reset()?;
    let time = device.time(&mut || (0..iterations).try_for_each(|_| step.run()))?;
    Ok(time.as_nanos() as u64)
}
