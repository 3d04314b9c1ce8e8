//! The sensors read through a run, each at its own pace, into memory and into `telemetry.jsonl`; and what that costs.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use spark_results::telemetry::{Event, Header, Line, Sample, Status};

use super::Sensor;
use super::history::History;
use super::keeper::{self, Keeper, Shared};
use crate::pace::Pace;

/// Lines wait this long, so that they can be written in order and at one go.
const BATCH: Duration = Duration::from_millis(250);
/// The last moments wait, since a reading that began before may end after another.
const PATIENCE: Duration = Duration::from_millis(100);

/// Reads sensors in threads of their own until it is stopped or dropped.
#[derive(Debug)]
pub struct Sampler {
    header: Header,
    shared: Shared,
    keepers: Arc<Vec<Mutex<Keeper>>>,
    began: Instant,
    stop: Option<Sender<()>>,
    writer: Option<JoinHandle<Written>>,
}

/// What the sampling took from the machine it watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// Lines of samples.
    pub samples: u64,
    /// From start to stop.
    pub wall: Duration,
    /// CPU time of the sampling threads, or why it is unknown.
    pub cpu: Result<Duration, String>,
    /// The first error of writing; sampling went on in memory after it.
    pub error: Option<String>,
    /// What went wrong with sensors meanwhile.
    pub events: Vec<Event>,
}

impl Cost {
    /// CPU time over wall time: 0.01 is one hundredth of one processor.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let cpu = self.cpu.as_ref().ok()?.as_secs_f64();
        Some(cpu / self.wall.as_secs_f64()).filter(|s| s.is_finite())
    }
}

impl Sampler {
    /// Probes `sensors`, writes the header to `out` and starts sampling. Times are nanoseconds since `start`, the run's beginning.
    ///
    /// # Errors
    /// When the header cannot be written or no thread can be started.
    pub fn start(out: Box<dyn Write + Send>, sensors: Vec<Box<dyn Sensor>>, start: Instant) -> io::Result<Self> {
        Self::start_on(&[], Pace::OWN, out, sensors, start)
    }

    /// The same on certain processors only, such as those that no kernel needs, or on any where `cpus` is empty; and at a pace.
    ///
    /// # Errors
    /// As [`Sampler::start`].
    pub fn start_on(
        cpus: &[usize],
        pace: Pace,
        mut out: Box<dyn Write + Send>,
        sensors: Vec<Box<dyn Sensor>>,
        start: Instant,
    ) -> io::Result<Self> {
        let cpus = if cpus.is_empty() { spark_kernels::cpu::pool::allowed_cpus() } else { cpus.to_vec() };
        let shared = Shared { history: Arc::default(), start, cpus: cpus.into(), pace };
        let began = Instant::now();
        // All of them at once: the slowest sets how long it takes, not their sum.
        let asked: Vec<_> = sensors.into_iter().map(|s| keeper::begin(s, &shared)).collect::<io::Result<_>>()?;
        let (mut header, mut keepers) = (Header::default(), Vec::new());
        for one in asked {
            let (told, keeper) = one.wait(began);
            header.sensors.extend(told.channels);
            header.facts.extend(told.facts);
            keepers.extend(keeper.map(Mutex::new));
        }
        write_line(&mut out, &Line::Header(header.clone()))?;
        let keepers = Arc::new(keepers);
        let (stop, stopped) = channel();
        let mut writer = Writer {
            out,
            shared: shared.clone(),
            keepers: Arc::clone(&keepers),
            written: Written { samples: 0, error: None, cpu: Ok(Duration::ZERO) },
            last_ns: 0,
        };
        let thread = std::thread::Builder::new().name("telemetry".to_owned()).spawn(move || writer.run(&stopped))?;
        Ok(Self { header, shared, keepers, began, stop: Some(stop), writer: Some(thread) })
    }

    /// What the sensors answered when asked what they have.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The samples with `from_ns <= t_ns <= to_ns`, oldest first, of the last 60,000 taken: about ten minutes.
    #[must_use]
    pub fn between(&self, from_ns: u64, to_ns: u64) -> Vec<Sample> {
        self.shared.history().between(from_ns, to_ns)
    }

