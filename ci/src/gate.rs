//! What a gate found: one row a benchmark, with what it rests on.

use crate::paired::Effect;
use crate::statistics::upper_bound;
use crate::{Policy, Verdict};
use serde::{Deserialize, Serialize};

/// One benchmark, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Which.
    pub id: String,
    /// What can be said of it.
    pub verdict: Verdict,
    /// How large the effect is, where anything was measured.
    pub effect: Option<Effect>,
    /// p of being slower over all looks, before Holm; `None` where nothing was tested.
    pub slower_p: Option<f64>,
    /// The smallest slowdown that matters here.
    pub floor: f64,
    /// Whether it is only watched: told, and never a reason to fail.
    pub watched: bool,
    /// How it was measured, and what went wrong meanwhile.
    pub notes: Vec<String>,
}

impl Row {
    /// A row of which nothing was measured.
    pub fn bare(id: &str, verdict: Verdict, policy: &Policy) -> Self {
        let (floor, watched) = (policy.floor(id), policy.watched(id));
        Self { id: id.to_owned(), verdict, effect: None, slower_p: None, floor, watched, notes: Vec::new() }
    }
}

/// All of a gate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gate {
    /// What stood before, in words.
    pub baseline: String,
    /// What is judged, in words.
    pub candidate: String,
    /// The machine.
    pub host: String,
    /// The seed of the order.
    pub seed: u64,
    /// What this gate is known to do on machines like this.
    pub calibration: Option<Calibration>,
    /// Every benchmark, in order.
    pub rows: Vec<Row>,
    /// Benchmarks that the budget left no time for.
    pub left_over: Vec<String>,
}

/// What trials on one host class have shown: appended to, never pooled with another class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Gates over two builds of one commit.
    pub trials: u64,
    /// Of them with a false alarm.
    pub alarms: u64,
    /// Of them that proved equality.
    pub passes: u64,
    /// Slowdowns put in, as shares, each with trials and how many were found.
    pub found: Vec<(f64, u64, u64)>,
}

/// Fewest trials of one slowdown that a detection rate may be told from.
const FEWEST: u64 = 40;

impl Calibration {
    /// The smallest slowdown found nine times in ten, of those that were tried often enough.
    pub fn detects(&self) -> Option<f64> {
        let found = self.found.iter().filter(|(_, trials, found)| *trials >= FEWEST && 10 * found >= 9 * trials);
        found.map(|(share, ..)| *share).min_by(f64::total_cmp)
    }
}

impl std::fmt::Display for Calibration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bound = 100.0 * upper_bound(self.alarms, self.trials);
        write!(f, "false alarms ≤ {bound:.1} % (n = {}, {} seen)", self.trials, self.alarms)?;
        match self.detects() {
            Some(share) => write!(f, ", finds {:.0} % nine times in ten", 100.0 * share),
            None => write!(f, ", what it finds nine times in ten is not calibrated (fewer than {FEWEST} trials)"),
        }
    }
}

/// What a gate comes to as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// All that is gated passed.
    Fine,
    /// A regression, or something broken or missing.
    Failed,
    /// Nothing failed and something could not be told.
    Inconclusive,
}

impl Gate {
    /// The worst of the rows that are gated.
    pub fn sum(&self) -> Sum {
        let gated = || self.rows.iter().filter(|row| !row.watched);
        let failed = |v: &Verdict| matches!(v, Verdict::Regression | Verdict::Broken(_) | Verdict::Missing);
        if gated().any(|row| failed(&row.verdict)) {
            return Sum::Failed;
        }
        let open = !self.left_over.is_empty() || gated().any(|row| matches!(row.verdict, Verdict::Inconclusive(_)));
        if open { Sum::Inconclusive } else { Sum::Fine }
    }
    /// How many rows have each verdict, as a sentence: `6 PASS, 1 REGRESSION`.
    pub fn counts(&self) -> String {
        let names = ["REGRESSION", "BROKEN", "MISSING", "INCONCLUSIVE", "IMPROVEMENT", "NEW", "PASS"];
        let counted = names.map(|name| (name, self.rows.iter().filter(|row| row.verdict.name() == name).count()));
        let told: Vec<_> = counted.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{n} {name}")).collect();
        if told.is_empty() { "nothing was judged".to_owned() } else { told.join(", ") }
    }
    /// What the gate is known to do on machines like this, in a sentence.
    pub fn calibrated(&self) -> String {
        match &self.calibration {
            Some(calibration) => calibration.to_string(),
            None => format!("not calibrated on this host class ({}); `spark-bench gate calibrate` does it", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict, watched: bool) -> Row {
        Row { id: "x".into(), verdict, effect: None, slower_p: None, floor: 0.02, watched, notes: Vec::new() }
    }

    #[test]
    fn the_worst_gated_row_decides() {
        let sum = |rows: Vec<Row>| Gate { rows, ..Gate::default() }.sum();
        let open = || Verdict::Inconclusive("why".into());
        assert_eq!(sum(vec![row(Verdict::Pass, false), row(Verdict::New, false)]), Sum::Fine);
        assert_eq!(sum(vec![row(open(), false), row(Verdict::Pass, false)]), Sum::Inconclusive);
        assert_eq!(sum(vec![row(open(), false), row(Verdict::Missing, false)]), Sum::Failed);
        assert_eq!(sum(vec![row(Verdict::Regression, true), row(open(), true)]), Sum::Fine);
        let left = Gate { left_over: vec!["y".into()], ..Gate::default() };
        assert_eq!(left.sum(), Sum::Inconclusive);
    }

    #[test]
    fn a_calibration_says_what_it_knows_and_no_more() {
        let few = Calibration { trials: 60, ..Calibration::default() };
        assert!(few.to_string().contains("≤ 4.9 % (n = 60") && few.detects().is_none());
        let found = vec![(0.03, 60, 40), (0.05, 60, 58), (0.08, 10, 10)];
        let many = Calibration { trials: 299, alarms: 0, passes: 290, found };
        assert_eq!(many.detects(), Some(0.05));
        assert!(many.to_string().starts_with("false alarms ≤ 1.0 % (n = 299"), "{many}");
    }
}
