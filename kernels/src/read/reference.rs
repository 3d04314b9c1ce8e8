//! What `read` must find: the exact sum of each share, cut as the contract says it is cut.

use super::Read;
use crate::{Example, Expected, Index};

/// The 32-bit halves of the sums at `indices`.
pub(super) fn expected(op: &Read, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let next = example.outputs[1].slice::<u32>()[0];
    let words = &example.inputs[0].slice::<u64>()[op.words(next)];
    let blocks = op.window().bytes.div_ceil(4096);
    let sums: Vec<u64> = (0..op.0.threads)
        .map(|worker| {
            let cut = |i: usize| (blocks * i / op.0.threads * 512).min(words.len());
            let once = words[cut(worker)..cut(worker + 1)].iter().fold(0, |sum: u64, &word| sum.wrapping_add(word));
            once.wrapping_mul(op.window().passes() as u64)
        })
        .collect();
    let half = |at: usize| (sums[at / 2] >> (32 * (at % 2))) as u32;
    let value = |index: &Index| if index.output == 0 { half(index.at) } else { next + 1 };
    indices.iter().map(|index| Expected { value: f64::from(value(index)), scale: 1.0 }).collect()
}