    /// What went wrong with sensors so far.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.shared.history().events().to_vec()
    }

    /// Waits until every sensor of power or energy has spoken again after `to_ns`, so that the end of a window that ended there can
    /// be told from what came behind it; a second and a half at most.
    pub fn settle(&self, to_ns: u64) {
        let pace = self.shared.pace;
        let until = Instant::now() + pace.of(Duration::from_millis(1_500));
        let open = |history: &History| {
            let speaks = self.header.sensors.iter().filter(|c| c.status == Status::Ok);
            let mut energies = speaks.filter(|c| matches!(c.quantity.as_deref(), Some("power" | "energy")));
            energies.any(|c| {
                // Two updates of the sensor, the first of which may have been under way.
                // A mean over the last moments is of their middle, and comes that much later.
                let mean_ms = c.averages_ms.unwrap_or(0.0).clamp(0.0, 1000.0) as u64;
                let after = to_ns + 1_000_000 * pace.ms(2 * c.period_ms.unwrap_or(50).clamp(100, 500) + mean_ms / 2);
                c.source.as_deref().and_then(|s| history.last_of(s)).is_some_and(|last| last < after)
            })
        };
        while Instant::now() < until && open(&self.shared.history()) {
            std::thread::sleep(pace.of(Duration::from_millis(20)));
        }
    }

    /// Takes a last sample of every sensor, ends the threads and says what sampling has cost.
    #[must_use]
    pub fn stop(mut self) -> Cost {
        self.end()
    }

    fn end(&mut self) -> Cost {
        let lock = |k: &Mutex<Keeper>, act: &mut dyn FnMut(&mut Keeper)| {
            act(&mut k.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        };
        let (wall, until) = (self.began.elapsed(), Instant::now() + Duration::from_secs(1));
        self.keepers.iter().for_each(|k| lock(k, &mut Keeper::stop));
        let mut cpu: Result<Duration, String> = Ok(Duration::ZERO);
        for keeper in self.keepers.iter() {
            lock(keeper, &mut |k| {
                cpu = cpu.clone().and_then(|sum| Ok(sum + k.cost(until)?));
            });
        }
        drop(self.stop.take());
        let written = self.writer.take().and_then(|w| w.join().ok());
        let events = self.events();
        match written {
            Some(w) => {
                Cost { samples: w.samples, wall, cpu: cpu.and_then(|sum| Ok(sum + w.cpu?)), error: w.error, events }
            }
            None => Cost { samples: 0, wall, cpu: Err("the writing thread panicked".to_owned()), error: None, events },
        }
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        if self.writer.is_some() {
            let _ = self.end();
        }
    }
}

struct Written {
    samples: u64,
    error: Option<String>,
    cpu: Result<Duration, String>,
}

/// The thread that writes what the others read, and watches that none of them hangs.
struct Writer {
    out: Box<dyn Write + Send>,
    shared: Shared,
    keepers: Arc<Vec<Mutex<Keeper>>>,
    written: Written,
    last_ns: u64,
}

impl Writer {
    fn run(&mut self, stopped: &Receiver<()>) -> Written {
        if !self.shared.cpus.is_empty() {
            spark_kernels::cpu::pool::unpin(&self.shared.cpus);
        }
        // Nothing is ever sent: the other end is dropped to stop.
        while stopped.recv_timeout(self.shared.pace.of(BATCH)) == Err(RecvTimeoutError::Timeout) {
            for keeper in self.keepers.iter() {
                // Whoever holds it asks it for a reading and is soon done.
                if let Ok(keeper) = keeper.try_lock() {
                    keeper.watch(&self.shared);
                }
            }
            self.write(self.shared.now_ns().saturating_sub(PATIENCE.as_nanos() as u64));
        }
        self.write(u64::MAX);
        let error = self.written.error.take();
        Written { samples: self.written.samples, error, cpu: crate::os::thread_cpu_time() }
    }

    fn write(&mut self, until_ns: u64) {
        let lines = self.shared.history().lines(until_ns);
        for mut line in lines {
            // A reading that took longer than lines wait is late: the file stays in order, and the moment so much less certain.
            match &mut line {
                Line::Sample(sample) => {
                    sample.slack_ns += self.last_ns.saturating_sub(sample.t_ns);
                    sample.t_ns = sample.t_ns.max(self.last_ns);
                    self.last_ns = sample.t_ns;
                    self.written.samples += 1;
                }
                Line::Event(event) => {
                    event.t_ns = event.t_ns.max(self.last_ns);
                    self.last_ns = event.t_ns;
                }
                Line::Header(_) => {}
            }
            if self.written.error.is_none()
                && let Err(e) = write_line(&mut self.out, &line)
            {
                self.written.error = Some(e.to_string());
            }
        }
        if self.written.error.is_none()
            && let Err(e) = self.out.flush()
        {
            self.written.error = Some(e.to_string());
        }
    }
}

/// One line in one write, so that a crash leaves whole lines.
fn write_line(out: &mut dyn Write, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    out.write_all(text.as_bytes())?;
    out.flush()
}
