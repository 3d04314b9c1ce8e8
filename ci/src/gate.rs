//! What a gate found: one row a benchmark, with what it rests on.

use crate::calibration::Calibration;
use crate::explained::Explanation;
use crate::paired::Effect;
use crate::{Policy, Verdict};

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
    /// What was counted beside the time. It decides nothing.
    pub explanation: Option<Explanation>,
}

impl Row {
    /// A row of which nothing was measured.
    pub fn bare(id: &str, verdict: Verdict, policy: &Policy) -> Self {
        let (floor, watched) = (policy.floor(id), policy.watched(id));
        let (effect, slower_p, notes, explanation) = (None, None, Vec::new(), None);
        Self { id: id.to_owned(), verdict, effect, slower_p, floor, watched, notes, explanation }
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
        let known = self.calibration.as_ref().filter(|known| !known.cells.is_empty());
        let Some(known) = known else {
            return format!("not calibrated on this host class ({}); `spark-bench gate calibrate` does it", self.host);
        };
        let gated = self.rows.iter().filter(|row| !row.watched);
        let floor = gated.map(|row| row.floor).fold(f64::INFINITY, f64::min);
        let found = known.notes().iter().filter_map(|note| known.detects(note)).fold(f64::INFINITY, f64::min);
        let weak = found.is_finite() && floor < found;
        let hint = format!(
            "; a slowdown of {:.0} %, the floor, is often left open: a longer --budget finds more",
            100.0 * floor
        );
        format!("{known}{}", if weak { hint } else { String::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict, watched: bool) -> Row {
        Row {
            id: "x".into(),
            verdict,
            effect: None,
            slower_p: None,
            floor: 0.02,
            watched,
            notes: Vec::new(),
            explanation: None,
        }
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
    fn what_a_gate_is_worth_is_said_with_what_it_often_misses() {
        let line = |factor: f64, verdict: &str| {
            format!(
                r#"{{"at":"","id":"","factor":{factor:?},"verdict":"{verdict}","ratio":null,"blocks":null,"seconds":1.0,"seed":1,"note":"quiet"}}"#
            ) + "\n"
        };
        let text = line(1.0, "PASS").repeat(299) + &line(1.05, "REGRESSION").repeat(40);
        let calibration = Some(Calibration::read(&text).expect("trials"));
        let gate = Gate { rows: vec![row(Verdict::Pass, false)], calibration, ..Gate::default() };
        let told = gate.calibrated();
        assert!(told.starts_with("quiet: false alarms ≤ 1.0 % (n = 299), finds 5 % nine times in ten; "), "{told}");
        assert!(told.contains("a slowdown of 2 %"), "{told}");
        let coarse = Gate { rows: vec![Row { floor: 0.06, ..row(Verdict::Pass, false) }], ..gate };
        assert!(!coarse.calibrated().contains("a slowdown of"), "{}", coarse.calibrated());
        assert!(Gate::default().calibrated().contains("not calibrated"));
    }
}
