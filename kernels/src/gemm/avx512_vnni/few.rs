//! Few rows: each line of weights is decoded once in registers and multiplied with all of them.

use super::decode;
use crate::format::Format;
use crate::gemm::lanes512::*;
use crate::gemm::packed::LINE;
use crate::gemm::packed::{LANES, Tile};
use crate::gemm::tiled::{FEW, Multiply};
use std::arch::x86_64::*;

/// One tile with R rows: the weights are decoded in registers, once for all rows. W words a block of each row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn few_rows<const F: u8, const STEPS: usize, const W: usize, const R: usize, const SCALED: bool>(
    tile: Tile<'_>,
    acts: &[i32],
) -> [__m512; R] {
    let lines_a_block = if F == Q8_0 { STEPS } else { STEPS / 2 };
    let scale_bytes = if F == MXFP4 || F == NVFP4 { LANES } else { 2 * LANES };
    let acts = acts.as_chunks::<W>().0;
    let blocks = acts.len() / R;
    let rows: [&[[i32; W]]; R] = std::array::from_fn(|r| &acts[r * blocks..(r + 1) * blocks]);
    let mut total = [_mm512_setzero_ps(); R];
    let lines = tile.codes.as_chunks::<LINE>().0;
    let walk = lines.chunks_exact(lines_a_block).zip(tile.scales.chunks_exact(scale_bytes));
    for (b, (lines, scale_bytes)) in walk.enumerate().take(blocks) {
        for line in lines {
            _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
        }
        // A stream of its own, too thin for the hardware to run far enough ahead of it.
        _mm_prefetch::<_MM_HINT_T0>(scale_bytes.as_ptr().wrapping_add(AHEAD / 4).cast());
        let codes = decode::<F, STEPS>(lines);
        let scale = scales_of::<F>(scale_bytes);
        for r in 0..R {
            let block = &rows[r][b];
            let mut sum = _mm512_set1_epi32(block[STEPS]);
            for s in 0..STEPS {
                sum = _mm512_dpbusd_epi32(sum, codes[s], _mm512_set1_epi32(block[s]));
            }
            let mut scale = scale;
            if SCALED {
                scale = _mm512_mul_ps(scale, _mm512_set1_ps(f32::from_bits(block[STEPS + 1].cast_unsigned())));
            }
            total[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, total[r]);
        }
    }
    total
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn few_tiles<const F: u8, const STEPS: usize, const W: usize, const R: usize, const SCALED: bool>(
    call: &mut Multiply<'_>,
) {
    for t in call.tiles.clone() {
        if t + 1 < call.tiles.end {
            for line in call.packed.tile(t + 1).scales.chunks(LINE).take(AHEAD / 4 / LINE) {
                _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
            }
        }
        let total = few_rows::<F, STEPS, W, R, SCALED>(call.packed.tile(t), call.acts);
        finish(call.op.n, call.rows, call.bias, call.row_scales, call.y, t, 0, &total);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn few_of<const F: u8, const STEPS: usize, const W: usize, const SCALED: bool>(call: &mut Multiply<'_>) {
    match call.rows {
        0 => {}
        1 => few_tiles::<F, STEPS, W, 1, SCALED>(call),
        2 => few_tiles::<F, STEPS, W, 2, SCALED>(call),
        3 => few_tiles::<F, STEPS, W, 3, SCALED>(call),
        4 => few_tiles::<F, STEPS, W, 4, SCALED>(call),
        5 => few_tiles::<F, STEPS, W, 5, SCALED>(call),
        6 => few_tiles::<F, STEPS, W, 6, SCALED>(call),
        7 => few_tiles::<F, STEPS, W, 7, SCALED>(call),
        FEW => few_tiles::<F, STEPS, W, FEW, SCALED>(call),
        rows => unreachable!("{rows} rows are not few"),
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn few(call: &mut Multiply<'_>) {
    match (call.op.weights, call.op.activations.grouped()) {
        (Format::Mxfp4, false) => few_of::<MXFP4, 8, 10, false>(call),
        (Format::Mxfp4, true) => few_of::<MXFP4, 8, 10, true>(call),
        (Format::Nvfp4, false) => few_of::<NVFP4, 4, 6, false>(call),
        (Format::Nvfp4, true) => few_of::<NVFP4, 4, 6, true>(call),
        (Format::Q8_0, false) => few_of::<Q8_0, 8, 10, false>(call),
        (Format::Q8_0, true) => few_of::<Q8_0, 8, 10, true>(call),
        (Format::Q4_0, false) => few_of::<Q4_0, 8, 10, false>(call),
        (Format::Q4_0, true) => few_of::<Q4_0, 8, 10, true>(call),
        (weights, _) => unreachable!("{weights} has no blocks"),
    }
}
