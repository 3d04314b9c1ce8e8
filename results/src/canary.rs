//! Three small pieces of work whose ratios tell states of a machine apart that no sensor shows.

use crate::record::Work;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The three, run once around.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Canary {
    /// On which device.
    pub device: String,
    /// When, in nanoseconds since the run's start.
    pub at_ns: u64,
    /// A matrix times a vector: what decoding does.
    pub gemv: Strand,
    /// A copy in memory.
    pub copy: Strand,
    /// Arithmetic in registers.
    pub alu: Strand,
}

/// One of the three.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Strand {
    /// Which benchmark it is otherwise.
    pub of: String,
    /// What one run of it does.
    pub work: Work,
    /// How long each run took.
    pub ns: Vec<u64>,
}

impl Strand {
    /// Bytes a second, or operations where no bytes are moved, of the fastest run: a disturbance only slows. `None` without a run.
    pub fn per_s(&self) -> Option<f64> {
        let amount = if self.work.bytes > 0 { self.work.bytes } else { self.work.flops };
        let least = self.ns.iter().copied().filter(|ns| *ns > 0).min()?;
        Some(amount as f64 / (least as f64 * 1e-9))
    }
}

/// Below this share of a copy's bytes a second a matrix times a vector is slow: on a healthy GB10 both read memory at its rate, in
/// its hidden state the one is 3.3 times slower and the other is not.
const SLOW: f64 = 0.5;
/// Ratios that moved by more than this share are another state.
const MOVED: f64 = 0.25;

impl Canary {
    /// Bytes a second of the matrix times a vector over those of the copy.
    pub fn gemv_over_copy(&self) -> Option<f64> {
        Some(self.gemv.per_s()? / self.copy.per_s()?).filter(|r| r.is_finite())
    }
    /// Why this looks like the hidden slow state, if it does.
    pub fn slow(&self) -> Option<String> {
        let ratio = self.gemv_over_copy().filter(|r| *r < SLOW)?;
        Some(format!(
            "on {} a matrix times a vector moves {:.0} % of the bytes a second of a copy, and at least {:.0} % is healthy",
            self.device,
            100.0 * ratio,
            100.0 * SLOW
        ))
    }
    /// What changed between `self` and a later canary of the same device, in words; nothing where the states are alike.
    pub fn moved(&self, later: &Canary) -> Vec<String> {
        let pairs = [
            ("gemv", &self.gemv, &later.gemv),
            ("copy", &self.copy, &later.copy),
            ("arithmetic", &self.alu, &later.alu),
        ];
        let change = |(name, before, after): (&str, &Strand, &Strand)| {
            let ratio = after.per_s()? / before.per_s()?;
            ((ratio - 1.0).abs() > MOVED).then(|| format!("{name} {:+.0} %", 100.0 * (ratio - 1.0)))
        };
        pairs.into_iter().filter_map(change).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(gemv: u64, copy: u64, alu: u64) -> Canary {
        let strand = |of: &str, work, ns| Strand { of: of.into(), work, ns: vec![ns, 9 * ns] };
        let bytes = |bytes| Work { bytes, flops: 1, ..Work::default() };
        Canary {
            device: "cuda:0".into(),
            at_ns: 0,
            gemv: strand("gemm", bytes(1000), gemv),
            copy: strand("copy", bytes(1000), copy),
            alu: strand("peak", Work { flops: 1000, ..Work::default() }, alu),
        }
    }

    #[test]
    fn the_hidden_state_is_slow_vectors_beside_healthy_copies() {
        assert_eq!(canary(100, 100, 100).slow(), None);
        let slow = canary(330, 100, 100);
        assert!(slow.slow().unwrap().contains("30 %"), "{slow:?}");
        // A machine that is slow in everything is another fault.
        assert_eq!(canary(330, 330, 330).slow(), None);
        let none = Canary { gemv: Strand { ns: vec![0], ..canary(1, 1, 1).gemv }, ..canary(1, 1, 1) };
        assert_eq!((none.gemv_over_copy(), none.slow()), (None, None));
    }

    #[test]
    fn what_moved_between_two_is_named() {
        let before = canary(100, 100, 100);
        assert_eq!(before.moved(&canary(110, 95, 100)), [""; 0]);
        assert_eq!(before.moved(&canary(330, 100, 200)), ["gemv -70 %", "arithmetic -50 %"]);
    }
}
