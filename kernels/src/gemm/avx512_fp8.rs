//! Few rows times fp8 weights on AVX-512: decoded in registers and multiplied at once, without a panel in between.
//!
//! A line of 64 codes costs 3 shifts, 2 masks, 2 extractions and 4 conversions of 2 operations each, and 4 multiply-adds a row: 19 on
//! two ports for one row, 9.5 cycles. That is 6.7 bytes a cycle, against the 5.5 that a core of an Emerald Rapids reads from memory.
#![expect(unsafe_code, reason = "kernels compiled for AVX-512")]
#![expect(clippy::needless_range_loop, reason = "an index names the same row or output in several arrays")]

use super::CHUNK;
use super::avx512::{Avx512, dot, four_of_fp8};
use super::lanes512::*;
use super::packed::LINE;
use super::tiled::{FEW, Kernels, Multiply, Quantise};
use crate::cpu::isa::AVX512;
use crate::cpu::kernel::Kernel;
use std::arch::x86_64::*;

/// `Avx512` for fp8.
#[derive(Debug)]
pub(super) struct Avx512Fp8;

impl Kernels for Avx512Fp8 {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        Avx512::quantise()
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(AVX512, few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        Avx512::panels()
    }
}

/// Lines of a chunk.
const LINES: usize = CHUNK / 4;

/// One chunk of one tile with R rows, in U independent sums each.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn chunk<const R: usize, const U: usize>(lines: &[[u8; LINE]], rows: [&[i32]; R]) -> [__m512; R] {
    let mut sums = [[_mm512_setzero_ps(); U]; R];
    let mut fours = [&[][..]; R];
    for r in 0..R {
        fours[r] = rows[r].as_chunks::<4>().0;
    }
    let whole = fours[0].len();
    for (at, line) in lines[..whole].iter().enumerate() {
        _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().wrapping_add(AHEAD).cast());
        let weights = four_of_fp8(line);
        for i in 0..4 {
            for r in 0..R {
                sums[r][i % U] = dot(sums[r][i % U], _mm512_castps_si512(weights[i]), fours[r][at][i]);
            }
        }
    }
    // The end of a k that is no multiple of 4.
    for line in &lines[whole..] {
        for (i, weights) in four_of_fp8(line).into_iter().enumerate().take(rows[0].len() % 4) {
            for r in 0..R {
                sums[r][0] = dot(sums[r][0], _mm512_castps_si512(weights), rows[r][4 * whole + i]);
            }
        }
    }
    let mut out = [_mm512_setzero_ps(); R];
    for r in 0..R {
        for u in 0..U {
            out[r] = _mm512_add_ps(out[r], sums[r][u]);
        }
    }
    out
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn rows<const R: usize, const U: usize>(call: &mut Multiply<'_>) {
    let k = call.acts.len() / R;
    for t in call.tiles.clone() {
        let mut total = [_mm512_setzero_ps(); R];
        for (c, lines) in call.packed.tile(t).codes.as_chunks::<LINE>().0.chunks(LINES).enumerate() {
            let from = c * CHUNK;
            let mut acts: [&[i32]; R] = [&[]; R];
            for r in 0..R {
                acts[r] = &call.acts[r * k + from..r * k + k.min(from + CHUNK)];
            }
            let sums = chunk::<R, U>(lines, acts);
            for r in 0..R {
                total[r] = _mm512_add_ps(total[r], sums[r]);
            }
        }
        finish(call.op.n, call.rows, call.bias, call.row_scales, call.y, t, 0, &total);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn few(call: &mut Multiply<'_>) {
    match call.rows {
        0 => {}
        1 => rows::<1, 4>(call),
        2 => rows::<2, 4>(call),
        3 => rows::<3, 4>(call),
        4 => rows::<4, 4>(call),
        5 => rows::<5, 2>(call),
        6 => rows::<6, 2>(call),
        7 => rows::<7, 2>(call),
        FEW => rows::<FEW, 2>(call),
        rows => unreachable!("{rows} rows are not few"),
    }
}
