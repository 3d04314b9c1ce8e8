//! Holm's step-down procedure: many p-values, one error rate for all of them (Holm 1979).

/// Each p-value adjusted, in the order given: rejected at family-wise `level` are those at most `level`. Valid under any
/// dependence between them.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &at) in order.iter().enumerate() {
        largest = largest.max((p_values.len() - rank) as f64 * p_values[at]);
        adjusted[at] = largest.min(1.0);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_smallest_is_multiplied_by_all_the_next_by_one_less() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (is, wanted) in adjusted.into_iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((is - wanted).abs() < 1e-12, "{is} instead of {wanted}");
        }
        assert!(holm(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn no_p_shrinks_and_order_is_kept(p in prop::collection::vec(0.0f64..1.0, 1..30)) {
            let adjusted = holm(&p);
            for i in 0..p.len() {
                prop_assert!(adjusted[i] >= p[i] && adjusted[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
                }
            }
        }
    }
}
