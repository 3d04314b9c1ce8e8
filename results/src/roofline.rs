//! Roofs measured around a measurement, and the share of them that it reached.

use crate::record::Work;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a roof limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// Bytes a second.
    Memory,
    /// Operations a second.
    Compute,
}

impl Bound {
    /// `memory` or `compute`.
    pub const fn name(self) -> &'static str {
        match self {
            Bound::Memory => "memory",
            Bound::Compute => "compute",
        }
    }
}

/// One roof as it stood right before and right after a measurement. The roof of a shared machine moves without a sign inside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoofReading {
    /// The id of the benchmark that is the roof.
    pub of: String,
    /// What it limits.
    pub bound: Bound,
    /// What one reading does.
    pub work: Work,
    /// Its samples right before.
    pub before_ns: Vec<u64>,
    /// Its samples right after.
    pub after_ns: Vec<u64>,
}

impl RoofReading {
    /// Operations or bytes of `work` that this roof limits.
    fn amount(&self, work: &Work) -> u64 {
        match self.bound {
            Bound::Memory => work.bytes,
            Bound::Compute => work.flops,
        }
    }
    /// The fastest of the readings: a disturbance only ever slows one down, and a roof that is too low makes every share a lie.
    fn rate(&self, samples_ns: &[u64]) -> Option<f64> {
        let least = samples_ns.iter().copied().filter(|ns| *ns > 0).min()?;
        Some(self.amount(&self.work) as f64 / (least as f64 * 1e-9)).filter(|rate| rate.is_finite())
    }
    /// Operations or bytes a second right before.
    pub fn before(&self) -> Option<f64> {
        self.rate(&self.before_ns)
    }
    /// Operations or bytes a second right after.
    pub fn after(&self) -> Option<f64> {
        self.rate(&self.after_ns)
    }
    /// The mean of both, or the one there is.
    pub fn rate_per_s(&self) -> Option<f64> {
        match (self.before(), self.after()) {
            (Some(before), Some(after)) => Some(0.5 * (before + after)),
            (before, after) => before.or(after),
        }
    }
}

/// The roof that binds a piece of work, and the share of it that was reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RoofShare {
    /// What limits this work.
    pub bound: Bound,
    /// The id of that roof.
    pub of: String,
    /// Time the roof allows ÷ time taken; above 1 the roof was measured too low, which is a finding about the roof.
    pub fraction: f64,
    /// The roof in operations or bytes a second: right before, right after.
    pub roof_per_s: [Option<f64>; 2],
}

/// The binding roof of `work` done in `seconds`: the one that allows the least speed. `None` without any roof, or without time.
pub fn share(roofs: &[RoofReading], work: &Work, seconds: f64) -> Option<RoofShare> {
    roofs
        .iter()
        .filter_map(|roof| Some((roof, roof.amount(work) as f64 / roof.rate_per_s()?)))
        .filter(|(_, least)| *least > 0.0 && least.is_finite())
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(roof, least)| RoofShare {
            bound: roof.bound,
            of: roof.of.clone(),
            fraction: least / seconds,
            roof_per_s: [roof.before(), roof.after()],
        })
        .filter(|share| share.fraction.is_finite())
}

/// From so many operations a byte on, arithmetic may bound work before memory does, on some machine: memory's roof alone says nothing then
/// of how close it is to the limit.
const MEMORY_ALONE: u64 = 8;

/// Why `work` has no share although memory's roof was measured: the peak of its arithmetic was not, and may be the one that binds.
pub fn one_sided(roofs: &[RoofReading], work: &Work) -> Option<String> {
    let known = |bound| roofs.iter().any(|roof| roof.bound == bound && roof.rate_per_s().is_some());
    let dense = work.bytes > 0 && work.flops >= MEMORY_ALONE.saturating_mul(work.bytes);
    (dense && known(Bound::Memory) && !known(Bound::Compute)).then(|| {
        format!(
            "the peak of its arithmetic was not measured, and {:.0} operations a byte may be bound by it rather than by memory",
            work.flops as f64 / work.bytes as f64
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roof(bound: Bound, per_s: u64) -> RoofReading {
        let work = Work { flops: per_s, bytes: per_s, ..Work::default() };
        RoofReading {
            of: bound.name().into(),
            bound,
            work,
            before_ns: vec![1_000_000_000],
            after_ns: vec![1_000_000_000],
        }
    }

    #[test]
    fn the_lower_roof_binds() {
        let roofs = [roof(Bound::Memory, 100), roof(Bound::Compute, 1000)];
        let streaming = Work { flops: 100, bytes: 100, ..Work::default() };
        let s = share(&roofs, &streaming, 2.0).unwrap();
        assert_eq!((s.bound, s.fraction), (Bound::Memory, 0.5));
        let dense = Work { flops: 10_000, bytes: 100, ..Work::default() };
        let s = share(&roofs, &dense, 20.0).unwrap();
        assert_eq!((s.bound, s.fraction), (Bound::Compute, 0.5));
        assert_eq!(share(&roofs, &Work::default(), 1.0), None);
        assert_eq!(share(&[], &dense, 1.0), None);
    }

    #[test]
    fn memory_alone_says_nothing_of_work_that_arithmetic_may_bound() {
        let (memory, both) = ([roof(Bound::Memory, 100)], [roof(Bound::Memory, 100), roof(Bound::Compute, 1000)]);
        let work = |flops| Work { flops, bytes: 100, ..Work::default() };
        assert_eq!(one_sided(&memory, &work(799)), None);
        assert!(one_sided(&memory, &work(80_000)).unwrap().contains("800 operations a byte"));
        assert_eq!((one_sided(&both, &work(80_000)), one_sided(&[], &work(80_000))), (None, None));
        assert_eq!(one_sided(&memory, &Work { flops: 9, ..Work::default() }), None, "of no bytes memory is no bound");
    }

    #[test]
    fn a_moving_roof_counts_with_both_its_states() {
        let mut moving = roof(Bound::Memory, 100);
        moving.after_ns = vec![500_000_000];
        let s = share(&[moving], &Work { bytes: 150, ..Work::default() }, 2.0).unwrap();
        assert_eq!((s.fraction, s.roof_per_s), (0.5, [Some(100.0), Some(200.0)]));
    }
}
