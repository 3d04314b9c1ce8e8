//! The inner loops over a panel: four or eight rows with one or three tiles, one span of k.
//!
//! Bounds as shares of the int8 roof, where `vpdpbusd`, `vpdpwssd`, conversions and multiplications share two ports (Intel):
//!
//! | weights × activations | a span and row and output vector | bound |
//! |---|---|--:|
//! | mxfp4 × int8 | 32 dots, 1 convert, 1 fma | 32/34 |
//! | mxfp4 × mxfp4 | 32 dots, 1 convert, 1 multiply, 1 fma | 32/35 |
//! | mxfp4 × int8g32 | 32 dots, 4 converts, 4 + 1 fma | 32/41 |
//! | nvfp4 × int8 | 32 dots, 8 `vpdpwssd`, 1 convert, 1 fma | 32/42 |
//! | nvfp4 × nvfp4 | the same and a multiply | 32/43 |
//! | nvfp4 × int8g32 | 32 dots, 8 `vpdpwssd`, 4 converts, 4 + 1 fma | 32/49 |
//! | q8_0, q4_0 × int8 | 32 dots, 4 converts, 4 fma | 32/40 |
//! | q8_0, q4_0 × int8g32 | the same and 4 multiplies | 32/44 |

use super::layout::{ALIGNED, CODES, FP4, GROUPED, INTEGER, ROW, TABLE, Words, blocks, lines};
use crate::gemm::integer::GROUP;
use crate::gemm::lanes512::*;
use crate::gemm::packed::{LANES, LINE};
use std::arch::x86_64::*;

/// The f32 scale of one row and entry, for all lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn scale_at<const W: usize>(words: &[i32; W], at: usize) -> __m512 {
    _mm512_castsi512_ps(_mm512_set1_epi32(words[at]))
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn scales_in(line: &[u8; LINE]) -> __m512 {
    _mm512_castsi512_ps(load(line))
}

/// N rows of two quads with T tiles whose blocks share a scale: one integer sum for the whole span. W words a quad.
///
/// N · T sums, T weights and one activation are in registers: 8 · 3 + 3 + 1 ≤ 32. A step is 11 loads for 24 dots.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn whole<const A: u8, const W: usize, const T: usize, const N: usize>(
    panel: &[[u8; LINE]],
    quads: [&[i32; W]; 2],
    sums: &mut [[f32; LANES]],
) {
    let (at, each) = (const { Words::of(32, A) }, const { lines(ALIGNED) });
    let (panel, sums) = (&panel[..T * each], &mut sums[..N * T]);
    let mut exact = [[_mm512_setzero_si512(); T]; N];
    for r in 0..N {
        exact[r] = [_mm512_set1_epi32(quads[r / GROUP][at.whole + r % GROUP]); T];
    }
    for s in 0..CODES {
        let mut codes = [_mm512_setzero_si512(); T];
        for t in 0..T {
            codes[t] = load(&panel[t * each + s]);
        }
        for r in 0..N {
            let a = _mm512_set1_epi32(quads[r / GROUP][s * GROUP + r % GROUP]);
            for t in 0..T {
                exact[r][t] = _mm512_dpbusd_epi32(exact[r][t], codes[t], a);
            }
        }
    }
    for t in 0..T {
        let scale = scales_in(&panel[t * each + CODES]);
        for r in 0..N {
            let mut scale = scale;
            if A == FP4 {
                scale = _mm512_mul_ps(scale, scale_at(quads[r / GROUP], at.shared + r % GROUP));
            }
            let sum = &mut sums[r * T + t];
            store_f32(sum, _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact[r][t]), scale, load_f32(sum)));
        }
    }
}

