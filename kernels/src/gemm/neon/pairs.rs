//! The kernels around the Arm matrix products, `smmla` and `bfmmla`: two rows with two outputs, 8 bytes of k at once.

use super::lanes::{put_values, values};
use std::arch::aarch64::{float32x4_t, vaddq_f32};

/// Rows that the panel kernel takes at a time: 4 pairs of rows × 2 pairs of outputs are 8 sums of 2 × 2 and as many f32 totals,
/// which with 2 weights, 4 activations and the constants fit 32 registers; 4 × 4 would not, and totals that go through memory cost
/// more loads (16 a block of 4 steps) than they save (2 of 6 a step). A step of 8 bytes of k is 6 loads and 8 products; with
/// what scaling adds, 4 vector operations for every 2 loads at most, and cores have a load port for every 1 to 1½ vector pipes.
pub(super) const GROUP: usize = 8;

/// Adds the sums of a panel to those of all, and so keeps the number of roundings that a term passes through small.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn add_to(total: &mut [f32; 4], panel: float32x4_t) {
    put_values(total, vaddq_f32(values(total), panel));
}

/// `micro` for one group of rows, over `starts()` (two), `mma(sum, a, b)` and `value(sum)` of the module that calls this.
///
/// LINES = 2 STEPS + 2 lines of panel and WORDS words of each row a unit. Where scales end the unit of a row they are the words
/// from 2 STEPS on (SCALED).
macro_rules! pair_kernels {
    ($features:literal) => {
        /// Adds the products of one panel with one group of rows to `sums`. GROUP_WORDS = 8 WORDS.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn micro<const STEPS: usize, const LINES: usize, const GROUP_WORDS: usize, const SCALED: bool>(
            panel: &[[u8; LINE]],
            acts: &[i32],
            sums: &mut [[f32; LANES]],
        ) {
            let sums = sums.as_flattened_mut().as_chunks_mut::<4>().0;
            let sums = sums.first_chunk_mut::<{ GROUP * VECTORS }>().expect("sums of a group");
            // Outputs 4q … 4q + 3.
            for q in 0..4 {
                let mut total = [[vdupq_n_f32(0.0); 2]; 4];
                for (lines, acts) in panel.as_chunks::<LINES>().0.iter().zip(acts.as_chunks::<GROUP_WORDS>().0) {
                    let acts = acts.as_chunks::<4>().0;
                    let mut exact = [starts(), starts(), starts(), starts()];
                    for s in 0..STEPS {
                        let line = &lines[2 * s + q / 2];
                        let two_outputs = [load(line, q % 2 * 2), load(line, q % 2 * 2 + 1)];
                        for p in 0..4 {
                            let two_rows = vreinterpretq_u8_s32(words(&acts[4 * s + p]));
                            for o in 0..2 {
                                exact[p][o] = mma(exact[p][o], two_rows, two_outputs[o]);
                            }
                        }
                    }
                    let line = &lines[2 * STEPS + q / 2];
                    let scales = [load_f32(line, q % 2 * 2), load_f32(line, q % 2 * 2 + 1)];
                    for p in 0..4 {
                        for o in 0..2 {
                            let mut scale = scales[o];
                            if SCALED {
                                scale = vmulq_f32(scale, vreinterpretq_f32_s32(words(&acts[4 * STEPS + p])));
                            }
                            total[p][o] = vfmaq_f32(total[p][o], value(exact[p][o]), scale);
                        }
                    }
                }
                for p in 0..4 {
                    for o in 0..2 {
                        add_to(&mut sums[8 * p + 2 * q + o], total[p][o]);
                    }
                }
            }
        }
    };
}
pub(super) use pair_kernels;
