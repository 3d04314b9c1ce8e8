//! Slow drift: gates against one pinned build, kept over weeks, and where they changed. Advice, and never a verdict.
//!
//! A gate against the merge base cannot see half a percent a week. Kept as one object of JSON a line, so that it can be appended to.

use crate::gate::Gate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use spark_results::stats::{changes, median};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A change is told where values in random order split as clearly in at most this share of cases.
const LEVEL: f64 = 0.01;
/// Fewest gates on each side of a change: fewer cannot be told from one disturbed run.
const SHORTEST: usize = 4;
/// Random orders that a split is compared with.
const RESAMPLES: usize = 999;

/// One benchmark of one gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When, as RFC 3339: such times sort as text.
    pub at: String,
    /// Which benchmark.
    pub id: String,
    /// The machine's fingerprint: other machines are other series.
    pub host: String,
    /// The pinned build, in its own words: another one begins another series.
    pub reference: String,
    /// The build that was compared with it.
    pub candidate: String,
    /// Its time over the pinned build's.
    pub ratio: f64,
    /// The 95 % interval of that.
    pub ci95: [f64; 2],
}

/// Why a text is no history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: no result of a gate ({why}); give a file that `gate --history` wrote")]
pub struct BadHistory {
    line: usize,
    why: String,
}

/// A place where a series changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When the first value after it was measured.
    pub at: String,
    /// Which build that was.
    pub candidate: String,
    /// Time after it over time before it, medians of the stretches on both sides.
    pub ratio: f64,
    /// How often values in random order split as clearly.
    pub p: f64,
}

/// One benchmark against one pinned build on one machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Which benchmark.
    pub id: String,
    /// On which machine.
    pub host: String,
    /// Against which build.
    pub reference: String,
    /// How many gates it rests on.
    pub points: usize,
    /// Where it changed, in order.
    pub changes: Vec<Change>,
}

/// What `gate` found, as points to append. Rows of which nothing was measured have none.
pub fn points<'a>(
    gate: &'a Gate,
    at: &'a str,
    reference: &'a str,
    candidate: &'a str,
) -> impl Iterator<Item = Point> + 'a {
    gate.rows.iter().filter_map(move |row| {
        let effect = row.effect.filter(|effect| effect.ratio.is_finite() && effect.ratio > 0.0)?;
        Some(Point {
            at: at.to_owned(),
            id: row.id.clone(),
            host: gate.host.clone(),
            reference: reference.to_owned(),
            candidate: candidate.to_owned(),
            ratio: effect.ratio,
            ci95: effect.ci95,
        })
    })
}

/// Reads a history. A line that a kill cut short is left out.
///
/// # Errors
/// A whole line that is no point.
pub fn read(text: &str) -> Result<Vec<Point>, BadHistory> {
    let whole = text.lines().enumerate().filter(|(_, line)| line.ends_with('}'));
    let points = whole.map(|(at, line)| {
        let bad = |why: String| BadHistory { line: at + 1, why };
        let point: Point = serde_json::from_str(line).map_err(|e| bad(e.to_string()))?;
        if point.ratio.is_finite() && point.ratio > 0.0 {
            Ok(point)
        } else {
            Err(bad(format!("ratio {}", point.ratio)))
        }
    });
    points.collect()
}

/// Every series in `points` with its changes. `seed` names the random orders.
pub fn drift(points: &[Point], seed: u64) -> Vec<Series> {
    let mut series: BTreeMap<[&str; 3], Vec<&Point>> = BTreeMap::new();
    for point in points {
        series.entry([&point.id, &point.host, &point.reference]).or_default().push(point);
    }
    let one = |([id, host, reference], mut points): ([&str; 3], Vec<&Point>)| {
        points.sort_by(|a, b| a.at.cmp(&b.at));
        let logs: Vec<f64> = points.iter().map(|point| point.ratio.ln()).collect();
        let found = changes(&logs, SHORTEST, LEVEL, RESAMPLES, seed);
        let ends: Vec<usize> = found.iter().map(|change| change.at).chain([logs.len()]).collect();
        let mut from = 0;
        let told = found.iter().enumerate().map(|(n, change)| {
            let before = median(&logs[from..change.at]);
            from = change.at;
            Change {
                at: points[change.at].at.clone(),
                candidate: points[change.at].candidate.clone(),
                ratio: (median(&logs[change.at..ends[n + 1]]) - before).exp(),
                p: change.p,
            }
        });
        let changes = told.collect();
        Series { id: id.into(), host: host.into(), reference: reference.into(), points: points.len(), changes }
    };
    series.into_iter().map(one).collect()
}

