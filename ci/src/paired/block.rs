//! A block: some quads of executions whose medians make one log ratio, and the machine's state around them.

use super::Side;
use serde::{Deserialize, Serialize};
use spark_results::stats::median;

/// Executions of both sides, as timed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Nanoseconds of each of the baseline's executions.
    pub baseline_ns: Vec<f64>,
    /// Nanoseconds of each of the candidate's.
    pub candidate_ns: Vec<f64>,
}

impl Block {
    /// Adds an execution.
    pub fn push(&mut self, side: Side, ns: f64) {
        match side {
            Side::Baseline => self.baseline_ns.push(ns),
            Side::Candidate => self.candidate_ns.push(ns),
        }
    }
    /// ln(median candidate / median baseline): above 0 where the candidate is slower. NaN where a side is empty or a time is 0.
    pub fn log_ratio(&self) -> f64 {
        (median(&self.candidate_ns) / median(&self.baseline_ns)).ln()
    }
    /// Nanoseconds of all executions together.
    pub fn total_ns(&self) -> f64 {
        self.baseline_ns.iter().chain(&self.candidate_ns).sum()
    }
}

/// What the machine did while a block ran. Nothing in it depends on which side was timed, or it would bias the test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Around {
    /// Share of the block's processor time that a hypervisor took away; `None` where nobody tells.
    pub stolen: Option<f64>,
    /// Share of the block in which somebody waited for a processor (PSI); `None` where nobody tells.
    pub waited: Option<f64>,
    /// Throttling events counted during the block; `None` where nobody counts.
    pub throttled: Option<u64>,
    /// The slowest core's clock over the fastest one's reading of the block; `None` where it is not known.
    pub clock_band: Option<f64>,
}

/// What is still a quiet enough machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Largest share of stolen time.
    pub stolen: f64,
    /// Largest share of waiting.
    pub waited: f64,
    /// Smallest clock band.
    pub clock_band: f64,
}

impl Default for Limits {
    /// A tenth stolen or a clock that moved by a tenth is a different machine. Waiting is no reason: under a steady load the pairs
    /// stay comparable, and the test itself says what it cannot tell.
    fn default() -> Self {
        Self { stolen: 0.10, waited: 1.0, clock_band: 0.90 }
    }
}

/// Why a block is measured again.
pub type Void = String;

impl Around {
    /// The reason to leave the block out, if there is one.
    pub fn void(&self, limits: &Limits) -> Option<Void> {
        if let Some(stolen) = self.stolen.filter(|s| *s > limits.stolen) {
            return Some(format!("{:.0} % of the processor time was stolen", 100.0 * stolen));
        }
        if let Some(waited) = self.waited.filter(|w| *w > limits.waited) {
            return Some(format!("something waited for a processor in {:.0} % of the time", 100.0 * waited));
        }
        if let Some(events) = self.throttled.filter(|n| *n > 0) {
            return Some(format!("{events} throttling events"));
        }
        let band = self.clock_band.filter(|b| *b < limits.clock_band)?;
        Some(format!("the clock moved by {:.0} %", 100.0 * (1.0 - band)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_the_ratio_of_its_medians() {
        let mut block = Block::default();
        for ns in [100.0, 102.0, 900.0] {
            block.push(Side::Baseline, ns);
            block.push(Side::Candidate, 1.05 * ns);
        }
        assert!((block.log_ratio() - 1.05_f64.ln()).abs() < 1e-12);
        assert!(Block::default().log_ratio().is_nan());
    }

    #[test]
    fn a_machine_that_changed_voids_the_block_and_silence_does_not() {
        let limits = Limits::default();
        assert_eq!(Around::default().void(&limits), None);
        let said = |around: Around| around.void(&limits).expect("a reason");
        assert!(said(Around { stolen: Some(0.3), ..Around::default() }).contains("30 %"));
        assert!(said(Around { throttled: Some(2), ..Around::default() }).contains("2 throttling"));
        assert!(said(Around { clock_band: Some(0.7), ..Around::default() }).contains("30 %"));
        assert_eq!(Around { waited: Some(0.9), ..Around::default() }.void(&limits), None);
    }
}
