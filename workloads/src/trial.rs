//! Experiments that run by a clock of their own making: they state and drive the work; clocks and sensors are lent to them.

use spark_kernels::Fault;
use spark_results::Work;
use spark_results::conditions::CoreClock;
use spark_results::record::{Cache, Check, Metric};
use spark_results::serving::Request;
use std::collections::BTreeMap;
use std::time::Duration;

/// An experiment of its own: the harness does not repeat it but lends it a [`Lab`].
pub trait Trial {
    /// Compares a result with the reference, before anything is timed.
    fn check(&mut self) -> Result<Option<Check>, Fault>;
    /// Does the experiment. `None`: the lab was stopped before there was anything to tell.
    fn run(&mut self, lab: &mut dyn Lab) -> Result<Option<Observed>, Fault>;
    /// What one iteration does.
    fn work(&self) -> Work;
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
}

/// What an experiment observed; conditions and the energy of its phases are the harness's to add.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// When each sample began, since the run's start.
    pub at_ns: Vec<u64>,
    /// How long each took, in the order taken.
    pub samples_ns: Vec<u64>,
    /// Iterations in each.
    pub iterations: u64,
    /// The core clock beside them.
    pub clocks: Vec<CoreClock>,
    /// Values that are no sums of the samples.
    pub metrics: Vec<Metric>,
    /// Every request to a server, where there were any.
    pub requests: Vec<Request>,
    /// What bears on trust.
    pub notes: Vec<String>,
}

/// What the harness lends to an experiment: its clock, the device's clock, its sensors, its voice.
pub trait Lab {
    /// Time since the run's start.
    fn now(&self) -> Duration;
    /// Whether somebody asked to stop.
    fn stopped(&self) -> bool;
    /// Does nothing for so long, or until somebody asks to stop.
    fn wait(&mut self, time: Duration);
    /// How long `work` takes on the device's own clock.
    fn time(&mut self, work: &mut dyn FnMut() -> Result<(), Fault>) -> Result<Duration, Fault>;
    /// The core clock right now, in Hz, one value a worker; empty where it cannot be measured.
    fn clocks(&mut self) -> Vec<f64>;
    /// The hottest sensor of the machine at most two seconds ago, in °C; none where no sensor speaks.
    fn hottest(&self) -> Option<f64>;
    /// Notes a named part of the time, from `began` until now, in which `work` was done. Parts may stand one in another.
    fn phase(&mut self, name: &str, began: Duration, work: Work);
    /// Tells a person how far it is.
    fn tell(&mut self, so_far: &Beat);
}

/// How far an experiment is, for a person who watches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beat {
    /// What it does now: `load`, `pause`.
    pub doing: String,
    /// Time since it began.
    pub elapsed: Duration,
    /// How long it takes in all, where that is known.
    pub of: Option<Duration>,
    /// What is done a second, and in which unit.
    pub rate: Option<(f64, &'static str)>,
    /// The share of the best rate so far.
    pub share: Option<f64>,
    /// The core clock, in Hz.
    pub clock_hz: Option<f64>,
}
