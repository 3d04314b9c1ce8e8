//! The kernels around the Arm matrix products, `smmla` and `bfmmla`: two rows with two outputs, 8 bytes of k at once.

use super::lanes::{put_values, values};
use std::arch::aarch64::vaddq_f32;

/// Rows that the panel kernel takes at a time: 4 pairs of rows × 4 pairs of outputs are 16 sums of 2 × 2, which with 4 weights, 4
/// activations and the constants take 26 of 32 registers. A step of 8 bytes of k is 8 loads and 16 products; the cores that have
/// these load 2 to 4 vectors a cycle and multiply 2 to 6, so that loads do not bind. The other half of the tile's outputs comes
/// after. The f32 totals stay in L1: 16 loads and 16 stores a block.
pub(super) const GROUP: usize = 8;

/// Adds the sums of a panel to those of all.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn add_chunk(total: &mut [[f32; 4]], chunk: &[[f32; 4]]) {
    for (total, chunk) in total.iter_mut().zip(chunk) {
        put_values(total, vaddq_f32(values(total), values(chunk)));
    }
}

/// `micro` for one group of rows and `few_pairs` for pairs of rows that stand by themselves, over `start()`, `mma(sum, a, b)` and
/// `value(sum)` of the module that calls this.
///
/// `$chunked`: a panel is added up by itself before its sum is added to the total, as the tolerance of float sums asks for.
/// LINES = 2 STEPS + 2 lines of panel and WORDS words of each row a unit. Where scales end the unit of a row they are the words
/// from 2 STEPS on (SCALED).
macro_rules! pair_kernels {
    ($features:literal, $chunked:literal) => {
        /// Adds the products of one panel with one group of rows to `sums`. GROUP_WORDS = 8 WORDS.
        #[inline(never)]
        #[target_feature(enable = $features)]
        fn micro<const STEPS: usize, const LINES: usize, const GROUP_WORDS: usize, const SCALED: bool>(
            panel: &[[u8; LINE]],
            acts: &[i32],
            sums: &mut [[f32; LANES]],
        ) {
            let sums = sums.as_flattened_mut().as_chunks_mut::<4>().0;
            let total = sums.first_chunk_mut::<{ GROUP * VECTORS }>().expect("sums of a group");
            let mut chunk = [[0.0; 4]; GROUP * VECTORS];
            let sums = if $chunked { &mut chunk } else { &mut *total };
            for half in 0..2 {
                for (lines, acts) in panel.as_chunks::<LINES>().0.iter().zip(acts.as_chunks::<GROUP_WORDS>().0) {
                    let acts = acts.as_chunks::<4>().0;
                    let mut exact = [[start(); 4]; 4];
                    for s in 0..STEPS {
                        let mut two_outputs = [vdupq_n_u8(0); 4];
                        for o in 0..4 {
                            two_outputs[o] = load(&lines[2 * s + half], o);
                        }
                        for p in 0..4 {
                            let two_rows = vreinterpretq_u8_s32(words(&acts[4 * s + p]));
                            for o in 0..4 {
                                exact[p][o] = mma(exact[p][o], two_rows, two_outputs[o]);
                            }
                        }
                    }
                    for o in 0..4 {
                        let scale = load_f32(&lines[2 * STEPS + half], o);
                        for p in 0..4 {
                            let mut scale = scale;
                            if SCALED {
                                scale = vmulq_f32(scale, vreinterpretq_f32_s32(words(&acts[4 * STEPS + p])));
                            }
                            let sum = &mut sums[8 * p + 4 * half + o];
                            put_values(sum, vfmaq_f32(values(sum), value(exact[p][o]), scale));
                        }
                    }
                }
            }
            if $chunked {
                add_chunk(total, &chunk);
            }
        }

        /// The same for P pairs of rows; WORDS words a unit of each row.
        #[inline]
        #[target_feature(enable = $features)]
        fn few_pairs<const P: usize, const STEPS: usize, const LINES: usize, const WORDS: usize, const SCALED: bool>(
            panel: &[[u8; LINE]],
            rows: &[&[i32]],
            sums: &mut [[f32; LANES]],
        ) {
            let total = &mut sums.as_flattened_mut().as_chunks_mut::<4>().0[..2 * VECTORS * P];
            let mut chunk = [[0.0; 4]; GROUP * VECTORS];
            let sums = if $chunked { &mut chunk[..2 * VECTORS * P] } else { &mut *total };
            let mut pairs: [[&[[i32; WORDS]]; 2]; P] = [[&[]; 2]; P];
            for p in 0..P {
                // An odd last row is its own partner, and the partner's sums are not looked at.
                pairs[p] = [rows[2 * p], rows[(2 * p + 1).min(rows.len() - 1)]].map(|row| row.as_chunks().0);
            }
            for half in 0..2 {
                for (u, lines) in panel.as_chunks::<LINES>().0.iter().enumerate() {
                    let mut exact = [[start(); 4]; P];
                    let mut acts = [[&[][..]; 2]; P];
                    for p in 0..P {
                        acts[p] = pairs[p].map(|row| row[u].as_chunks::<2>().0);
                    }
                    for s in 0..STEPS {
                        let mut two_outputs = [vdupq_n_u8(0); 4];
                        for o in 0..4 {
                            two_outputs[o] = load(&lines[2 * s + half], o);
                        }
                        for p in 0..P {
                            let two_rows = vreinterpretq_u8_s32(two_rows(&acts[p][0][s], &acts[p][1][s]));
                            for o in 0..4 {
                                exact[p][o] = mma(exact[p][o], two_rows, two_outputs[o]);
                            }
                        }
                    }
                    for p in 0..P {
                        for o in 0..4 {
                            let mut scale = load_f32(&lines[2 * STEPS + half], o);
                            if SCALED {
                                let a = two_rows(&acts[p][0][STEPS], &acts[p][1][STEPS]);
                                scale = vmulq_f32(scale, vreinterpretq_f32_s32(a));
                            }
                            let sum = &mut sums[8 * p + 4 * half + o];
                            put_values(sum, vfmaq_f32(values(sum), value(exact[p][o]), scale));
                        }
                    }
                }
            }
            if $chunked {
                add_chunk(total, &chunk);
            }
        }

        /// [`few_pairs`] of as many pairs as there are.
        #[inline]
        #[target_feature(enable = $features)]
        fn few_of_any<const STEPS: usize, const LINES: usize, const WORDS: usize, const SCALED: bool>(
            panel: &[[u8; LINE]],
            rows: &[&[i32]],
            sums: &mut [[f32; LANES]],
        ) {
            match rows.len().div_ceil(2) {
                0 => {}
                1 => few_pairs::<1, STEPS, LINES, WORDS, SCALED>(panel, rows, sums),
                2 => few_pairs::<2, STEPS, LINES, WORDS, SCALED>(panel, rows, sums),
                3 => few_pairs::<3, STEPS, LINES, WORDS, SCALED>(panel, rows, sums),
                _ => few_pairs::<4, STEPS, LINES, WORDS, SCALED>(panel, rows, sums),
            }
        }
    };
}
pub(super) use pair_kernels;
