//! Judging a run against stored ones: for now only what needs no statistics. Stored samples of one old process know nothing of
//! the spread between runs, so a slowdown is advice here and never a regression.

use crate::Verdict;
use spark_results::{Entry, Outcome, Run};
use std::collections::BTreeMap;

/// Every benchmark with what can be said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Verdicts by id.
    pub verdicts: BTreeMap<String, Verdict>,
    /// Why nothing could be judged at all.
    pub nothing: Option<String>,
}

impl Judgement {
    /// Whether something that worked no longer does.
    pub fn any_broken(&self) -> bool {
        self.verdicts.values().any(|v| matches!(v, Verdict::Broken(_)))
    }
    /// What a person should read, a line each: everything but what is merely new.
    pub fn lines(&self) -> Vec<String> {
        self.verdicts.iter().filter(|(_, v)| **v != Verdict::New).map(|(id, v)| format!("{id}  {v}")).collect()
    }
}

/// Judges `candidate` against runs of the same machine; runs of another fingerprint are left out.
pub fn judge(baselines: &[Run], candidate: &Run) -> Judgement {
    let fingerprint = candidate.manifest.machine.fingerprint();
    let same: Vec<&Run> = baselines.iter().filter(|b| b.manifest.machine.fingerprint() == fingerprint).collect();
    if same.is_empty() {
        let nothing = match baselines.len() {
            0 => format!("none kept for this machine ({fingerprint}); nothing was judged"),
            n => format!("{n} given, none of this machine ({fingerprint}); nothing was judged"),
        };
        return Judgement { nothing: Some(nothing), ..Judgement::default() };
    }
    let mut judgement = Judgement::default();
    for record in &candidate.records {
        let id = record.id.to_string();
        let old: Vec<f64> = same.iter().filter_map(|run| median_ns(run, &id)).collect();
        let verdict = match (&record.outcome, old.is_empty()) {
            (Outcome::Failed { error }, false) => Some(Verdict::Broken(error.clone())),
            (_, true) => Some(Verdict::New),
            (Outcome::Skipped { .. }, false) => Some(Verdict::Missing),
            (Outcome::Measured(_), false) => median_ns(candidate, &id).map(|now| {
                let then = spark_results::stats::median(&old);
                Verdict::Inconclusive(format!(
                    "{:+.1} % time against {} stored runs: advice only",
                    (now / then - 1.0) * 100.0,
                    old.len()
                ))
            }),
        };
        judgement.verdicts.extend(verdict.map(|v| (id, v)));
    }
    let known: Vec<String> = same.iter().flat_map(|run| &run.records).map(|r| r.id.to_string()).collect();
    for id in known {
        // What this run never planned is not missing from it: it may have been narrowed by a filter.
        if candidate.manifest.planned.contains(&id) {
            judgement.verdicts.entry(id).or_insert(Verdict::Missing);
        }
    }
    judgement
}

fn median_ns(run: &Run, id: &str) -> Option<f64> {
    let record = run.records.iter().find(|r| r.id.to_string() == id)?;
    Entry::of(record, false).time.map(|t| t.median_ns)
}
