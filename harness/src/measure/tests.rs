//! The stopping rule, the warm-up and the budget, on a device whose clock is a script: no hardware, no real time.

use super::*;
use spark_kernels::{Backend, Buffer, Placement, Type};
use spark_results::Work;
use spark_results::record::{Cache, Check};
use spark_workloads::workload::Roofs;
use std::sync::Mutex;

/// A device on which the n-th iteration ever takes `script(n)` nanoseconds; its clock is the only one that moves.
struct Scripted {
    script: fn(u64) -> u64,
    state: Mutex<Clock>,
}

#[derive(Clone, Copy, Default)]
struct Clock {
    /// Iterations so far.
    done: u64,
    /// Nanoseconds since the beginning.
    now_ns: u64,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    fn new(script: fn(u64) -> u64) -> Self {
        Self { script, state: Mutex::default() }
    }
    fn clock(&self) -> Clock {
        *self.state.lock().unwrap()
    }
    fn iterate(&self) {
        let mut clock = self.state.lock().unwrap();
        clock.now_ns += (self.script)(clock.done);
        clock.done += 1;
    }
    fn now(&self) -> Duration {
        Duration::from_nanos(self.clock().now_ns)
    }
}

impl Device for Scripted {
    fn id(&self) -> &str {
        "scripted"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn clock(&self) -> &'static str {
        "script"
    }
    fn threads(&self) -> usize {
        1
    }
    fn time(&self, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Duration, Fault> {
        let before = self.now();
        work()?;
        Ok(self.now() - before)
    }
    fn alloc(&self, of: Type, len: usize, placement: Placement) -> Result<Buffer, Fault> {
        Buffer::host(of, len, placement)
    }
    fn last_level_cache(&self) -> u64 {
        1 << 20
    }
    fn core_clocks(&self) -> Vec<f64> {
        vec![1e9]
    }
}

/// A step that does nothing but let the script go on, and counts its resets.
struct Tick<'a> {
    device: &'a Scripted,
    resets: u64,
    together: Option<u64>,
    breaks_at: Option<u64>,
}

impl<'a> Tick<'a> {
    fn on(device: &'a Scripted) -> Self {
        Self { device, resets: 0, together: None, breaks_at: None }
    }
}

impl Step for Tick<'_> {
    fn reset(&mut self) -> Result<(), Fault> {
        self.resets += 1;
        Ok(())
    }
    fn run(&mut self) -> Result<(), Fault> {
        self.device.iterate();
        match self.breaks_at {
            Some(at) if self.device.clock().done > at => Err(Fault::Device("broke".into())),
            _ => Ok(()),
        }
    }
    fn work(&self) -> Work {
        Work::default()
    }
    fn check(&mut self) -> Result<Option<Check>, Fault> {
        Ok(None)
    }
    fn roofs(&self) -> Roofs {
        Roofs::default()
    }
    fn cache(&self) -> Cache {
        Cache::Warm
    }
    fn iterations_a_sample(&self) -> Option<u64> {
        self.together
    }
}

const POLICY: Policy = Policy {
    warmup_ms: 10,
    warmup_iterations: 5,
    samples_min: 10,
    samples_max: 200,
    sample_us: 1000,
    interval: 0.01,
    time_ms: 1000,
};
const MS: u64 = 1_000_000;
/// Samples of a step that takes the same time at each: the first two looks in a row that see thirty or more.
const STEADY: u64 = 38;

/// Samples with `policy` and the number of iterations the script saw.
fn sampled(script: fn(u64) -> u64, policy: &Policy) -> (Samples, u64) {
    let device = Scripted::new(script);
    let samples = samples(&mut Tick::on(&device), &device, policy, &|| device.now(), &|| false).unwrap().unwrap();
    (samples, device.clock().done)
}

#[test]
fn a_steady_step_is_sampled_as_little_as_allowed() {
    let (samples, _) = sampled(|_| MS, &POLICY);
    assert_eq!((samples.ns.len(), samples.iterations, samples.notes.len()), (STEADY as usize, 1, 0), "{samples:?}");
    assert!(samples.ns.iter().all(|ns| *ns == MS));
}

#[test]
fn a_noisy_step_is_sampled_until_the_interval_is_narrow_or_the_most_is_reached() {
    // Every value between 1.0 and 1.4 ms equally often: the interval of the median narrows with the root of the count.
    let noisy = |n| MS + n * 7919 % 41 * (MS / 100);
    let (samples, _) = sampled(noisy, &POLICY);
    assert_eq!(samples.ns.len(), 200);
    let (wider, _) = sampled(noisy, &Policy { interval: 0.1, ..POLICY });
    assert!((10..200).contains(&wider.ns.len()), "{}", wider.ns.len());
}

