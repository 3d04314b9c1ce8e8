//! The harness's side of an experiment that runs by itself: its clock, its sensors and its voice, lent.

use crate::session::Session;
use crate::task;
use crate::watch;
use spark_kernels::{Device, Fault};
use spark_results::conditions::{Conditions, Energy, PageUse};
use spark_results::record::Phase;
use spark_results::telemetry::Reading;
use spark_results::{Measurement, Work};
use spark_workloads::{Beat, Decline, Lab, Observed, Ran, Side, Trial};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// Whoever shows how far an experiment is; nobody by default.
#[derive(Default)]
pub struct Live(pub Option<Show>);

/// Shows a beat with what the sensors said last.
pub type Show = Box<dyn Fn(&Beat, &[Reading])>;

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Live" } else { "Silent" })
    }
}

/// A sensor's update at least this long after a window lets the window's end be interpolated.
const SETTLED: Duration = Duration::from_millis(1500);
/// Between two looks at whether somebody asked to stop.
const LOOK: Duration = Duration::from_millis(50);
const RECENT: Duration = Duration::from_secs(2);

/// Does `trial` on `device` and adds what the machine was like. `None`: `stop` said so before there was anything to tell.
pub(crate) fn measured(
    session: &mut Session,
    trial: Box<dyn Trial>,
    device: &Arc<dyn Device>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Measurement>, Decline> {
    let charged = device.id().to_owned();
    measured_elsewhere(session, trial, device, &charged, stop)
}

/// The same where other programs do the work: `charged` is the device that they work on, and `device` lends its clock.
pub(crate) fn measured_elsewhere(
    session: &mut Session,
    mut trial: Box<dyn Trial>,
    device: &Arc<dyn Device>,
    charged: &str,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Measurement>, Decline> {
    let check = trial.check()?;
    task::right(check)?;
    if stop() {
        return Ok(None);
    }
    let now_ns = session.now_ns();
    let before = session.watch.state(session.sampler.as_ref(), now_ns);
    let _ = session.watch.throttling();
    let mut bench = Bench::of(session, device.clone(), charged, stop);
    let Some(seen) = trial.run(&mut bench)? else { return Ok(None) };
    let phases = bench.phases();
    let (from_ns, to_ns) = window(&seen, now_ns);
    let throttling = session.watch.throttling();
    let energy = energy(session, charged, &phases, [from_ns, to_ns]);
    let (sampler, now_ns) = (session.sampler.as_ref(), session.now_ns());
    let conditions = Conditions {
        energy,
        core_clocks: seen.clocks,
        throttling,
        before,
        during: Some(session.watch.during(sampler, from_ns, to_ns)),
        after: session.watch.state(sampler, now_ns),
        pages: trial.pages().map(|(bytes, huge)| PageUse { bytes, huge }),
    };
    Ok(Some(Measurement {
        clock: device.clock().to_owned(),
        samples_ns: seen.samples_ns,
        at_ns: seen.at_ns,
        // A soak is about being held back: nothing of it is dropped for that.
        dropped: Vec::new(),
        iterations: seen.iterations,
        cache: trial.cache(),
        work: trial.work(),
        phases,
        ops: Vec::new(),
        metrics: seen.metrics,
        requests: seen.requests,
        roofs: Vec::new(),
        conditions,
        check,
        facts: trial.facts(),
        notes: seen.notes,
    }))
}

/// From the first sample's beginning to the last one's end.
fn window(seen: &Observed, now_ns: u64) -> (u64, u64) {
    let first = seen.at_ns.first().copied().unwrap_or(now_ns);
    let last = seen.at_ns.last().zip(seen.samples_ns.last()).map_or(first, |(at, ns)| at.saturating_add(*ns));
    (first, last)
}

/// Energy over the whole. A long soak's beginning the sampler has forgotten: its parts were asked in time.
fn energy(session: &Session, device: &str, phases: &[Phase], window: [u64; 2]) -> Energy {
    let whole = session.energy(device, &[window]);
    if matches!(whole, Energy::Measured { .. }) || phases.iter().all(|p| p.energy.is_none()) {
        return whole;
    }
    Energy::Unavailable { reason: "it stands at each part: the whole is longer than the sampler remembers".into() }
}

/// A side of [`Lab::both`]: begins with the other, and ends with the first run that ends after `done`.
fn again_and_again(work: Side<'_>, gate: &Barrier, done: &AtomicBool, start: Instant) -> Result<Vec<Ran>, Fault> {
    let mut runs = Vec::new();
    gate.wait();
    while !done.load(Relaxed) {
        let at = start.elapsed();
        work()?;
        runs.push(Ran { at_ns: at.as_nanos() as u64, ns: (start.elapsed() - at).as_nanos() as u64 });
    }
    Ok(runs)
}

/// What a side's thread returns; its panic goes on here.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What is lent.
struct Bench<'a> {
    device: Arc<dyn Device>,
    charged: &'a str,
    session: &'a Session,
    stop: &'a dyn Fn() -> bool,
    phases: Vec<Phase>,
    /// How many of them have been asked for their energy.
    settled: usize,
}

impl<'a> Bench<'a> {
    fn of(session: &'a Session, device: Arc<dyn Device>, charged: &'a str, stop: &'a dyn Fn() -> bool) -> Self {
        Self { device, charged, session, stop, phases: Vec::new(), settled: 0 }
    }

    /// The parts noted, each with its energy, once the sensors have spoken of all of them.
    fn phases(mut self) -> Vec<Phase> {
        self.settle(Duration::ZERO);
        self.phases
    }

    /// Sums the energy of each part that ended `ago` or earlier: later the sampler may have forgotten its beginning.
    fn settle(&mut self, ago: Duration) {
        let until = self.now().saturating_sub(ago).as_nanos() as u64;
        while let Some(phase) = self.phases.get_mut(self.settled).filter(|p| p.ended_ns <= until) {
            let energy = self.session.energy(self.charged, &[[phase.began_ns, phase.ended_ns]]);
            // Why no sensor spoke stands once, beside the whole.
            phase.energy = Some(energy).filter(|e| matches!(e, Energy::Measured { .. }));
            self.settled += 1;
        }
    }
}

impl Lab for Bench<'_> {
    fn now(&self) -> Duration {
        self.session.start.elapsed()
    }
    fn stopped(&self) -> bool {
        (self.stop)()
    }
    fn wait(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while !self.stopped() {
            match until.saturating_duration_since(Instant::now()) {
                Duration::ZERO => return,
                left => std::thread::sleep(left.min(LOOK)),
            }
        }
    }
    fn time(&mut self, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Duration, Fault> {
        self.device.time(work)
    }
    fn both(&mut self, one: Side<'_>, other: Side<'_>, time: Duration) -> Result<[Vec<Ran>; 2], Fault> {
        let (gate, done, start) = (Barrier::new(2), AtomicBool::new(false), self.session.start);
        let until = Instant::now() + time;
        let (one, other) = std::thread::scope(|scope| {
            let one = scope.spawn(|| again_and_again(one, &gate, &done, start));
            let other = scope.spawn(|| again_and_again(other, &gate, &done, start));
            // A side that ends by itself has failed, and the other is not to go on alone.
            while Instant::now() < until && !self.stopped() && !one.is_finished() && !other.is_finished() {
                std::thread::sleep(until.saturating_duration_since(Instant::now()).min(LOOK));
            }
            done.store(true, Relaxed);
            (joined(one), joined(other))
        });
        Ok(Ran::together([one?, other?]))
    }
    fn clocks(&mut self) -> Vec<f64> {
        self.device.core_clocks()
    }
    fn hottest(&self) -> Option<f64> {
        let now = self.now();
        let from = now.saturating_sub(RECENT).as_nanos() as u64;
        let readings = watch::recent(self.session.sampler.as_ref(), from, now.as_nanos() as u64);
        readings.iter().filter(|r| r.quantity == "temperature").map(|r| r.value).reduce(f64::max)
    }
    fn phase(&mut self, name: &str, began: Duration, work: Work) {
        let (began_ns, ended_ns) = (began.as_nanos() as u64, self.now().as_nanos() as u64);
        self.phases.push(Phase { name: name.to_owned(), began_ns, ended_ns, work, energy: None });
    }
    fn tell(&mut self, so_far: &Beat) {
        self.settle(SETTLED);
        if let Some(show) = &self.session.live.0 {
            let now = self.now();
            let from = now.saturating_sub(RECENT).as_nanos() as u64;
            show(so_far, &watch::recent(self.session.sampler.as_ref(), from, now.as_nanos() as u64));
        }
    }
}
