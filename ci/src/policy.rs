//! What the gate tolerates, read from `gate.toml`.

use serde::Deserialize;
use spark_results::id;

/// The policy that is embedded: the file `ci/gate.toml`.
const EMBEDDED: &str = include_str!("../gate.toml");

/// Tolerances and error rates.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The smallest slowdown that matters, 0.02 for 2 %.
    pub floor: f64,
    /// Family-wise rate of false alarms before confirmation.
    pub alpha: f64,
    /// Seconds a benchmark.
    pub budget_s: f64,
    /// Other floors, by glob; the first that matches counts.
    #[serde(default, rename = "tolerance")]
    tolerances: Vec<Tolerance>,
    /// What is measured and never fails.
    #[serde(default)]
    watched: Vec<Watched>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tolerance {
    glob: String,
    floor: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Watched {
    glob: String,
}

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a gate policy: {0}")]
pub struct BadPolicy(String);

impl Policy {
    /// Reads a policy. Errors: no TOML, a field unknown or missing, a share that is none.
    pub fn parse(text: &str) -> Result<Self, BadPolicy> {
        let policy: Self = toml::from_str(text).map_err(|e| BadPolicy(e.message().to_owned()))?;
        let floors = policy.tolerances.iter().map(|t| t.floor).chain([policy.floor]);
        for (name, share) in floors.map(|f| ("floor", f)).chain([("alpha", policy.alpha)]) {
            if !(share > 0.0 && share < 1.0) {
                return Err(BadPolicy(format!("{name} = {share}; it has to be above 0 and below 1")));
            }
        }
        if !(policy.budget_s > 0.0 && policy.budget_s.is_finite()) {
            return Err(BadPolicy(format!("budget_s = {}; it has to be a number of seconds above 0", policy.budget_s)));
        }
        Ok(policy)
    }
    /// The policy that is part of the program. Errors: never, which a test sees to.
    pub fn embedded() -> Result<Self, BadPolicy> {
        Self::parse(EMBEDDED)
    }
    /// The smallest slowdown of `id` that matters.
    pub fn floor(&self, id: &str) -> f64 {
        self.tolerances.iter().find(|t| id::matches(&t.glob, id)).map_or(self.floor, |t| t.floor)
    }
    /// Whether `id` is only watched.
    pub fn watched(&self, id: &str) -> bool {
        self.watched.iter().any(|w| id::matches(&w.glob, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_policy_reads_and_its_globs_mean_something() {
        let policy = Policy::embedded().expect("the file in this folder is a policy");
        assert_eq!(policy.floor("gemm/cpu/avx512?m=1"), policy.floor);
        assert!(policy.floor("decode/cpu/avx512?model=tiny") > policy.floor);
        assert!(policy.watched("peak/cpu/avx512?type=f32") && !policy.watched("gemm/cpu/avx512?m=1"));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (text, said) in [
            ("floor = 2\nalpha = 0.01\nbudget_s = 3.0", "floor = 2"),
            ("floor = 0.02\nalpha = 0.0\nbudget_s = 3.0", "alpha = 0"),
            ("floor = 0.02\nalpha = 0.01\nbudget_s = nan", "budget_s"),
            ("floor = 0.02\nalpha = 0.01\nbudget_s = 3.0\nflor = 1", "flor"),
        ] {
            let error = Policy::parse(text).expect_err(text).to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
