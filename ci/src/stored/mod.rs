//! Stored runs against a stored run: verdicts only where the states match and enough old runs tell how far runs spread.

use crate::gate::{Gate, Row};
use crate::paired::Effect;
use crate::statistics::{holm, surprise};
use crate::{Policy, Verdict};
use spark_results::compare::states;
use spark_results::stats::median;
use spark_results::{Entry, Outcome, Record, Run};

/// Fewest old runs of the same machine whose spread enters a test. The samples of one old process know nothing of it.
const FEWEST: usize = 5;

/// What differs between the states of two runs on one machine, each in words.
pub fn differences(old: &Run, new: &Run) -> Vec<String> {
    let say = |value: Option<String>| value.unwrap_or_default();
    states(old, new).into_iter().map(|d| format!("{} was {} and is {}", d.what, say(d.a), say(d.b))).collect()
}

/// Judges `candidate` against `baselines`. Runs of another machine are left out and said to be.
pub fn judge(baselines: &[Run], candidate: &Run, policy: &Policy) -> Gate {
    let host = candidate.manifest.machine.fingerprint();
    let same: Vec<&Run> = baselines.iter().filter(|run| run.manifest.machine.fingerprint() == host).collect();
    let others = baselines.len() - same.len();
    let apart = if others > 0 { format!(", {others} of other machines left out") } else { String::new() };
    let mut gate = Gate {
        baseline: format!("{} stored runs of this machine{apart}", same.len()),
        candidate: format!("run {}", candidate.manifest.id),
        host,
        ..Gate::default()
    };
    if same.is_empty() {
        return gate;
    }
    let states: Vec<String> = same.iter().flat_map(|run| differences(run, candidate)).collect();
    let mut rows = Vec::new();
    for record in &candidate.records {
        rows.push(row(&same, record, policy, &states));
    }
    for id in same.iter().flat_map(|run| &run.records).map(|record| record.id.to_string()) {
        // What this run never planned is not missing from it: it may have been narrowed by a filter.
        if candidate.manifest.planned.contains(&id) && !rows.iter().any(|row| row.id == id) {
            rows.push(Row::bare(&id, Verdict::Missing, policy));
        }
    }
    verdicts(&mut rows, policy);
    gate.rows = rows;
    gate
}

fn row(same: &[&Run], record: &Record, policy: &Policy, states: &[String]) -> Row {
    let id = record.id.to_string();
    if record.reported().is_some() {
        let why = "another program reported it: it was not measured here and is not judged".to_owned();
        return Row::bare(&id, Verdict::Inconclusive(why), policy);
    }
    let old: Vec<f64> =
        same.iter().filter_map(|run| median_ns(run.records.iter().find(|r| r.id == record.id)?)).collect();
    if old.is_empty() {
        return Row::bare(&id, Verdict::New, policy);
    }
    let now = match &record.outcome {
        Outcome::Failed { error } => return Row::bare(&id, Verdict::Broken(error.clone()), policy),
        Outcome::Skipped { .. } => return Row::bare(&id, Verdict::Missing, policy),
        Outcome::Reported(_) => None,
        Outcome::Measured(_) => median_ns(record),
    };
    let Some(now) = now else { return Row::bare(&id, Verdict::Inconclusive("it has no time".to_owned()), policy) };
    let ratio = now / median(&old);
    let logs: Vec<f64> = old.iter().map(|ns| ns.ln()).collect();
    let enough = old.len() >= FEWEST;
    let p = if enough { surprise(&logs, now.ln()) } else { None };
    let why = match (states, p) {
        ([first, ..], _) => format!("the machine was in another state: {first}"),
        ([], None) if enough => "the stored runs do not differ at all, and tell nothing of their spread".to_owned(),
        ([], None) => {
            format!("{} stored runs have it, {FEWEST} are needed to know how far runs spread: advice only", old.len())
        }
        ([], Some(_)) => String::new(),
    };
    let spread = old.iter().fold([f64::INFINITY, 0.0_f64], |[low, high], ns| [low.min(*ns), high.max(*ns)]);
    Row {
        // Between runs there is no interval of blocks: the range of ratios to the single old runs stands for it.
        effect: Some(Effect { ratio, ci95: [now / spread[1], now / spread[0]], blocks: old.len() }),
        slower_p: if states.is_empty() { p } else { None },
        ..Row::bare(&id, Verdict::Inconclusive(why), policy)
    }
}

/// Holm over the rows that were tested, both ways.
fn verdicts(rows: &mut [Row], policy: &Policy) {
    let tested: Vec<usize> = (0..rows.len()).filter(|at| rows[*at].slower_p.is_some()).collect();
    let p: Vec<f64> = tested.iter().filter_map(|at| rows[*at].slower_p).collect();
    let slower = holm(&p);
    let faster = holm(&p.iter().map(|p| 1.0 - p).collect::<Vec<_>>());
    for (at, (slower, faster)) in tested.into_iter().zip(slower.into_iter().zip(faster)) {
        let row = &mut rows[at];
        let Some(effect) = row.effect else { continue };
        row.verdict = if slower <= policy.alpha && effect.ratio > 1.0 + row.floor {
            Verdict::Regression
        } else if faster <= policy.alpha && effect.ratio < 1.0 / (1.0 + row.floor) {
            Verdict::Improvement
        } else if effect.ci95[1] <= 1.0 + row.floor {
            // Not above the floor even against the fastest of the old runs.
            Verdict::Pass
        } else {
            Verdict::Inconclusive(format!("within what {} stored runs differ by, p = {slower:.2}", effect.blocks))
        };
    }
}

fn median_ns(record: &Record) -> Option<f64> {
    Entry::of(record, false).time.map(|time| time.median_ns).filter(|ns| *ns > 0.0)
}
