//! One sensor in a thread of its own, so that one that hangs holds up nobody: it is named, and absent from then on.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use spark_results::telemetry::{Channel, Event, Status};

use super::Sensor;
use super::history::History;
use crate::pace::Pace;

/// How long a sensor may take to find out what it can give; the slowest ones load a driver.
pub(super) const PROBING: Duration = Duration::from_secs(10);
/// How long one reading may take; a board controller that is asked over a slow bus takes a tenth of it.
const READING: Duration = Duration::from_secs(3);
/// A sensor gets at most this share of one processor: reading it is spaced out until that holds. There are a dozen of them.
const SHARE: f64 = 0.002;
/// No sensor is spaced out further: an integral of power needs a reading a second.
const RAREST: Duration = Duration::from_secs(1);
/// So many different troubles of one sensor are told.
const TROUBLES: usize = 8;
/// What is said of a sensor whose thread died while it was asked what it has.
pub(super) const PANICKED: &str = "asking it what it has panicked; please report this";
/// A moment that is known better than this is known well enough.
const SURE: Duration = Duration::from_micros(100);

/// What the threads of all sensors share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) history: Arc<Mutex<History>>,
    /// The run's beginning.
    pub(super) start: Instant,
    /// The processors that the threads may use: those that no kernel needs, or all.
    pub(super) cpus: Arc<[usize]>,
    /// How fast sensors are asked, and how soon one that hangs is given up.
    pub(super) pace: Pace,
}

impl Shared {
    pub(super) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(super) fn now_ns(&self) -> u64 {
        self.ns(Instant::now())
    }
    fn ns(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX)
    }
    fn event(&self, sensor: &str, what: String) {
        let what = spark_results::machine::clean(&what);
        self.history().event(Event { t_ns: self.now_ns(), sensor: sensor.to_owned(), what });
    }
}

/// What a sensor said when it was asked what it has.
pub(super) struct Told {
    pub(super) channels: Vec<Channel>,
    pub(super) facts: Vec<(String, String)>,
}

/// The nearer end of a sensor's thread.
#[derive(Debug)]
pub(super) struct Keeper {
    name: &'static str,
    /// Ends the thread by being dropped; nothing is ever sent.
    stop: Option<Sender<()>>,
    ended: Receiver<Result<Duration, String>>,
    /// Nanoseconds since the run's start at which the reading under way began; 0 between readings.
    since_ns: Arc<AtomicU64>,
    abandoned: Arc<AtomicBool>,
}

/// Starts a thread for `sensor`; what it has is then to be waited for with [`Beginning::wait`].
pub(super) fn begin(mut sensor: Box<dyn Sensor>, shared: &Shared) -> io::Result<Beginning> {
    let (name, shared, pace) = (sensor.name(), shared.clone(), shared.pace);
    let (stop, stopped) = channel();
    let (tell, told) = channel();
    let (end, ended) = channel();
    let (since_ns, abandoned) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (theirs, left) = (Arc::clone(&since_ns), Arc::clone(&abandoned));
    std::thread::Builder::new().name(format!("telemetry {name}")).spawn(move || {
        // Threads inherit the pinning of the one that starts them, which is that of the kernels' first worker.
        if !shared.cpus.is_empty() {
            spark_kernels::cpu::pool::unpin(&shared.cpus);
        }
        let channels = sensor.probe();
        let speaks = channels.iter().any(|c| c.status == Status::Ok);
        if tell.send(Told { channels, facts: sensor.facts() }).is_err() || !speaks {
            let _ = end.send(crate::os::thread_cpu_time());
            return;
        }
        let mut thread = Thread { sensor, shared, since_ns: theirs, abandoned: left, told: HashSet::new() };
        let cpu = thread.run(&stopped);
        let _ = end.send(cpu);
    })?;
    let keeper = Keeper { name, stop: Some(stop), ended, since_ns, abandoned };
    Ok(Beginning { keeper, told, patience: pace.of(PROBING) })
}

/// A sensor that is finding out what it has.
pub(super) struct Beginning {
    keeper: Keeper,
    told: Receiver<Told>,
    patience: Duration,
}

/// What is said of a sensor that was asked what it has and does not answer.
pub(super) fn silent(patience: Duration) -> String {
    format!("it did not answer within {} s and is left alone; a driver hangs", patience.as_secs_f64())
}

