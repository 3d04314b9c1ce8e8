//! What samples say about themselves: what they are worth, what stands apart from them, whether they drift.

use super::{Drift, FEWEST, Outliers, autocorrelation, drift, independent, median, outliers};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What samples say about trusting them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sampling {
    /// How many independent samples they are worth; the interval counts so many. Below six the interval is their range.
    pub independent: f64,
    /// Lag-1 autocorrelation of their ranks; null below six samples and where all are equal.
    pub autocorrelation: Option<f64>,
    /// Samples far from the rest; they count like all others.
    pub outliers: Outliers,
    /// Drift from the first third to the last; null below nine samples.
    pub drift: Option<Drift>,
}

/// Fewer samples than this hide how they follow each other from every test …
const HIDES: usize = 20;
/// … and this lag-1 autocorrelation of them is a hint at least.
const HINT: f64 = 0.2;
/// More outliers than this share are worth a word.
const DISTURBED: f64 = 0.05;

impl Sampling {
    /// Of `values`, in the order they were taken.
    pub fn of(values: &[f64]) -> Self {
        Self {
            independent: independent(values),
            autocorrelation: autocorrelation(values),
            outliers: outliers(values),
            drift: drift(values),
        }
    }
    /// The same of `values` that stand at several levels, `spans` of them each: a level is what was found, so that a sample is far
    /// from the rest, and the rest drifts, only where they do so within it.
    pub fn of_levels(values: &[f64], spans: &[Range<usize>]) -> Self {
        let mut relative = values.to_vec();
        for span in spans {
            let Some(level) = values.get(span.clone()).map(median).filter(|level| *level > 0.0) else { continue };
            relative[span.clone()].iter_mut().for_each(|v| *v /= level);
        }
        Self { outliers: outliers(&relative), drift: drift(&relative), ..Self::of(values) }
    }
    /// Whether the 95 % interval may cover less than it says: `samples` are worth too few, or are too few to know and give a hint.
    pub fn doubtful(&self, samples: usize) -> bool {
        self.independent < FEWEST as f64 || (samples < HIDES && self.autocorrelation.is_some_and(|r| r > HINT))
    }
    /// What a reader of the number has to know, in sentences; nothing where there is nothing to warn of. `samples` is their number.
    pub fn remarks(&self, samples: usize) -> Vec<String> {
        let mut remarks = Vec::new();
        let lag1 = self.autocorrelation.unwrap_or_default();
        match samples {
            0 => {}
            1 => remarks.push("one sample: there is no interval".to_owned()),
            2..FEWEST => remarks.push(format!("{samples} samples: the interval is their range")),
            _ if self.independent < FEWEST as f64 => remarks.push(format!(
                "the samples follow each other (lag-1 autocorrelation {lag1:.2}): {samples} are worth {:.0} independent ones, too few \
                 for an interval; it is their range",
                self.independent
            )),
            _ if self.doubtful(samples) => remarks.push(format!(
                "{samples} samples are too few to tell whether they follow each other (lag-1 autocorrelation {lag1:.2}): the interval may \
                 be too narrow"
            )),
            _ if self.independent < 0.25 * samples as f64 => remarks.push(format!(
                "the samples follow each other (lag-1 autocorrelation {lag1:.2}): {samples} are worth {:.0} independent ones, and the \
                 interval counts so many",
                self.independent
            )),
            _ => {}
        }
        let Outliers { count, share, furthest } = self.outliers;
        if let Some(furthest) = furthest.filter(|_| share > DISTURBED) {
            remarks.push(format!(
                "{count} of {samples} samples ({:.1} %) are outliers, the furthest {furthest:.2} × the median: the machine was \
                 disturbed; none was dropped",
                100.0 * share
            ));
        }
        if let Some(drift) = self.drift.filter(Drift::matters) {
            remarks.push(format!(
                "the samples drift: the last third took {:+.1} % of the first third's time (p = {:.1e})",
                100.0 * drift.change,
                drift.p
            ));
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_no_outlier_and_no_drift_and_what_is_far_within_it_is() {
        // Forty windows of half a second, then forty of 0.7 s: a machine that grew warm.
        let jitter = |i: u32| 1.0 + 0.002 * f64::from(i * 7 % 5);
        let mut values: Vec<f64> = (0..40).map(|i| 0.5 * jitter(i)).chain((0..40).map(|i| 0.7 * jitter(i))).collect();
        let whole = Sampling::of(&values);
        assert!(whole.drift.is_some_and(|d| d.change > 0.3), "what it would be without levels: {whole:?}");
        let spans = [0..40, 40..80];
        let sampling = Sampling::of_levels(&values, &spans);
        assert!(sampling.outliers.count == 0 && sampling.drift.is_some_and(|d| d.change.abs() < 0.01), "{sampling:?}");
        assert_eq!(sampling.independent, whole.independent, "the interval counts so many");
        values[60] = 1.4;
        let disturbed = Sampling::of_levels(&values, &spans).outliers;
        assert!(disturbed.count == 1 && disturbed.furthest.is_some_and(|f| (f - 2.0).abs() < 0.02), "{disturbed:?}");
        // One short level among long ones is where `of` calls its samples far.
        let short: Vec<f64> = (0..60).map(|i| if i < 55 { 0.5 } else { 0.9 } * jitter(i)).collect();
        assert!(
            Sampling::of(&short).outliers.count == 5
                && Sampling::of_levels(&short, &[0..55, 55..60]).outliers.count == 0
        );
    }
}
