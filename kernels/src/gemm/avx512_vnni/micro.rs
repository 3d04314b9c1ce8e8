//! The inner loops over a panel: four or eight rows with one or three tiles, one span of k.
//!
//! Bounds as shares of the int8 roof, where `vpdpbusd`, `vpdpwssd`, conversions and multiplications share two ports (Intel):
//!
//! | weights × activations | a span and row and output vector | bound | in registers | with L1 |
//! |---|---|--:|--:|--:|
//! | mxfp4 × int8 | 32 dots, 1 convert, 1 fma | 32/34 = 0.941 | 0.942 | 0.914 |
//! | mxfp4 × mxfp4 | 32 dots, 1 convert, 1 multiply, 1 fma | 32/35 = 0.914 | 0.895 | |
//! | mxfp4 × int8g32 | 32 dots, 4 converts, 4 + 1 fma | 32/41 | | |
//! | nvfp4 × int8 | 32 dots, 8 `vpdpwssd`, 1 convert, 1 fma | 32/42 = 0.762 | 0.764 | |
//! | nvfp4 × nvfp4 | the same and a multiply | 32/43 = 0.744 | 0.745 | 0.714 |
//! | nvfp4 × int8g32 | 32 dots, 8 `vpdpwssd`, 4 converts, 4 + 1 fma | 32/49 | | |
//! | q8_0, q4_0 × int8 | 32 dots, 4 converts, 4 fma | 32/40 = 0.800 | 0.800 | |
//! | q8_0, q4_0 × int8g32 | the same and 4 multiplies | 32/44 | | |
//!
//! Measured: loops of just these instructions, with operands in registers and with the kernel's loads and stores in L1, as shares
//! of `peak` right beside (bench `bounds`, two cores of an Emerald Rapids).
//!
//! Reached on two cores of an Emerald Rapids, whole gemm, m = 512, n = 4096, k = 14336, as shares of `peak` in the same process:
//! mxfp4 × int8 0.82, × mxfp4 0.79, × int8g32 0.64; nvfp4 × int8 0.67, × nvfp4 0.57, × int8g32 0.52; q8_0 and q4_0 × int8 0.67,
//! × int8g32 0.63. Rounding activations, unpacking, zeroing sums and storing y take 6 to 12 % of it.

#![expect(unsafe_code, reason = "lines of a table are loaded by an offset in bytes")]

use super::layout::{ALIGNED, CODES, FP4, GROUPED, INDEX, INTEGER, ROW, TABLE, Words, blocks};
use crate::gemm::integer::GROUP;
use crate::gemm::lanes512::*;
use crate::gemm::packed::{LANES, LINE};
use std::arch::x86_64::*;

/// The body for each row or tile, written out: sums in arrays that a loop walks would live in memory.
macro_rules! each {
    (N, |$r:ident| $body:block) => {
        each!(@ N $r $body 0 1 2 3 4 5 6 7)
    };
    (T, |$t:ident| $body:block) => {
        each!(@ T $t $body 0 1 2)
    };
    (@ $n:ident $i:ident $body:block $($at:literal)*) => {
        $(if $at < $n {
            let $i = $at;
            $body
        })*
    };
}

/// One span of one tile: its decoded codes and what `layout` says stands behind them.
pub(super) type Lines<const L: usize> = [[u8; LINE]; L];
/// f32 sums of N rows with T tiles.
pub(super) type Sums<const T: usize, const N: usize> = [[[f32; LANES]; T]; N];

/// What is asked for while a span is worked on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead<const T: usize> {
    /// The words of the quads that come next, into L1.
    pub(super) words: [*const i32; 2],
    /// The weights of the tiles that come next, into L2.
    pub(super) weights: [*const u8; T],
    /// Bytes of weights of one span.
    pub(super) span: usize,
    /// How many of them these rows ask for; 0 once all were asked for.
    pub(super) part: usize,
}

