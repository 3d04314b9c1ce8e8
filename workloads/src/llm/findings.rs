//! What a check of a pass found: the worst op, and how much was compared.

use crate::llm::forward::Stage;
use spark_kernels::parity::Check;
use std::fmt;

/// What the comparison found.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The op whose error is the largest share of its bound, its error and bound, and how many values were compared in all.
    pub worst: Option<(String, Check)>,
    /// Values compared, over all ops.
    pub compared: usize,
    /// Ops compared.
    pub ops: usize,
}

impl Findings {
    /// As a record holds it: the error and the bound of the worst op, or nothing if nothing was compared.
    pub fn check(&self) -> Option<spark_results::record::Check> {
        let (_, worst) = self.worst.as_ref()?;
        let compared = self.compared as u64;
        Some(spark_results::record::Check { max_error: worst.max_error, tolerance: worst.tolerance, compared })
    }
    pub(crate) fn add(&mut self, stage: Stage, mut check: Check) {
        // Nothing compared is nothing found correct.
        if check.compared == 0 {
            check.max_error = f64::INFINITY;
        }
        let share = |c: &Check| if c.max_error == 0.0 { 0.0 } else { c.max_error / c.tolerance };
        self.compared += check.compared;
        self.ops += 1;
        if self.worst.as_ref().is_none_or(|(_, worst)| share(&check) > share(worst)) {
            self.worst = Some((format!("{stage:?}"), check));
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let worst = self.worst.as_ref().map_or("none", |(stage, _)| stage);
        let Self { ops, compared, .. } = self;
        write!(
            f,
            "{ops} ops of the first and the last layer and the head, each on the pass's own values against its f64 reference \
             within its own bound: {compared} values; error and bound are those of the worst, {worst}"
        )
    }
}