impl Beginning {
    /// What it has; one that does not say in time, counted from `began`, is refused and left alone.
    pub(super) fn wait(self, began: Instant) -> (Told, Option<Keeper>) {
        match self.told.recv_timeout((began + self.patience).saturating_duration_since(Instant::now())) {
            Ok(told) => {
                let keeper = told.channels.iter().any(|c| c.status == Status::Ok).then_some(self.keeper);
                (told, keeper)
            }
            Err(why) => {
                let why = match why {
                    RecvTimeoutError::Timeout => silent(self.patience),
                    RecvTimeoutError::Disconnected => PANICKED.to_owned(),
                };
                (Told { channels: vec![Channel::refused(self.keeper.name, None, None, why)], facts: Vec::new() }, None)
            }
        }
    }
}

impl Keeper {
    /// Whether the reading under way has taken too long; the sensor is then named as absent, once, and left alone.
    pub(super) fn watch(&self, shared: &Shared) {
        let since = self.since_ns.load(Ordering::Acquire);
        let patience = shared.pace.of(READING);
        let late = since > 0 && shared.now_ns().saturating_sub(since) > patience.as_nanos() as u64;
        if late && !self.abandoned.swap(true, Ordering::AcqRel) {
            let seconds = patience.as_secs_f64();
            let what = format!("it did not answer within {seconds} s and is absent from here on; a driver hangs");
            shared.event(self.name, what);
        }
    }

    /// Lets the thread take a last reading and end.
    pub(super) fn stop(&mut self) {
        self.stop = None;
    }

    /// The CPU time of the thread that was stopped before, or why it is unknown.
    pub(super) fn cost(&self, until: Instant) -> Result<Duration, String> {
        if self.abandoned.load(Ordering::Acquire) {
            return Ok(Duration::ZERO);
        }
        match self.ended.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(cpu) => cpu,
            Err(RecvTimeoutError::Timeout) => Ok(Duration::ZERO),
            Err(RecvTimeoutError::Disconnected) => Err(format!("the thread of {} panicked", self.name)),
        }
    }
}

/// The further end.
struct Thread {
    sensor: Box<dyn Sensor>,
    shared: Shared,
    since_ns: Arc<AtomicU64>,
    abandoned: Arc<AtomicBool>,
    told: HashSet<String>,
}

impl Thread {
    fn run(&mut self, stopped: &Receiver<()>) -> Result<Duration, String> {
        let mut due = Instant::now();
        let pace = self.shared.pace;
        let own = pace.of(self.sensor.period());
        let mut period = own;
        let (mut reads, mut cpu) = (0u32, crate::os::thread_cpu_time().ok());
        loop {
            let wait = due.saturating_duration_since(Instant::now());
            if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                break;
            }
            self.read();
            // After a pause of the whole machine the missed readings are not made up for.
            due = (due + period).max(Instant::now());
            if self.abandoned.load(Ordering::Acquire) {
                break;
            }
            reads += 1;
            // Asking what it cost is a reading too: so every sixteenth time.
            if reads.is_multiple_of(16) {
                let now = crate::os::thread_cpu_time().ok();
                if let (Some(before), Some(now)) = (cpu, now) {
                    let each = now.saturating_sub(before) / 16;
                    // A hurried clockwork reads that much more often, spaced out or not, and may cost that much more.
                    period = pace.of(each.div_f64(SHARE)).clamp(own, own.max(pace.of(RAREST)));
                }
                cpu = now;
            }
        }
        self.read();
        crate::os::thread_cpu_time()
    }

    fn read(&mut self) {
        let began = Instant::now();
        self.since_ns.store(self.shared.ns(began).max(1), Ordering::Release);
        let mut readings = self.sensor.read();
        // What is not finite was no reading.
        readings.retain(|r| r.value.is_finite());
        let took = began.elapsed();
        self.since_ns.store(0, Ordering::Release);
        // Whoever was given up does not come back: what it says now may belong to any time since.
        if self.abandoned.load(Ordering::Acquire) {
            return;
        }
        // Where in this time it looked nobody knows: it may have waited for a processor before or after.
        let slack = took / 2;
        let at_ns = self.shared.ns(began + slack).saturating_sub(self.sensor.age().as_nanos() as u64);
        let slack_ns = if slack < SURE { 0 } else { slack.as_nanos() as u64 };
        self.shared.history().sample(at_ns, slack_ns, readings);
        if let Some(trouble) = self.sensor.trouble()
            && self.told.len() < TROUBLES
            && self.told.insert(trouble.clone())
        {
            self.shared.event(self.sensor.name(), trouble);
        }
    }
}
