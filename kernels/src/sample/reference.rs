//! Sampling by its definition: weigh all, sort all, keep a prefix, walk it by index.

use super::{Method, Sample, scalar};
use crate::format::splitmix::derive;
use crate::{Example, Expected, Index};

pub(super) fn reference(op: &Sample, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let logits = example.inputs[0].slice::<f32>();
    let places = example.live.spans.iter().enumerate().flat_map(|(i, s)| (0..s.rows).map(move |r| (i, s.past + r)));
    let places: Vec<_> = places.collect();
    let token = |&Index { at, .. }: &Index| {
        let row = &logits[at * op.vocab..][..op.vocab];
        let value = match (places.get(at), op.method) {
            (None, _) => example.outputs[0].value(at),
            (Some(_), Method::Greedy) => largest(row).0 as f64,
            (Some(&(span, position)), Method::TopP { temperature, top_p, seed }) => {
                let random = derive(derive(seed, span as u64), position as u64);
                draw(row, temperature, top_p, random) as f64
            }
        };
        Expected { value, scale: 1.0 }
    };
    indices.iter().map(token).collect()
}

fn largest(row: &[f32]) -> (usize, f32) {
    let mut numbers = row.iter().copied().enumerate().filter(|(_, x)| !x.is_nan());
    let first = numbers.next().unwrap_or((usize::MAX, f32::NAN));
    numbers.fold(first, |best, next| if next.1 > best.1 { next } else { best })
}

fn draw(row: &[f32], temperature: f32, top_p: f32, random: u64) -> usize {
    let most = largest(row).1;
    let weights: Vec<u64> = row.iter().map(|x| u64::from(scalar::weight_of(*x, most, temperature))).collect();
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(weights[i]));
    let enough = ((f64::from(top_p) * weights.iter().sum::<u64>() as f64) as u64).max(1);
    let mut sum = 0;
    let kept = order.iter().take_while(|&&i| {
        let more = sum < enough;
        sum += if more { weights[i] } else { 0 };
        more
    });
    let mut kept: Vec<usize> = kept.copied().collect();
    kept.sort_unstable();
    let drawn = ((u128::from(sum) * u128::from(random)) >> 64) as u64;
    let mut below = 0;
    let passed = kept.iter().take_while(|&&i| {
        below += weights[i];
        below <= drawn
    });
    kept[passed.count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The weights are the definition's own, so they are held against the softmax in f64 here.
    #[test]
    fn draws_have_the_frequencies_of_a_cut_softmax() {
        let (row, temperature, draws) = ([2.0_f32, -1.0, f32::NAN, 3.0, 0.5, 2.5], 0.8, 40_000_u64);
        let exact = row.map(|x| if x.is_nan() { 0.0 } else { (f64::from(x) / f64::from(temperature)).exp() });
        let total: f64 = exact.iter().sum();
        // Probabilities 0.53, 0.29, 0.15 …: 0.9 of it needs tokens 3, 5 and 0.
        assert!(exact[3] + exact[5] < 0.9 * total && exact[3] + exact[5] + exact[0] > 0.9 * total);
        let kept = exact[3] + exact[5] + exact[0];
        let mut seen = [0_u64; 6];
        for position in 0..draws {
            seen[draw(&row, temperature, 0.9, derive(3, position))] += 1;
        }
        assert_eq!(seen[1] + seen[2] + seen[4], 0);
        for i in [0, 3, 5] {
            let p = exact[i] / kept;
            let deviation = (p * (1.0 - p) / draws as f64).sqrt();
            let got = seen[i] as f64 / draws as f64;
            assert!((got - p).abs() < 5.0 * deviation, "token {i}: {got} of {p}");
        }
    }

    #[test]
    fn a_weight_is_two_to_the_thirtieth_of_the_largest() {
        assert_eq!(scalar::weight_of(1.5, 1.5, 0.1), 1 << 30);
        assert_eq!(scalar::weight_of(f32::INFINITY, f32::INFINITY, 1.0), 1 << 30);
        assert_eq!(scalar::weight_of(0.0, f32::INFINITY, 1.0), 0);
        assert_eq!(scalar::weight_of(f32::NAN, 0.0, 1.0), 0);
        assert_eq!(scalar::weight_of(-30.0, 0.0, 1.0), 0);
        assert!((f64::from(scalar::weight_of(-1.0, 0.0, 2.0)) / 2f64.powi(30) - (-0.5f64).exp()).abs() < 1e-6);
    }
}