impl<const T: usize> Ahead<T> {
    /// Asks for the words that belong to one of the CODES steps; `pair` says that two quads are worked on.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    fn ask(&self, step: usize, pair: bool) {
        if pair {
            _mm_prefetch::<_MM_HINT_T0>(self.words[step % 2].wrapping_add(step / 2 * 16).cast());
        } else if step.is_multiple_of(2) {
            _mm_prefetch::<_MM_HINT_T0>(self.words[0].wrapping_add(step / 2 * 16).cast());
        }
    }
    /// Asks for this part of a span of weights. Not step by step: the branches and the pointers cost the inner loop registers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
    pub(super) fn ask_weights(&self) {
        for line in (0..self.part).step_by(LINE) {
            for weights in self.weights {
                _mm_prefetch::<_MM_HINT_T1>(weights.wrapping_add(line).cast());
            }
        }
    }
}

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
pub(super) fn whole<const A: u8, const L: usize, const W: usize, const T: usize, const N: usize>(
    panel: &[Lines<L>; T],
    quads: [&[i32; W]; 2],
    ahead: Ahead<T>,
    sums: &mut Sums<T, N>,
) {
    let at = const { Words::of(32, A) };
    let mut exact = [[_mm512_setzero_si512(); T]; N];
    each!(N, |r| {
        exact[r] = [_mm512_set1_epi32(quads[r / GROUP][at.whole + r % GROUP]); T];
    });
    for s in 0..CODES {
        ahead.ask(s, N > GROUP);
        let mut codes = [_mm512_setzero_si512(); T];
        each!(T, |t| {
            codes[t] = load(&panel[t][s]);
        });
        each!(N, |r| {
            let a = _mm512_set1_epi32(quads[r / GROUP][s * GROUP + r % GROUP]);
            each!(T, |t| {
                exact[r][t] = _mm512_dpbusd_epi32(exact[r][t], codes[t], a);
            });
        });
    }
    each!(T, |t| {
        let scale = scales_in(&panel[t][CODES]);
        each!(N, |r| {
            let mut scale = scale;
            if A == FP4 {
                scale = _mm512_mul_ps(scale, scale_at(quads[r / GROUP], at.shared + r % GROUP));
            }
            let sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact[r][t]), scale, load_f32(&sums[r][t]));
            store_f32(&mut sums[r][t], sum);
        });
    });
}

/// The exact sums of block `b`: N rows of a quad with T tiles. Not a function: it would hand its sums over in memory.
macro_rules! block {
    ($panel:ident, $quad:ident, $ahead:ident, $starts:expr, $b:ident, $steps:ident) => {{
        let mut exact = [[_mm512_setzero_si512(); T]; N];
        each!(N, |r| {
            exact[r] = [_mm512_set1_epi32($quad[$starts + $b * GROUP + r]); T];
        });
        for s in $b * $steps..($b + 1) * $steps {
            $ahead.ask(s, false);
            let mut codes = [_mm512_setzero_si512(); T];
            each!(T, |t| {
                codes[t] = load(&$panel[t][s]);
            });
            each!(N, |r| {
                let a = _mm512_set1_epi32($quad[s * GROUP + r]);
                each!(T, |t| {
                    exact[r][t] = _mm512_dpbusd_epi32(exact[r][t], codes[t], a);
                });
            });
        }
        exact
    }};
}

