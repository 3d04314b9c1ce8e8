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

/// Compares the machine with how it was when the block began.
#[derive(Debug)]
pub struct Surroundings {
    root: SysRoot,
    watch: Watch,
    ticks: Option<Ticks>,
    at: Instant,
    /// Readings of this block in the order of its executions, of one core each.
    clocks: Vec<f64>,
}

impl Surroundings {
    /// Starts watching.
    pub fn start(root: &SysRoot) -> Self {
        let mut watch = Watch::start(root);
        let _ = watch.throttling();
        Self { root: root.clone(), watch, ticks: Ticks::now(root).ok(), at: Instant::now(), clocks: Vec::new() }
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
        let ticks = Ticks::now(&self.root).ok();
        let stolen = match (&self.ticks, &ticks) {
            (Some(before), Some(now)) if wall >= WINDOW_S => now.since(before).map(|shares| shares.steal),
            _ => None,
        };
        let throttled = match self.watch.throttling() {
            Throttling::Known { throttled, .. } => Some(u64::from(throttled)),
            Throttling::Unavailable { .. } => None,
        };
        let clock_band = band(&std::mem::take(&mut self.clocks));
        (self.ticks, self.at) = (ticks, Instant::now());
        Around { stolen, throttled, clock_band }
    }
}

/// The median clock of the first half against that of the second, the smaller over the larger. Both halves hold as many executions
/// of either build, whatever the coin said, and medians because a single reading comes in steps of several percent in a virtual
/// machine. `None` for fewer than two readings a half.
fn band(clocks: &[f64]) -> Option<f64> {
    let (early, late) = clocks.split_at(clocks.len() / 2);
    let (early, late) = (early.len() >= 2).then(|| (median(early), median(late)))?;
    Some((early / late).min(late / early))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_moves_within_the_block_is_seen_and_one_that_differs_by_build_is_not() {
        assert_eq!(band(&[2e9; 12]), Some(1.0));
        assert_eq!(band(&[3e9, 3e9, 3e9, 3e9, 3e9, 3e9, 1.5e9, 1.5e9, 1.5e9, 1.5e9, 1.5e9, 1.5e9]), Some(0.5));
        // ABBA BAAB ABBA of builds whose code runs at other clocks.
        let (a, b) = (2.0e9, 2.6e9);
        assert_eq!(band(&[a, b, b, a, b, a, a, b, a, b, b, a]), Some(1.0));
        assert_eq!(band(&[2e9, 1e9]), None);
        assert_eq!(band(&[]), None);
    }
}