/// For a terminal: a line for each change, and how many series did not change or are too short to tell.
pub fn text(series: &[Series]) -> String {
    let mut out = String::new();
    for one in series {
        for Change { at, candidate, ratio, p } in &one.changes {
            let _ = writeln!(
                out,
                "{:+.1} % since {at} ({candidate})  {}  of {} gates against {}, p = {p:.3}",
                100.0 * (ratio - 1.0),
                one.id,
                one.points,
                one.reference
            );
        }
    }
    let changed = series.iter().filter(|one| !one.changes.is_empty()).count();
    let short = series.iter().filter(|one| one.points < 2 * SHORTEST).count();
    let level = 100.0 * LEVEL;
    out += &format!("{changed} of {} series changed, each searched at {level:.0} %", series.len());
    if short > 0 {
        out += &format!("; {short} have fewer than {} gates, too few to tell", 2 * SHORTEST);
    }
    out + "; advice, not a verdict\n"
}

/// For scripts: every series, as one document.
pub fn json(series: &[Series]) -> String {
    let one = |series: &Series| {
        let change = |change: &Change| json!({ "at": change.at, "candidate": change.candidate, "ratio": change.ratio, "p": change.p });
        json!({
            "id": series.id, "host": series.host, "reference": series.reference, "points": series.points,
            "enough": series.points >= 2 * SHORTEST, "changes": series.changes.iter().map(change).collect::<Vec<_>>(),
        })
    };
    format!("{:#}\n", json!({ "level": LEVEL, "series": series.iter().map(one).collect::<Vec<_>>() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(week: usize, reference: &str, ratio: f64) -> Point {
        let at = format!("2026-{:02}-{:02}T00:00:00Z", 1 + week / 28, 1 + week % 28);
        let (id, host, candidate) = ("gemm/cpu/x".into(), "h".into(), format!("build {week}"));
        Point { at, id, host, reference: reference.into(), candidate, ratio, ci95: [ratio, ratio] }
    }
    /// Ten equal gates, then ten of 3 % more, with a little noise that both share.
    fn stepped(reference: &str) -> Vec<Point> {
        let ratio = |week: usize| (if week < 10 { 1.0 } else { 1.03 }) * (1.0 + 0.002 * (week % 5) as f64);
        (0..20).map(|week| point(week, reference, ratio(week))).collect()
    }

    #[test]
    fn a_step_is_told_with_its_time_its_build_and_its_size() {
        let mut points = stepped("pinned");
        points.reverse();
        let series = drift(&points, 1);
        let [Series { changes, points: 20, .. }] = &series[..] else { panic!("{series:?}") };
        let [change] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!((change.at.as_str(), change.candidate.as_str()), ("2026-01-11T00:00:00Z", "build 10"));
        assert!((change.ratio - 1.03).abs() < 1e-9, "{change:?}");
        let told = text(&series);
        assert!(told.starts_with("+3.0 % since 2026-01-11T00:00:00Z (build 10)") && told.contains("advice"), "{told}");
        let document: serde_json::Value = serde_json::from_str(&json(&series)).expect("JSON");
        assert_eq!(document["series"][0]["changes"][0]["candidate"], "build 10");
    }

    #[test]
    fn another_reference_begins_another_series() {
        // Alone each is flat; as one series the change of reference would look like a change of the code.
        let points: Vec<Point> = (0..20).map(|week| point(week, if week < 10 { "old" } else { "new" }, 1.0)).collect();
        let series = drift(&points, 1);
        assert_eq!(series.len(), 2);
        assert!(series.iter().all(|one| one.changes.is_empty()));
        assert!(text(&drift(&points[..3], 1)).contains("too few to tell"));
    }

    #[test]
    fn what_was_written_reads_back_and_nonsense_is_named() {
        let points = stepped("pinned");
        let lines: Vec<String> = points.iter().map(|point| serde_json::to_string(point).expect("JSON")).collect();
        assert_eq!(read(&(lines.join("\n") + "\n{\"at\":\"cut")).expect("a history"), points);
        let error = read("{\"at\":1}\n").expect_err("none").to_string();
        assert!(error.starts_with("line 1: ") && error.contains("--history"), "{error}");
        let zero = serde_json::to_string(&point(1, "r", 0.0)).expect("JSON");
        assert!(read(&zero).is_err());
    }
}