/// N rows of a quad with T tiles whose blocks share a scale, or have 16-bit multiples of one.
///
/// N · T block sums and as many of the span are in registers with T weights and one activation: 4 · 3 · 2 + 3 + 1 ≤ 32. A step
/// is 7 loads for 12 dots.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn shared<const P: u8, const A: u8, const L: usize, const W: usize, const T: usize, const N: usize>(
    panel: &[Lines<L>; T],
    quad: &[i32; W],
    ahead: Ahead<T>,
    sums: &mut Sums<T, N>,
) {
    let (steps, at) = const { (CODES / blocks(P), Words::of(4 * CODES / blocks(P), A)) };
    // Of the span in units of the shared scale: integers, or f32 where activations have scales that are none.
    let mut integer = [[_mm512_setzero_si512(); T]; N];
    let mut total = [[_mm512_setzero_ps(); T]; N];
    for b in 0..blocks(P) {
        let exact = block!(panel, quad, ahead, at.starts, b, steps);
        let mut rows = [0; N];
        each!(N, |r| {
            rows[r] = if P == TABLE { (quad[at.index + b * GROUP + r] & INDEX) as usize } else { 0 };
        });
        each!(T, |t| {
            let scale = load(&panel[t][CODES + b % (L - CODES)]);
            each!(N, |r| {
                // The block's sum fits 16 bits: its upper half, the sign, is multiplied with the scale's, which is 0.
                if P == INTEGER {
                    integer[r][t] = _mm512_dpwssd_epi32(integer[r][t], exact[r][t], scale);
                } else if P == TABLE {
                    let table = &panel[t].as_flattened()[(CODES + 8 * b) * LINE..];
                    // SAFETY: rows[r] ≤ INDEX = 7 lines, and behind line CODES + 8 · b, b < 8, there are 8 lines and one more.
                    let scale = unsafe { _mm512_loadu_si512(table.as_ptr().wrapping_add(rows[r]).cast()) };
                    integer[r][t] = _mm512_dpwssd_epi32(integer[r][t], exact[r][t], scale);
                } else {
                    integer[r][t] = exact[r][t];
                }
            });
        });
        // The scales of int8g32 stand for 32 of k: two blocks of 16 have the same.
        if A == GROUPED && (P == ALIGNED || b % 2 == 1) {
            each!(N, |r| {
                let a = scale_at(quad, at.scales + b * GROUP + r);
                each!(T, |t| {
                    total[r][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(integer[r][t]), a, total[r][t]);
                    integer[r][t] = _mm512_setzero_si512();
                });
            });
        }
    }
    each!(T, |t| {
        let scale = scales_in(&panel[t][if P == ALIGNED { CODES } else { L - 1 }]);
        each!(N, |r| {
            let mut scale = scale;
            if A == FP4 {
                scale = _mm512_mul_ps(scale, scale_at(quad, at.shared + r));
            }
            let value = if A == GROUPED { total[r][t] } else { _mm512_cvtepi32_ps(integer[r][t]) };
            let sum = _mm512_fmadd_ps(value, scale, load_f32(&sums[r][t]));
            store_f32(&mut sums[r][t], sum);
        });
    });
}

/// The f32 scales of block `b` of one tile, whose blocks share what P has them share or do not.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn block_scales<const P: u8, const L: usize>(tile: &Lines<L>, b: usize, shared: bool) -> __m512 {
    if !shared {
        return scales_in(&tile[CODES + b]);
    }
    let times = |line: &[u8; LINE]| _mm512_mul_ps(_mm512_cvtepi32_ps(load(line)), scales_in(&tile[L - 1]));
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
pub(super) fn apart<const P: u8, const A: u8, const L: usize, const W: usize, const T: usize, const N: usize>(
    panel: &[Lines<L>; T],
    shared: [bool; T],
    quad: &[i32; W],
    ahead: Ahead<T>,
    sums: &mut Sums<T, N>,
) {
    let (steps, at) = const { (CODES / blocks(P), Words::of(4 * CODES / blocks(P), A)) };
    let mut total = [[_mm512_setzero_ps(); T]; N];
    each!(N, |r| {
        each!(T, |t| {
            total[r][t] = load_f32(&sums[r][t]);
        });
    });
    for b in 0..blocks(P) {
        let exact = block!(panel, quad, ahead, at.starts, b, steps);
        each!(T, |t| {
            let scale = block_scales::<P, L>(&panel[t], b, shared[t]);
            each!(N, |r| {
                let mut scale = scale;
                if A != ROW {
                    scale = _mm512_mul_ps(scale, scale_at(quad, at.scales + b * GROUP + r));
                }
                total[r][t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(exact[r][t]), scale, total[r][t]);
            });
        });
    }
    each!(N, |r| {
        each!(T, |t| {
            store_f32(&mut sums[r][t], total[r][t]);
        });
    });
}
