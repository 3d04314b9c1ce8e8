//! What the machine did around a block, asked in the same way whichever build ran.

use crate::os::SysRoot;
use crate::telemetry::Ticks;
use crate::watch::Watch;
use spark_gate::paired::Around;
use spark_results::conditions::Throttling;
use spark_results::stats::median;
use std::time::Instant;

/// The kernel counts in ticks of 10 ms: a shorter window holds too few of them to speak of shares.
const WINDOW_S: f64 = 0.1;

/// Compares the machine with how it was when the last block began.
#[derive(Debug)]
pub struct Surroundings {
    root: SysRoot,
    watch: Watch,
    ticks: Option<Ticks>,
    waited_us: Option<u64>,
    at: Instant,
    /// Readings of this block, of one core each.
    clocks: Vec<f64>,
    /// The medians of the blocks before. A single reading is too rough: in a virtual machine it comes in steps of several percent.
    before: Vec<f64>,
}

impl Surroundings {
    /// Starts watching.
    pub fn start(root: &SysRoot) -> Self {
        let mut watch = Watch::start(root);
        let _ = watch.throttling();
        let (ticks, waited_us) = (Ticks::now(root).ok(), waited(root));
        Self { root: root.clone(), watch, ticks, waited_us, at: Instant::now(), clocks: Vec::new(), before: Vec::new() }
    }
    /// Hears the cores' clocks right behind an execution.
    pub fn hear(&mut self, clocks_hz: &[f64]) {
        self.clocks.extend(clocks_hz);
    }
    /// Forgets what happened up to now.
    pub fn begin(&mut self) {
        self.clocks.clear();
        let _ = self.since();
    }
    /// What happened since the start or the last call.
    pub fn since(&mut self) -> Around {
        let wall = self.at.elapsed().as_secs_f64();
        let (ticks, waited_us) = (Ticks::now(&self.root).ok(), waited(&self.root));
        let long = wall >= WINDOW_S;
        let stolen = match (&self.ticks, &ticks) {
            (Some(before), Some(now)) if long => now.since(before).map(|shares| shares.steal),
            _ => None,
        };
        let waited = match (self.waited_us, waited_us) {
            (Some(before), Some(now)) if long => Some(now.saturating_sub(before) as f64 * 1e-6 / wall),
            _ => None,
        };
        let throttled = match self.watch.throttling() {
            Throttling::Known { throttled, .. } => Some(u64::from(throttled)),
            Throttling::Unavailable { .. } => None,
        };
        let clock_band = (!self.clocks.is_empty()).then(|| self.band()).flatten();
        (self.ticks, self.waited_us, self.at) = (ticks, waited_us, Instant::now());
        Around { stolen, waited, throttled, clock_band }
    }
    /// This block's clock against that of the blocks before, which it joins.
    fn band(&mut self) -> Option<f64> {
        let now = median(&std::mem::take(&mut self.clocks));
        let then = (!self.before.is_empty()).then(|| median(&self.before));
        self.before.push(now);
        then.map(|then| (now / then).min(then / now))
    }
}

/// Microseconds in which some task waited for a processor, since the start of the machine.
fn waited(root: &SysRoot) -> Option<u64> {
    let text = root.text("/proc/pressure/cpu").ok()?;
    text.lines().find_map(|line| line.strip_prefix("some "))?.split("total=").nth(1)?.trim().parse().ok()
}
