//! The Clopper–Pearson bound: how often something may happen that was seen so many times in so many trials.

/// The one-sided 95 % upper bound of a share of which `seen` of `trials` were seen: the share under which so few would come in
/// 5 of 100 cases. 1 where there were no trials.
pub fn upper_bound(seen: u64, trials: u64) -> f64 {
    if trials == 0 || seen >= trials {
        return 1.0;
    }
    let (mut low, mut high) = (seen as f64 / trials as f64, 1.0);
    // The sum falls as the share rises; 60 halvings end below the last bit.
    for _ in 0..60 {
        let share = 0.5 * (low + high);
        if at_most(seen, trials, share) > 0.05 { low = share } else { high = share }
    }
    high
}

/// P(X ≤ seen) of a binomial, each term from the one before in logarithms, since the first may be below every f64.
fn at_most(seen: u64, trials: u64, share: f64) -> f64 {
    let odds = (share / (1.0 - share)).ln();
    let mut term = trials as f64 * (-share).ln_1p();
    let mut sum = term.exp();
    for x in 1..=seen {
        term += ((trials - x + 1) as f64 / x as f64).ln() + odds;
        sum += term.exp();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_closed_form_and_of_published_tables() {
        for n in [1_u64, 60, 120, 299, 480] {
            let closed = 1.0 - 0.05_f64.powf(1.0 / n as f64);
            assert!((upper_bound(0, n) - closed).abs() < 1e-9, "n = {n}");
        }
        // One of 473 proves what none of 299 does: at most 1 %.
        assert!(upper_bound(0, 299) < 0.01 && upper_bound(0, 298) > 0.01);
        assert!(upper_bound(1, 473) < 0.01 && upper_bound(1, 472) > 0.01);
        assert!((upper_bound(2, 10) - 0.5069).abs() < 1e-4);
        assert_eq!(upper_bound(0, 0), 1.0);
        assert_eq!(upper_bound(4, 4), 1.0);
    }
}
