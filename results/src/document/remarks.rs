//! What bears on trusting a number and follows from the record itself.

use crate::record::Measurement;
use crate::stats::{FEWEST, bootstrap, median};
use std::collections::BTreeMap;

/// What the roofs say about each other.
pub(super) fn roofs(m: &Measurement) -> Vec<String> {
    let moved = m.roofs.iter().filter_map(|roof| Some((roof, roof.after()? / roof.before()? - 1.0)));
    let moved = moved.filter(|(_, change)| change.abs() > 0.15);
    moved.map(|(roof, change)| format!("the roof {} moved by {:+.0} % meanwhile", roof.of, change * 100.0)).collect()
}

/// How many samples do not count, by reason.
pub(super) fn dropped(m: &Measurement) -> Vec<String> {
    let all = m.samples_ns.len() + m.dropped.len();
    let mut by_reason = BTreeMap::<&str, usize>::new();
    for dropped in &m.dropped {
        *by_reason.entry(&dropped.why).or_default() += 1;
    }
    by_reason.into_iter().map(|(why, count)| format!("{count} of {all} samples do not count: {why}")).collect()
}

/// What the first version said of samples, kept so that older pages can be verified; `each` is the time of one iteration.
pub(super) fn first(each: &[f64]) -> Vec<String> {
    let mut remarks = Vec::new();
    match each.len() {
        1 => remarks.push("one sample: there is no interval".to_owned()),
        n @ 2..FEWEST => remarks.push(format!("{n} samples: the interval is their range")),
        _ => {}
    }
    let outliers = bootstrap::outliers(each);
    if outliers * 20 > each.len() {
        remarks.push(format!("{outliers} of {} samples are outliers: the machine was disturbed", each.len()));
    }
    let third = each.len() / 3;
    if third >= 3 {
        let drift = median(&each[each.len() - third..]) / median(&each[..third]);
        if drift.is_finite() && (drift - 1.0).abs() > 0.05 {
            remarks.push(format!(
                "the last third of the samples took {:+.0} % of the first third's time",
                (drift - 1.0) * 100.0
            ));
        }
    }
    remarks
}
