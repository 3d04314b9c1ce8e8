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
    /// Runs both over and over for `time`, at the same time, each on a thread of its own. Of each side only the runs count that lie
    /// wholly in the time in which both were at work. Errors: either side's fault; a side then stops with the other.
    fn both(&mut self, one: Side<'_>, other: Side<'_>, time: Duration) -> Result<[Vec<Ran>; 2], Fault>;
    /// The core clock right now, in Hz, one value a worker; empty where it cannot be measured.
    fn clocks(&mut self) -> Vec<f64>;
    /// The hottest sensor of the machine at most two seconds ago, in °C; none where no sensor speaks.
    fn hottest(&self) -> Option<f64>;
    /// Notes a named part of the time, from `began` until now, in which `work` was done. Parts may stand one in another.
    fn phase(&mut self, name: &str, began: Duration, work: Work);
    /// Tells a person how far it is.
    fn tell(&mut self, so_far: &Beat);
}

/// Work that is done beside other work: a run of it, on whichever thread.
pub type Side<'a> = &'a mut (dyn FnMut() -> Result<(), Fault> + Send);

/// One run of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran {
    /// When it began, in nanoseconds since the run's start.
    pub at_ns: u64,
    /// How long it took.
    pub ns: u64,
}

impl Ran {
    /// Of the runs of two sides those that lie wholly in the time in which both were at work.
    pub fn together(sides: [Vec<Ran>; 2]) -> [Vec<Ran>; 2] {
        let ends = |ran: &Ran| ran.at_ns.saturating_add(ran.ns);
        let from = sides.iter().map(|side| side.first().map_or(u64::MAX, |ran| ran.at_ns)).max().unwrap_or(u64::MAX);
        let to = sides.iter().map(|side| side.last().map_or(0, ends)).min().unwrap_or(0);
        sides.map(|side| side.into_iter().filter(|ran| ran.at_ns >= from && ends(ran) <= to).collect())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_done_beside_the_other_counts() {
        let side =
            |runs: &[(u64, u64)]| runs.iter().map(|(at_ns, ns)| Ran { at_ns: *at_ns, ns: *ns }).collect::<Vec<_>>();
        let (short, long) = (side(&[(0, 10), (10, 10), (20, 10), (30, 10), (40, 10)]), side(&[(5, 30), (35, 30)]));
        // The first short run began before the long side did, and nothing is cut off at the end of the short side but the long run.
        let [one, other] = Ran::together([short.clone(), long.clone()]);
        assert_eq!((one, other), (short[1..].to_vec(), long[..1].to_vec()));
        assert_eq!(Ran::together([short, Vec::new()]), [Vec::new(), Vec::new()]);
    }
}