#[test]
fn the_budget_ends_sampling() {
    let (samples, _) = sampled(|n| 10 * MS + n * 7919 % 41 * MS, &POLICY);
    let spent: u64 = samples.ns.iter().sum();
    let last = samples.ns[samples.ns.len() - 1];
    assert!(spent >= 1000 * MS && spent - last < 1000 * MS, "{spent} in {}", samples.ns.len());
    assert!(samples.notes.iter().all(|note| !note.contains("samples only")), "{:?}", samples.notes);
}

#[test]
fn a_step_too_slow_for_its_samples_is_noted() {
    let (samples, _) = sampled(|_| 3000 * MS, &POLICY);
    assert_eq!(samples.ns.len(), 3);
    assert_eq!(samples.notes, ["3 samples only: the time was up before 10"]);
}

#[test]
fn a_short_step_runs_several_times_a_sample() {
    let (samples, _) = sampled(|_| 30_000, &POLICY);
    assert_eq!(samples.iterations, 34, "1 ms of 30 µs, rounded up");
    assert!(samples.ns.iter().all(|ns| *ns == 34 * 30_000));
}

#[test]
fn warming_up_lasts_by_time_and_count_and_until_it_is_steady() {
    // By time: 10 ms of 1 ms.
    assert_eq!(sampled(|_| MS, &POLICY).1, 10 + STEADY);
    // By count: 5 iterations although one outlasts the time.
    assert_eq!(sampled(|_| 20 * MS, &POLICY).1, 5 + STEADY);
    // Until it has settled: two slow ones at the start leave the medians when there are seven.
    let slow_start = |n| if n < 2 { 6 * MS } else { MS };
    let (samples, iterations) = sampled(slow_start, &POLICY);
    assert!(iterations == 7 + STEADY && samples.notes.is_empty(), "{iterations} {samples:?}");
    assert!(samples.ns.iter().all(|ns| *ns == MS), "nothing of the slow start is sampled");
}

#[test]
fn what_never_becomes_steady_is_given_up_and_noted() {
    let slower_and_slower = |n: u64| MS + n * (MS / 2);
    let (samples, _) = sampled(slower_and_slower, &POLICY);
    assert_eq!(samples.notes.len(), 1);
    assert!(samples.notes[0].starts_with("not steady after"), "{:?}", samples.notes);
}

#[test]
fn iterations_that_belong_together_are_run_together_after_one_reset() {
    let device = Scripted::new(|_| MS);
    let mut step = Tick { together: Some(16), ..Tick::on(&device) };
    let samples = samples(&mut step, &device, &POLICY, &|| device.now(), &|| false).unwrap().unwrap();
    assert_eq!(samples.iterations, 16);
    assert!(samples.ns.iter().all(|ns| *ns == 16 * MS));
    assert_eq!(step.resets * 16, device.clock().done);
}

#[test]
fn a_stop_ends_warming_up_and_sampling_with_nothing_measured() {
    for after in [0, 3, 15] {
        let device = Scripted::new(|_| MS);
        let stop = || device.clock().done >= after;
        let ended = samples(&mut Tick::on(&device), &device, &POLICY, &|| device.now(), &stop).unwrap();
        assert!(ended.is_none() && device.clock().done == after, "after {after}: {ended:?}");
    }
}

#[test]
fn a_fault_of_the_step_is_passed_on() {
    for at in [0, 14] {
        let device = Scripted::new(|_| MS);
        let mut step = Tick { breaks_at: Some(at), ..Tick::on(&device) };
        let fault = samples(&mut step, &device, &POLICY, &|| device.now(), &|| false).unwrap_err();
        assert_eq!((fault, device.clock().done), (Fault::Device("broke".into()), at + 1));
    }
}

#[test]
fn the_core_clock_is_read_between_samples_and_seldom_enough() {
    let (samples, _) = sampled(|n| MS + n * 7919 % 41 * (MS / 100), &POLICY);
    assert!((5..=CLOCK_READINGS).contains(&samples.clocks.len()), "{}", samples.clocks.len());
    assert!(samples.clocks.windows(2).all(|pair| pair[0].at_ns < pair[1].at_ns));
}
