//! The double while it runs: since when, as which machine, with which faults; and what it says at a moment.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::curve::{REST_OF_MODULE_W, joules, mean, watts};
use crate::fault::{self, Fault};
use crate::profile::{ALL, Profile};

/// What the counter shows at the start, in millijoules: a driver that was loaded some time ago.
const COUNTED_MJ: f64 = 5e6;
/// And how far it is from 2³² where it is to come around.
const BEFORE_WRAP_MJ: f64 = 1e5;
/// A sensor that sleeps looks so long, so often.
const LOOK_S: f64 = 0.025;
const PERIOD_S: f64 = 0.1;

pub(crate) struct Double {
    start: Instant,
    /// So many times sooner its counter ticks, its sensor looks and its means forget.
    speed: f64,
    pub(crate) profile: Profile,
    faults: Vec<Fault>,
    log: Option<Mutex<File>>,
}

/// The one double of this process, made at the first call.
pub(crate) fn double() -> &'static Double {
    static DOUBLE: OnceLock<Double> = OnceLock::new();
    let text = |name: &str| std::env::var(name).unwrap_or_default();
    DOUBLE.get_or_init(|| Double {
        start: Instant::now(),
        speed: text("SPARK_NVML_DOUBLE_SPEED").parse().ok().filter(|speed| *speed >= 1.0).unwrap_or(1.0),
        profile: Profile::named(&text("SPARK_NVML_DOUBLE_PROFILE")).unwrap_or(ALL[0]),
        faults: fault::parse(&text("SPARK_NVML_DOUBLE_FAULTS")),
        log: Some(text("SPARK_NVML_DOUBLE_LOG"))
            .filter(|path| !path.is_empty())
            .and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok())
            .map(Mutex::new),
    })
}

impl Double {
    pub(crate) fn now(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
    /// Whether the GPU is on the bus; a call that is to hang never comes back from here.
    pub(crate) fn alive(&self) -> bool {
        let now = self.now();
        if self.faults.iter().any(|f| matches!(f, Fault::Hang(at) if now >= *at)) {
            std::thread::sleep(Duration::from_secs(3600));
        }
        !self.faults.iter().any(|f| matches!(f, Fault::Lost(at) if now >= *at))
    }
    /// What the look of the sensor's period before `t` saw.
    fn seen(&self, t: f64) -> f64 {
        let (period, look) = (PERIOD_S / self.speed, LOOK_S / self.speed);
        let began = ((t / period).floor() - 1.0).max(0.0) * period;
        mean(began, began + look)
    }
    /// Watts of the GPU at this moment.
    pub(crate) fn watts(&self) -> f64 {
        match self.now() {
            _ if self.has(Fault::StuckPower) => 45.0,
            t if self.has(Fault::Duty) => self.seen(t),
            t => watts(t),
        }
    }
    /// The mean watts of the last second.
    pub(crate) fn mean(&self) -> f64 {
        let now = self.now();
        if now < 0.01 { self.watts() } else { mean((now - 1.0 / self.speed).max(0.0), now) }
    }
    /// The counter, in millijoules, as it was at its last tick.
    pub(crate) fn counter(&self) -> Option<u64> {
        let (tick, period, now) = (self.profile.tick_s? / self.speed, PERIOD_S / self.speed, self.now());
        let rest = if self.profile.module { REST_OF_MODULE_W } else { 0.0 };
        let at = if self.has(Fault::StuckEnergy) { 0.0 } else { (now / tick).floor() * tick };
        let counted = |t: f64| {
            let own = if self.has(Fault::Duty) {
                (1..=(t / period).floor() as u32).map(|i| self.seen(f64::from(i) * period + 1e-6) * period).sum()
            } else {
                joules(t)
            };
            1e3 * (own + rest * t)
        };
        let reset = self.faults.iter().find_map(|f| if let Fault::Reset(s) = f { Some(*s) } else { None });
        let said = match reset.map(|every| (now / every).floor() * every).filter(|last| *last > 0.0) {
            Some(last) => counted(at.max(last)) - counted(last),
            None if self.has(Fault::Wrap) => {
                (4_294_967_296.0 - BEFORE_WRAP_MJ / self.speed + counted(at)) % 4_294_967_296.0
            }
            None => COUNTED_MJ + counted(at),
        };
        if let Some(mut log) = self.log.as_ref().and_then(|l| l.lock().ok()) {
            // A log that cannot be written fails the test that reads it.
            let _ = writeln!(log, "{now:.6} {:.6} {}", joules(now) + rest * now, said as u64);
        }
        Some(said as u64)
    }
    /// Nanoseconds that heat held the clock back so far.
    pub(crate) fn throttled_ns(&self) -> u64 {
        if self.has(Fault::ThrottleClear) { (self.now() * 3e8) as u64 } else { 173_000_000 }
    }
}
