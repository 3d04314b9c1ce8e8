//! The fewest most probable tokens that reach a probability, and a draw from them: integers from the weights on.

use super::{Args, Sample};
use crate::Fault;
use crate::cpu::pool::Pool;
use crate::cpu::share::share;
use crate::cpu::variant::Entry;

/// The weight of the largest logit.
pub(super) const ONE: f32 = (1 << 30) as f32;
/// Weights of 1 to 2^30 by exponent and the first three bits after it.
pub(super) const BINS: usize = 31 * 8;

/// Scratch of one draw.
#[derive(Debug)]
pub(super) struct Nucleus {
    /// parts × size, the last part with zeros beyond the vocabulary.
    weights: Vec<u32>,
    /// Logits a part.
    size: usize,
    /// parts × sum of the weights in each bin.
    bins: Vec<[u64; BINS]>,
    /// Tokens of the one bin in which the sum is reached, as [`key`]s.
    bin: Vec<u64>,
}

/// The bin of a weight that is not 0: its bits as an f32, which is exact for a weight, cut short.
fn bin_of(weight: u32) -> usize {
    ((weight as f32).to_bits() >> 20) as usize - (127 << 3)
}

/// One worker's sums: all in the first of its parts.
pub(super) fn count(weights: &[u32], bins: &mut [[u64; BINS]]) {
    bins.fill([0; BINS]);
    for &weight in weights.iter().filter(|weight| **weight != 0) {
        bins[0][bin_of(weight)] += u64::from(weight);
    }
}

/// Orders tokens by weight, and those of one weight by index from high to low.
fn key(weight: u32, index: usize) -> u64 {
    u64::from(weight) << 32 | u64::from(!(index as u32))
}

impl Nucleus {
    pub(super) fn new(vocab: usize, parts: usize, size: usize) -> Self {
        let parts = if vocab == 0 { 0 } else { parts };
        Self { weights: vec![0; parts * size], size, bins: vec![[0; BINS]; parts], bin: Vec::with_capacity(vocab) }
    }
    /// Weighs the logits of one row, each worker its parts.
    pub(super) fn weigh(
        &mut self,
        pool: &Pool,
        kernel: Entry<Sample>,
        logits: &[f32],
        largest: f32,
        temperature: f32,
    ) -> Result<(), Fault> {
        let (parts, size, kernel) = (self.bins.len(), self.size, kernel.here()?);
        let outputs = (self.weights.as_mut_slice(), self.bins.as_mut_slice());
        share(pool, (parts, 1), outputs, (size, 1), &|range, weights, bins| {
            let start = (range.start * size).min(logits.len());
            let logits = &logits[start..(range.end * size).min(logits.len())];
            let weights = &mut weights[..logits.len()];
            kernel.call(&mut Args::Weigh { logits, largest, temperature, weights, bins });
        });
        Ok(())
    }
    /// Draws a token from those weighed last.
    pub(super) fn draw(&mut self, top_p: f32, random: u64) -> u32 {
        let Self { weights, bins, bin, .. } = self;
        let in_bin = |i: usize| bins.iter().map(|part| part[i]).sum::<u64>();
        let total: u64 = (0..BINS).map(in_bin).sum();
        // A total is below 2^52, so this is one correctly rounded product; at least one token is kept.
        let enough = ((f64::from(top_p) * total as f64) as u64).max(1);
        let (mut kept, mut last_bin) = (0, BINS - 1);
        while kept + in_bin(last_bin) < enough {
            kept += in_bin(last_bin);
            last_bin -= 1;
        }
        bin.clear();
        let tokens = weights.iter().enumerate().filter(|(_, weight)| **weight != 0 && bin_of(**weight) == last_bin);
        bin.extend(tokens.map(|(index, &weight)| key(weight, index)));
        bin.sort_unstable();
        let mut least = 0;
        for &key in bin.iter().rev() {
            (kept, least) = (kept + (key >> 32), key);
            if kept >= enough {
                break;
            }
        }
        // kept · random / 2^64: the bias is below kept / 2^64 < 2^-12 of one weight.
        let mut left = ((u128::from(kept) * u128::from(random)) >> 64) as u64;
        for (index, &weight) in weights.iter().enumerate() {
            if weight != 0 && key(weight, index) >= least {
                if left < u64::from(weight) {
                    return index as u32;
                }
                left -= u64::from(weight);
            }
        }
        unreachable!("the draw lies below the sum of the kept weights")
    }
}
