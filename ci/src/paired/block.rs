//! A block: some quads of executions whose log ratios make one, and the machine's state around them.

use super::Side;
use crate::statistics::shift;
use serde::{Deserialize, Serialize};

/// Executions of both sides, as timed, quad by quad: two of each side in each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Nanoseconds of each of the baseline's executions.
    pub baseline_ns: Vec<f64>,
    /// Nanoseconds of each of the candidate's.
    pub candidate_ns: Vec<f64>,
    /// Cycles of the device's own clock of each of the baseline's, as far as they are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub baseline_cycles: Vec<f64>,
    /// The same of the candidate's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidate_cycles: Vec<f64>,
}

impl Block {
    /// Adds an execution.
    pub fn push(&mut self, side: Side, ns: f64) {
        match side {
            Side::Baseline => self.baseline_ns.push(ns),
            Side::Candidate => self.candidate_ns.push(ns),
        }
    }
    /// Adds the cycles of the execution that was added last, where they are told.
    pub fn push_cycles(&mut self, side: Side, cycles: f64) {
        match side {
            Side::Baseline => self.baseline_cycles.push(cycles),
            Side::Candidate => self.candidate_cycles.push(cycles),
        }
    }
    /// The log ratio in cycles; `None` where not every execution has them.
    pub fn log_ratio_of_cycles(&self) -> Option<f64> {
        let told = self.baseline_cycles.len() == self.baseline_ns.len()
            && self.candidate_cycles.len() == self.candidate_ns.len();
        told.then(|| of_quads(&self.baseline_cycles, &self.candidate_cycles)).flatten()
    }
    /// The log of the candidate's times over the baseline's: above 0 where the candidate is slower. NaN where no quad is whole or a time
    /// is 0.
    pub fn log_ratio(&self) -> f64 {
        of_quads(&self.baseline_ns, &self.candidate_ns).unwrap_or(f64::NAN)
    }
    /// Nanoseconds of all executions together.
    pub fn total_ns(&self) -> f64 {
        self.baseline_ns.iter().chain(&self.candidate_ns).sum()
    }
}

/// The Hodges–Lehmann estimate over the quads' own log ratios. A neighbour that comes or goes moves all four executions of a quad alike,
/// and is not in their ratio; over a block it would move the median of one side and not of the other.
fn of_quads(baseline: &[f64], candidate: &[f64]) -> Option<f64> {
    let log = |pair: &[f64]| pair.iter().map(|v| v.ln()).sum::<f64>() / 2.0;
    let quads = baseline.chunks_exact(2).zip(candidate.chunks_exact(2)).map(|(b, c)| log(c) - log(b));
    shift(&quads.collect::<Vec<_>>()).map(|shift| shift.estimate)
}

/// What the machine did while a block ran. Nothing in it depends on which side was timed, or it would bias the test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Around {
    /// Share of the block's processor time that a hypervisor took away; `None` where nobody tells.
    pub stolen: Option<f64>,
    /// Throttling events counted during the block; `None` where nobody counts.
    pub throttled: Option<u64>,
    /// The median core clock of the block's first half over that of its second, or the other way round: at most 1. `None` where no
    /// clock is known. From block to block it may move: each is a ratio of its own.
    pub clock_band: Option<f64>,
}

/// What is still a quiet enough machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Largest share of stolen time.
    pub stolen: f64,
    /// Smallest clock band.
    pub clock_band: f64,
}

impl Default for Limits {
    /// A tenth stolen or a clock that moved by a tenth is a different machine. That others wait for a processor is no reason: under a
    /// steady load the pairs stay comparable, and the test itself says what it cannot tell.
    fn default() -> Self {
        Self { stolen: 0.10, clock_band: 0.90 }
    }
}

/// Why a block is measured again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Void {
    /// A hypervisor took processor time away.
    Stolen,
    /// The processor was held back.
    Throttled,
    /// The clock was another one at its end than at its beginning.
    Clock,
    /// A child ended or fell silent, in its words.
    Lost(String),
}

