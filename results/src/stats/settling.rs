//! Whether what is repeated has become steady: the question that ends a warm-up.

use super::{mad, median};

/// Two stretches agree when their medians differ by less than this share, whatever the noise.
const AGREE: f64 = 0.01;
/// … or by less than so many standard errors of the difference: noise is no reason to go on warming up.
const ERRORS: f64 = 3.0;
/// … or, where they are of fewer than four values and do not know their own noise, by less than this share.
const AGREE_FEW: f64 = 0.05;
/// Fewer values than this show no level: they count as steady.
const FEWEST: usize = 4;

/// Whether the latest `values` stay at one level. The first half is taken for the way there; the two quarters after it have to agree
/// in their medians, to 1 % or to three standard errors by their own spread; to 5 % where they are of fewer than four values.
pub fn settled(values: &[f64]) -> bool {
    if values.len() < FEWEST {
        return true;
    }
    // Of few values the first is the way there: half of them would leave too little to compare.
    let way = if values.len() < 2 * FEWEST { 1 } else { values.len() / 2 };
    let late = &values[way..];
    let (before, after) = late.split_at(late.len() / 2);
    let (a, b) = (median(before), median(after));
    // A median of k normal values has a standard error of 1.25·σ/√k.
    let error = |part: &[f64]| 1.25 * 1.4826 * mad(part) / (part.len() as f64).sqrt();
    let allowed = if before.len() < FEWEST {
        AGREE_FEW * a.abs()
    } else {
        (AGREE * a.abs()).max(ERRORS * error(before).hypot(error(after)))
    };
    (a - b).abs() <= allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Random;

    #[test]
    fn a_slow_start_is_left_behind() {
        let slow_start = |n: usize| (0..n).map(|i| 1.0 + 5.0 * (-(i as f64) / 3.0).exp()).collect::<Vec<_>>();
        assert!(!settled(&slow_start(8)) && settled(&slow_start(40)));
        assert!(settled(&[9.0, 1.0, 1.0]) && settled(&[9.0, 1.0, 1.0, 1.0, 1.0]));
        assert!(!settled(&[1.0, 1.2, 1.4, 1.6]));
    }

    #[test]
    fn noise_is_no_reason_to_go_on() {
        let mut random = Random::new(23);
        let settled = (0..500).filter(|_| {
            let values: Vec<f64> = (0..32).map(|_| 1.0 + 0.3 * random.unit()).collect();
            settled(&values)
        });
        let settled = settled.count();
        assert!(settled > 460, "{settled} of 500");
    }
}
