//! Few rows, each by itself in memory, through `bfmmla`: two of them with two outputs at once, from a panel in L1.
#![expect(clippy::needless_range_loop, reason = "an index names the same row or output in several arrays")]

use super::{mma, walk};
use crate::format::Format;
use crate::gemm::neon::lanes::{VECTORS, load, load_f32, two_rows};
use crate::gemm::neon::pairs::add_to;
use crate::gemm::neon::unpack;
use crate::gemm::neon::walk::by_pairs;
use crate::gemm::packed::{LANES, LINE};
use crate::gemm::tiled::Multiply;
use std::arch::aarch64::*;

/// `micro` for P pairs of rows with O pairs of outputs at a time; WORDS words a unit of each row.
#[inline]
#[target_feature(enable = "neon,bf16")]
fn few_pairs<const P: usize, const O: usize, const STEPS: usize, const LINES: usize, const WORDS: usize>(
    panel: &[[u8; LINE]],
    rows: &[&[i32]],
    sums: &mut [[f32; LANES]],
) {
    let sums = &mut sums.as_flattened_mut().as_chunks_mut::<4>().0[..2 * VECTORS * P];
    let mut pairs: [[&[[i32; WORDS]]; 2]; P] = [[&[]; 2]; P];
    for p in 0..P {
        // An odd last row is its own partner, and the partner's sums are not looked at.
        pairs[p] = [rows[2 * p], rows[(2 * p + 1).min(rows.len() - 1)]].map(|row| row.as_chunks().0);
    }
    for first in (0..2 * VECTORS).step_by(O) {
        let mut total = [[vdupq_n_f32(0.0); O]; P];
        for (u, lines) in panel.as_chunks::<LINES>().0.iter().enumerate() {
            let mut exact = [[vdupq_n_f32(0.0); O]; P];
            let mut acts = [[&[][..]; 2]; P];
            for p in 0..P {
                acts[p] = pairs[p].map(|row| row[u].as_chunks::<2>().0);
            }
            for s in 0..STEPS {
                let line = &lines[2 * s + first / VECTORS];
                let mut two_outputs = [vdupq_n_u8(0); O];
                for o in 0..O {
                    two_outputs[o] = load(line, first % VECTORS + o);
                }
                for p in 0..P {
                    let two_rows = vreinterpretq_u8_s32(two_rows(&acts[p][0][s], &acts[p][1][s]));
                    for o in 0..O {
                        exact[p][o] = mma(exact[p][o], two_rows, two_outputs[o]);
                    }
                }
            }
            let line = &lines[2 * STEPS + first / VECTORS];
            for p in 0..P {
                for o in 0..O {
                    let scale = load_f32(line, first % VECTORS + o);
                    total[p][o] = vfmaq_f32(total[p][o], exact[p][o], scale);
                }
            }
        }
        for p in 0..P {
            for o in 0..O {
                add_to(&mut sums[8 * p + first + o], total[p][o]);
            }
        }
    }
}

/// [`few_pairs`] of as many pairs as there are, 4 to 8 sums at a time.
#[inline]
#[target_feature(enable = "neon,bf16")]
fn few_of_any<const STEPS: usize, const LINES: usize, const WORDS: usize>(
    panel: &[[u8; LINE]],
    rows: &[&[i32]],
    sums: &mut [[f32; LANES]],
) {
    match rows.len().div_ceil(2) {
        0 => {}
        1 => few_pairs::<1, 4, STEPS, LINES, WORDS>(panel, rows, sums),
        2 => few_pairs::<2, 4, STEPS, LINES, WORDS>(panel, rows, sums),
        3 => few_pairs::<3, 2, STEPS, LINES, WORDS>(panel, rows, sums),
        _ => few_pairs::<4, 2, STEPS, LINES, WORDS>(panel, rows, sums),
    }
}

/// `plain_micro` for P pairs of rows that stand by themselves.
#[inline]
#[target_feature(enable = "neon,bf16")]
fn plain_pairs<const P: usize>(panel: &[[u8; LINE]], rows: &[&[i32]], sums: &mut [[f32; LANES]]) {
    let sums = &mut sums.as_flattened_mut().as_chunks_mut::<4>().0[..2 * VECTORS * P];
    let mut pairs: [[&[[i32; 2]]; 2]; P] = [[&[]; 2]; P];
    for p in 0..P {
        // An odd last row is its own partner, and the partner's sums are not looked at.
        pairs[p] = [rows[2 * p], rows[(2 * p + 1).min(rows.len() - 1)]].map(|row| row.as_chunks().0);
    }
    for half in 0..2 {
        let mut chunk = [[vdupq_n_f32(0.0); 4]; P];
        for (u, lines) in panel.as_chunks::<2>().0.iter().enumerate() {
            for p in 0..P {
                let two_rows = vreinterpretq_u8_s32(two_rows(&pairs[p][0][u], &pairs[p][1][u]));
                for o in 0..4 {
                    chunk[p][o] = mma(chunk[p][o], two_rows, load(&lines[half], o));
                }
            }
        }
        for p in 0..P {
            for o in 0..4 {
                add_to(&mut sums[8 * p + 4 * half + o], chunk[p][o]);
            }
        }
    }
}

#[target_feature(enable = "neon,bf16")]
fn few_of<const STEPS: usize, const LINES: usize, const WORDS: usize>(call: &mut Multiply<'_>) {
    let format = call.op.weights;
    walk(call.op).few(
        call,
        |tile, from, panel, rows, sums| {
            unpack::bf16_blocks(format, STEPS, tile, from, panel);
            few_of_any::<STEPS, LINES, WORDS>(panel, rows, sums);
        },
        by_pairs,
    );
}

#[target_feature(enable = "neon,bf16")]
pub(super) fn few(call: &mut Multiply<'_>) {
    let fp8 = call.op.weights == Format::Fp8;
    match call.op.block() {
        32 => few_of::<8, 18, 16>(call),
        16 => few_of::<4, 10, 8>(call),
        _ => walk(call.op).few(
            call,
            |tile, from, panel, rows, sums| {
                if fp8 {
                    unpack::fp8_pairs(tile, from, panel);
                } else {
                    unpack::bf16_pairs(tile, from, panel);
                }
                match rows.len().div_ceil(2) {
                    0 => {}
                    1 => plain_pairs::<1>(panel, rows, sums),
                    2 => plain_pairs::<2>(panel, rows, sums),
                    3 => plain_pairs::<3>(panel, rows, sums),
                    _ => plain_pairs::<4>(panel, rows, sums),
                }
            },
            by_pairs,
        ),
    }
}
