//! An axis: its range, its scale and where its ticks stand.

/// One axis of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    /// Name and unit.
    pub(crate) title: String,
    /// Values that get a grid line, with their texts.
    pub(crate) ticks: Vec<(f64, String)>,
    low: f64,
    high: f64,
    log: bool,
}

impl Axis {
    /// A logarithmic axis around `low … high` (both positive), ticked at decades, or at 1, 2, 5 where there are few of them.
    pub(crate) fn log(title: &str, low: f64, high: f64, write: impl Fn(f64) -> String) -> Self {
        let low = low.max(f64::MIN_POSITIVE);
        let high = high.max(low * 2.0);
        let decades = (high / low).log10();
        let steps: &[f64] = if decades > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let ticks = (first..=last)
            .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
            .filter(|v| *v >= low * 0.999 && *v <= high * 1.001)
            .map(|v| (v, write(v)))
            .collect();
        Self { title: title.into(), ticks, low, high, log: true }
    }
    /// A logarithmic axis of sizes in bytes, ticked at every fourth power of two.
    pub(crate) fn sizes(title: &str, low: f64, high: f64) -> Self {
        let (low, high) = (low.max(1.0), high.max(low.max(1.0) * 2.0));
        let (first, last) = (low.log2().ceil() as u32, high.log2().floor() as u32);
        let step = if last.saturating_sub(first) > 12 { 2 } else { 1 };
        let ticks = (first..=last.min(62))
            .filter(|power| power % step == 0)
            .map(|power| ((1u64 << power) as f64, spark_results::quantity::size(1 << power)))
            .collect();
        Self { title: title.into(), ticks, low, high, log: true }
    }
    /// A linear axis from 0 to a round value at or above `high`.
    pub(crate) fn linear(title: &str, high: f64, write: impl Fn(f64) -> String) -> Self {
        let high = if high.is_finite() && high > 0.0 { high } else { 1.0 };
        let raw = high / 4.0;
        let decade = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].map(|s| s * decade).into_iter().find(|s| *s >= raw).unwrap_or(raw);
        let count = (high / step).ceil().max(1.0);
        let ticks = (0..=count as u32).map(|i| (f64::from(i) * step, write(f64::from(i) * step))).collect();
        Self { title: title.into(), ticks, low: 0.0, high: count * step, log: false }
    }
    /// Where `value` lies between the ends, 0 … 1; what lies outside is moved to the end.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let at = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if at.is_nan() { 0.0 } else { at.clamp(0.0, 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let axis = Axis::linear("t", 37.0, |v| format!("{v}"));
        assert_eq!(axis.ticks.iter().map(|t| t.0).collect::<Vec<_>>(), [0.0, 10.0, 20.0, 30.0, 40.0]);
        let axis = Axis::log("x", 3e9, 4e12, |v| format!("{v:e}"));
        assert_eq!(axis.ticks.iter().map(|t| t.1.as_str()).collect::<Vec<_>>(), ["1e10", "1e11", "1e12"]);
        let axis = Axis::sizes("s", 32.0 * 1024.0, 1e9);
        assert_eq!((axis.place(1.0), axis.place(1e12), axis.place(f64::NAN)), (0.0, 1.0, 0.0));
        assert!(axis.ticks.iter().any(|t| t.1 == "1 MiB"));
    }

    #[test]
    fn degenerate_ranges_have_places_too() {
        for axis in [Axis::log("x", 0.0, 0.0, |v| format!("{v}")), Axis::linear("x", f64::NAN, |v| format!("{v}"))] {
            assert!((0.0..=1.0).contains(&axis.place(5.0)));
        }
    }
}