/// N rows of a quad with T tiles whose blocks share a scale, or have 16-bit multiples of one.
///
/// N · T block sums and as many of the span are in registers with T weights and one activation: 4 · 3 · 2 + 3 + 1 ≤ 32. A step
/// is 7 loads for 12 dots.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn shared<const P: u8, const A: u8, const W: usize, const T: usize, const N: usize>(
    panel: &[[u8; LINE]],
    quad: &[i32; W],
    sums: &mut [[f32; LANES]],
) {
    let (steps, each) = (const { CODES / blocks(P) }, const { lines(P) });
    let at = const { Words::of(4 * CODES / blocks(P), A) };
    let (panel, sums) = (&panel[..T * each], &mut sums[..N * T]);
    // Of the span in units of the shared scale: integers, or f32 where activations have scales that are none.
    let mut integer = [[_mm512_setzero_si512(); T]; N];
    let mut total = [[_mm512_setzero_ps(); T]; N];
    for b in 0..blocks(P) {
        let mut exact = [[_mm512_setzero_si512(); T]; N];
        for r in 0..N {
            exact[r] = [_mm512_set1_epi32(quad[at.starts + b * GROUP + r]); T];
        }
        for s in b * steps..(b + 1) * steps {
            let mut codes = [_mm512_setzero_si512(); T];
            for t in 0..T {
                codes[t] = load(&panel[t * each + s]);
            }
            for r in 0..N {
                let a = _mm512_set1_epi32(quad[s * GROUP + r]);
                for t in 0..T {
                    exact[r][t] = _mm512_dpbusd_epi32(exact[r][t], codes[t], a);
                }
            }
        }
        for r in 0..N {
            for t in 0..T {
                // The block's sum fits 16 bits: its upper half, the sign, is multiplied with the scale's, which is 0.
                if P == INTEGER {
                    integer[r][t] = _mm512_dpwssd_epi32(integer[r][t], exact[r][t], load(&panel[t * each + CODES + b]));
                } else if P == TABLE {
                    let row = (quad[at.index + b * GROUP + r] & 7) as usize;
                    let scale = load(&panel[t * each + CODES + 8 * b + row]);
                    integer[r][t] = _mm512_dpwssd_epi32(integer[r][t], exact[r][t], scale);
                } else {
                    integer[r][t] = exact[r][t];
                }
            }
        }
        // The scales of int8g32 stand for 32 of k: two blocks of 16 have the same.
        if A == GROUPED && (P == ALIGNED || b % 2 == 1) {
            for r in 0..N {
                let a = scale_at(quad, at.scales + b * GROUP + r);
                for t in 0..T {
                    total[r][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(integer[r][t]), a, total[r][t]);
                    integer[r][t] = _mm512_setzero_si512();
                }
            }
        }
    }
    for t in 0..T {
        let scale = scales_in(&panel[t * each + if P == ALIGNED { CODES } else { each - 1 }]);
        for r in 0..N {
            let mut scale = scale;
            if A == FP4 {
                scale = _mm512_mul_ps(scale, scale_at(quad, at.shared + r));
            }
            let value = if A == GROUPED { total[r][t] } else { _mm512_cvtepi32_ps(integer[r][t]) };
            let sum = &mut sums[r * T + t];
            store_f32(sum, _mm512_fmadd_ps(value, scale, load_f32(sum)));
        }
    }
}

/// The f32 scales of block `b` of one tile, whose panel says of them what `shared` says.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn block_scales<const P: u8>(tile: &[[u8; LINE]], b: usize, shared: bool) -> __m512 {
    if !shared {
        return scales_in(&tile[CODES + b]);
    }
    let times = |line: &[u8; LINE]| _mm512_mul_ps(_mm512_cvtepi32_ps(load(line)), scales_in(&tile[lines(P) - 1]));
    match P {
        INTEGER => times(&tile[CODES + b]),
        // The first of the table is 8 times the scale.
        TABLE => _mm512_mul_ps(times(&tile[CODES + 8 * b]), _mm512_set1_ps(0.125)),
        _ => scales_in(&tile[CODES]),
    }
}

/// N rows of a quad with T tiles, each block scaled by itself: right for all weights and activations.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn apart<const P: u8, const A: u8, const W: usize, const T: usize, const N: usize>(
    panel: &[[u8; LINE]],
    shared: [bool; T],
    quad: &[i32; W],
    sums: &mut [[f32; LANES]],
) {
    let (steps, each) = (const { CODES / blocks(P) }, const { lines(P) });
    let at = const { Words::of(4 * CODES / blocks(P), A) };
    let (panel, sums) = (&panel[..T * each], &mut sums[..N * T]);
    let mut total = [[_mm512_setzero_ps(); T]; N];
    for r in 0..N {
        for t in 0..T {
            total[r][t] = load_f32(&sums[r * T + t]);
        }
    }
    for b in 0..blocks(P) {
        let mut exact = [[_mm512_setzero_si512(); T]; N];
        for r in 0..N {
            exact[r] = [_mm512_set1_epi32(quad[at.starts + b * GROUP + r]); T];
        }
        for s in b * steps..(b + 1) * steps {
            let mut codes = [_mm512_setzero_si512(); T];
            for t in 0..T {
                codes[t] = load(&panel[t * each + s]);
            }
            for r in 0..N {
                let a = _mm512_set1_epi32(quad[s * GROUP + r]);
                for t in 0..T {
                    exact[r][t] = _mm512_dpbusd_epi32(exact[r][t], codes[t], a);
                }
            }
        }
        for t in 0..T {
            let scale = block_scales::<P>(&panel[t * each..][..each], b, shared[t]);
            for r in 0..N {
                let mut scale = scale;
                if A != ROW {
                    scale = _mm512_mul_ps(scale, scale_at(quad, at.scales + b * GROUP + r));
                }
                total[r][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact[r][t]), scale, total[r][t]);
            }
        }
    }
    for r in 0..N {
        for t in 0..T {
            store_f32(&mut sums[r * T + t], total[r][t]);
        }
    }
}
