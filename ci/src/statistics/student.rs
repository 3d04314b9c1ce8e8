//! Student's t: how surprising one new value is beside a few old ones.

use spark_results::stats::upper_tail;

/// One-sided p of a value at least as large as `new`, were it drawn like `old`: the t-test of a prediction, which counts the
/// spread between the old ones and the uncertainty of their mean. `None` below three old values or where they are all equal.
pub fn surprise(old: &[f64], new: f64) -> Option<f64> {
    let n = old.len() as f64;
    if old.len() < 3 || !new.is_finite() {
        return None;
    }
    let mean = old.iter().sum::<f64>() / n;
    let variance = old.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let t = (new - mean) / (variance * (1.0 + 1.0 / n)).sqrt();
    t.is_finite().then(|| upper_tail(t, n - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_value_among_the_old_ones_surprises_nobody() {
        let old = [10.0, 10.2, 9.9, 10.1, 9.8];
        assert!(surprise(&old, 10.1).expect("enough") > 0.2);
        assert!(surprise(&old, 12.0).expect("enough") < 0.001);
        assert!(surprise(&old, 8.0).expect("enough") > 0.999);
        assert_eq!(surprise(&[1.0, 1.0], 1.0), None);
        assert_eq!(surprise(&[1.0; 5], 2.0), None);
    }
}
