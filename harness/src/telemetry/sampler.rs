//! The thread that reads the sensors through a run and writes `telemetry.jsonl`, and what that costs.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use spark_results::telemetry::{Header, Line, Sample};

use super::Sensor;

/// Samples kept at hand for sums over a window: ten minutes at the shortest period; all of them are in the file.
const KEPT: usize = 6_000;

/// Reads sensors in a thread of its own until it is stopped or dropped.
#[derive(Debug)]
pub struct Sampler {
    header: Header,
    recent: Arc<Mutex<VecDeque<Sample>>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<Cost>>,
}

/// What the sampling took from the machine it watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Cost {
    /// Lines of samples.
    pub samples: u64,
    /// From start to stop.
    pub wall: Duration,
    /// CPU time of the sampling thread, or why it is unknown.
    pub cpu: Result<Duration, String>,
    /// The first error of writing; sampling went on in memory after it.
    pub error: Option<String>,
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
    pub fn start(
        mut out: Box<dyn Write + Send>,
        mut sensors: Vec<Box<dyn Sensor>>,
        start: Instant,
    ) -> io::Result<Self> {
        let header = Header { sensors: sensors.iter_mut().flat_map(|s| s.probe()).collect() };
        write_line(&mut out, &Line::Header(header.clone()))?;
        let recent = Arc::new(Mutex::new(VecDeque::new()));
        let (stop, stopped) = channel();
        let mut work = Work {
            out,
            sensors: sensors.into_iter().map(|s| (s, Instant::now())).collect(),
            start,
            recent: Arc::clone(&recent),
            samples: 0,
            error: None,
        };
        let thread = std::thread::Builder::new().name("telemetry".to_owned()).spawn(move || work.run(&stopped))?;
        Ok(Self { header, recent, stop: Some(stop), thread: Some(thread) })
    }

    /// What the sensors answered when asked what they have.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The samples with `from_ns <= t_ns <= to_ns`, oldest first, of the last 6,000 taken.
    #[must_use]
    pub fn between(&self, from_ns: u64, to_ns: u64) -> Vec<Sample> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().filter(|s| (from_ns..=to_ns).contains(&s.t_ns)).cloned().collect()
    }

    /// Takes a last sample of every sensor, ends the thread and says what sampling has cost.
    #[must_use]
    pub fn stop(mut self) -> Cost {
        self.end().unwrap_or_else(|| Cost {
            samples: 0,
            wall: Duration::ZERO,
            cpu: Err("the sampling thread panicked".to_owned()),
            error: None,
        })
    }

    fn end(&mut self) -> Option<Cost> {
        drop(self.stop.take());
        self.thread.take()?.join().ok()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

struct Work {
    out: Box<dyn Write + Send>,
    /// Each sensor and when it is due.
    sensors: Vec<(Box<dyn Sensor>, Instant)>,
    start: Instant,
    recent: Arc<Mutex<VecDeque<Sample>>>,
    samples: u64,
    error: Option<String>,
}

impl Work {
    fn run(&mut self, stopped: &Receiver<()>) -> Cost {
        let began = Instant::now();
        loop {
            self.sample(false);
            let next = self.sensors.iter().map(|(_, due)| *due).min();
            let wait = next.map_or(Duration::from_secs(3600), |due| due.saturating_duration_since(Instant::now()));
            // Nothing is ever sent: the other end is dropped to stop.
            if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                break;
            }
        }
        self.sample(true);
        if let Err(e) = self.out.flush() {
            self.error.get_or_insert(e.to_string());
        }
        Cost {
            samples: self.samples,
            wall: began.elapsed(),
            cpu: crate::os::thread_cpu_time(),
            error: self.error.take(),
        }
    }

    /// Reads every sensor that is due, or `all`.
    fn sample(&mut self, all: bool) {
        let now = Instant::now();
        let mut readings = Vec::new();
        for (sensor, due) in &mut self.sensors {
            if all || *due <= now {
                readings.extend(sensor.read());
                // After a pause of the whole machine the missed readings are not made up for.
                *due = (*due + sensor.period()).max(now);
            }
        }
        if readings.is_empty() {
            return;
        }
        let t_ns = u64::try_from(now.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        let sample = Sample { t_ns, readings };
        self.samples += 1;
        if self.error.is_none()
            && let Err(e) = write_line(&mut self.out, &Line::Sample(sample.clone()))
        {
            self.error = Some(e.to_string());
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == KEPT {
            recent.pop_front();
        }
        recent.push_back(sample);
    }
}

/// One line in one write, flushed, so that a crash leaves whole lines.
fn write_line(out: &mut dyn Write, line: &Line) -> io::Result<()> {
    let mut text = serde_json::to_string(line)?;
    text.push('\n');
    out.write_all(text.as_bytes())?;
    out.flush()
}
