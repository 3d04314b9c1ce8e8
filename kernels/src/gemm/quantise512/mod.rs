//! Activations to integer words on AVX-512, the bits of `crate::format`.

mod align;
mod nvfp4;
mod round;
mod words;

use super::Activations;
use super::avx512_vnni::layout::SPAN;
use super::integer::GROUP;
use super::tiled::Quantise;
use round::{round_blocks, round_row};

/// One row of `k` elements into codes, one scale for each of the activations' groups, and for FP4 the byte that the scale was;
/// returns what multiplies the row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn round(activations: Activations, x: &[f32], codes: &mut [i8], scales: &mut [f32], bytes: &mut [u8]) -> f32 {
    match activations {
        Activations::Int8 => round_row(x, codes),
        Activations::Int8g32 => round_blocks::<{ round::INT8 }, 2>(x, codes, scales, bytes),
        Activations::Mxfp4 => round_blocks::<{ round::MXFP4 }, 2>(x, codes, scales, bytes),
        Activations::Nvfp4 => round_blocks::<{ round::NVFP4 }, 1>(x, codes, scales, bytes),
        Activations::F32 | Activations::Bf16 | Activations::Fp8 => unreachable!("float activations have no codes"),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn quantise(call: &mut Quantise<'_>) {
    let (k, activations) = (call.op.k, call.op.activations);
    let first = call.rows.start;
    if !call.grouped {
        for row in call.rows.clone() {
            let scale = round(activations, &call.x[row * k..][..k], &mut call.codes[..k], call.scales, call.bytes);
            call.row_scales[row - first] = scale * call.factor;
            words::row(call, row - first);
        }
        return;
    }
    let padded = k.next_multiple_of(SPAN);
    // nvfp4 brings the scales of all four rows together, others those of a row.
    let (together, a_row) = (activations == Activations::Nvfp4, padded / SPAN * nvfp4::BLOCKS);
    for quad in call.rows.clone().step_by(GROUP) {
        let live = GROUP.min(call.rows.end - quad);
        for r in 0..live {
            let x = &call.x[(quad + r) * k..][..k];
            let (codes, rest) = call.codes[r * padded..][..padded].split_at_mut(k);
            rest.fill(0);
            let bytes = if together {
                call.bytes[(r + 1) * a_row - nvfp4::BLOCKS..][..nvfp4::BLOCKS].fill(0);
                &mut call.bytes[r * a_row..(r + 1) * a_row]
            } else {
                &mut *call.bytes
            };
            let scale = round(activations, x, codes, call.scales, bytes);
            call.row_scales[quad + r - first] = scale * call.factor;
            if !together {
                align::scales(call, quad - first, r);
            }
        }
        if together {
            call.bytes[live * a_row..].fill(0);
            nvfp4::scales(call, quad - first);
        }
        // Rows that are missing in the last quad are never multiplied, but read beside the others.
        call.codes[live * padded..].fill(0);
        words::quad(call, quad - first);
    }
}