impl std::fmt::Display for Void {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Void::Stolen => "processor time was stolen",
            Void::Throttled => "the processor was throttled",
            Void::Clock => "the clock moved",
            Void::Lost(how) => how,
        })
    }
}

impl Void {
    /// Each reason with how often it came: `3 × the clock moved, 1 × processor time was stolen`.
    pub fn counted(voids: &[Void]) -> String {
        let mut sorted: Vec<&Void> = voids.iter().collect();
        sorted.sort();
        let groups = sorted.chunk_by(|a, b| a == b).map(|group| format!("{} × {}", group.len(), group[0]));
        groups.collect::<Vec<_>>().join(", ")
    }
}

impl Around {
    /// The reason to leave the block out, if there is one.
    pub fn void(&self, limits: &Limits) -> Option<Void> {
        if self.stolen.is_some_and(|share| share > limits.stolen) {
            return Some(Void::Stolen);
        }
        if self.throttled.is_some_and(|events| events > 0) {
            return Some(Void::Throttled);
        }
        self.clock_band.is_some_and(|band| band < limits.clock_band).then_some(Void::Clock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quads at `levels`, the candidate slower by a twentieth.
    fn quads(levels: &[f64]) -> Block {
        let mut block = Block::default();
        for ns in levels {
            for side in [Side::Baseline, Side::Candidate, Side::Candidate, Side::Baseline] {
                block.push(side, if side == Side::Candidate { 1.05 * ns } else { *ns });
            }
        }
        block
    }

    #[test]
    fn a_block_is_what_its_quads_say_whatever_the_machine_did_between_them() {
        let ratio = 1.05_f64.ln();
        assert!((quads(&[100.0, 102.0, 900.0, 140.0]).log_ratio() - ratio).abs() < 1e-12);
        // Of seven quads one was disturbed in the middle: it is one voice.
        let mut block = quads(&[100.0; 7]);
        block.candidate_ns[6] *= 3.0;
        assert!((block.log_ratio() - ratio).abs() < 1e-12);
        // What is not whole does not count, and nothing is no number.
        block.push(Side::Baseline, 1e9);
        assert!((block.log_ratio() - ratio).abs() < 1e-12);
        assert!(Block::default().log_ratio().is_nan());
        assert!(quads(&[0.0]).log_ratio().is_nan());
    }

    #[test]
    fn cycles_are_a_ratio_only_where_all_executions_have_them() {
        let mut block = Block::default();
        assert_eq!(block.log_ratio_of_cycles(), None);
        for side in [Side::Baseline, Side::Candidate, Side::Candidate, Side::Baseline] {
            block.push(side, 100.0);
            block.push_cycles(side, if side == Side::Baseline { 200.0 } else { 220.0 });
        }
        assert!(block.log_ratio_of_cycles().is_some_and(|ratio| (ratio - 1.1_f64.ln()).abs() < 1e-12));
        block.push(Side::Candidate, 100.0);
        assert_eq!(block.log_ratio_of_cycles(), None);
    }

    #[test]
    fn a_machine_that_changed_voids_the_block_and_silence_does_not() {
        let limits = Limits::default();
        assert_eq!(Around::default().void(&limits), None);
        let said = |around: Around| around.void(&limits).expect("a reason");
        let of = Around::default;
        let voids = [
            said(Around { throttled: Some(2), ..of() }),
            said(Around { stolen: Some(0.3), ..of() }),
            said(Around { clock_band: Some(0.7), ..of() }),
            said(Around { stolen: Some(0.2), ..of() }),
        ];
        let told = "2 × processor time was stolen, 1 × the processor was throttled, 1 × the clock moved";
        assert_eq!(Void::counted(&voids), told);
        assert_eq!(Around { clock_band: Some(0.95), stolen: Some(0.05), ..of() }.void(&limits), None);
    }
}
