//! Stored runs: what is judged, what is advice, and what stands in the way.

#[path = "../../results/tests/made/mod.rs"]
mod made;

use spark_gate::stored::{differences, judge};
use spark_gate::{Policy, Verdict};
use spark_results::machine::PowerSource;
use spark_results::{Outcome, Run};

/// A run whose decode took `share` of the usual time.
fn run(share: f64) -> Run {
    let mut run = made::run();
    run.records.truncate(1);
    if let Outcome::Measured(measurement) = &mut run.records[0].outcome {
        measurement.samples_ns.iter_mut().for_each(|ns| *ns = (*ns as f64 * share) as u64);
    }
    run
}

fn five() -> Vec<Run> {
    [0.99, 1.0, 1.005, 1.01, 0.995].map(run).to_vec()
}

fn verdict(old: &[Run], new: &Run) -> Verdict {
    let policy = Policy::embedded().expect("a policy");
    judge(old, new, &policy).rows[0].verdict.clone()
}

#[test]
fn five_runs_tell_what_a_sixth_may_be() {
    assert_eq!(verdict(&five(), &run(1.10)), Verdict::Regression);
    assert_eq!(verdict(&five(), &run(0.90)), Verdict::Improvement);
    assert_eq!(verdict(&five(), &run(1.0)), Verdict::Pass);
    assert!(matches!(verdict(&five(), &run(1.035)), Verdict::Inconclusive(_) | Verdict::Regression));
}

#[test]
fn fewer_runs_give_advice_and_no_verdict() {
    let Verdict::Inconclusive(why) = verdict(&five()[..4], &run(1.5)) else { panic!("four are too few") };
    assert!(why.contains("advice only"), "{why}");
}

#[test]
fn another_state_is_named_and_nothing_is_judged() {
    let mut new = run(1.5);
    new.manifest.machine.power_source = Some(PowerSource::Battery);
    let mut old = five();
    old.iter_mut().for_each(|run| run.manifest.machine.power_source = Some(PowerSource::Mains));
    let Verdict::Inconclusive(why) = verdict(&old, &new) else { panic!("not comparable") };
    assert!(why.contains("power was Mains and is Battery"), "{why}");
    let mut slow = run(1.0);
    if let Outcome::Measured(measurement) = &mut slow.records[0].outcome {
        measurement.conditions.core_clocks[0].hz = vec![1e9, 1.2e9];
    }
    assert!(differences(&run(1.0), &slow)[0].contains("clock"), "{:?}", differences(&run(1.0), &slow));
    assert!(differences(&run(1.0), &run(2.0)).is_empty());
}

#[test]
fn what_broke_or_went_missing_needs_no_statistics() {
    let mut broken = run(1.0);
    broken.records[0].outcome = Outcome::Failed { error: "NaN".into() };
    assert_eq!(verdict(&five(), &broken), Verdict::Broken("NaN".into()));
    let mut gone = run(1.0);
    gone.records.clear();
    assert_eq!(verdict(&five(), &gone), Verdict::Missing);
    let mut apart = run(1.0);
    apart.manifest.machine.architecture = Some("another".into());
    assert!(judge(&[apart], &run(1.0), &Policy::embedded().expect("a policy")).rows.is_empty());
}
