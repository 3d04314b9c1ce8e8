//! Weights into panels: codes decoded to unsigned bytes, scales brought to what a whole span can share.
#![expect(unsafe_code, reason = "vector stores")]

use super::layout::{ALIGNED, CODES, INTEGER, PLAIN, SPAN, TABLE, blocks, lines};
use super::{UNSIGNED_E2M1, decode};
use crate::format::Format;
use crate::gemm::lanes512::*;
use crate::gemm::packed::{LANES, LINE, Tile};
use std::arch::x86_64::*;

/// The largest spread of E8M0 exponents in a span: 12 · 2³ = 96 is the largest shifted code, and 96 + 96 fits a byte.
const SHIFTS: u8 = 3;

/// The largest spread of E4M3 exponents in a span of 8 blocks.
///
/// Mantissas are at most 15 and a block's sum at most 12 · 127 · 16 = 24384 (below 2¹⁵, as `vpdpwssd` demands), so the span's
/// is at most 24384 · 15 · 2⁹ · 8 < 2³¹, and a scale 15 · 2⁹ < 2¹⁵. With nvfp4 activations, whose codes are shifted by up to 3,
/// a block's is 12 · 96 · 16 = 18432 and the scale has a second mantissa: 18432 · 225 · 2⁶ · 8 < 2³¹, 225 · 2⁶ < 2¹⁵.
const fn spread(panel: u8) -> u8 {
    if panel == TABLE { 6 } else { 9 }
}
const _: () = assert!(24384_i64 * 15 * 8 << spread(INTEGER) < 1 << 31 && 15 << spread(INTEGER) < 1 << 15);
const _: () = assert!(18432_i64 * 225 * 8 << spread(TABLE) < 1 << 31 && 225 << spread(TABLE) < 1 << 15);

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn store(line: &mut [u8; LINE], v: __m512i) {
    // SAFETY: a line is 64 bytes.
    unsafe { _mm512_storeu_si512(line.as_mut_ptr().cast(), v) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn lanes(bytes: &[u8; LANES]) -> __m128i {
    // SAFETY: 16 bytes are there.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn bytes(lanes: __m128i) -> [u8; LANES] {
    let mut out = [0; LANES];
    // SAFETY: 16 bytes are there.
    unsafe { _mm_storeu_si128(out.as_mut_ptr().cast(), lanes) };
    out
}

/// How far each block of mxfp4 is shifted in each lane, and the lanes' exponents; `None` if the blocks lie too far apart.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn align(codes: &[[u8; LINE]], scales: &[[u8; LANES]; 4]) -> Option<([__m128i; 4], __m128i)> {
    let mut of = [_mm_setzero_si128(); 4];
    for b in 0..4 {
        of[b] = lanes(&scales[b]);
    }
    let (limit, nan) = (_mm_set1_epi8(SHIFTS.cast_signed()), _mm_set1_epi8(-1));
    let apart = |most, least| _mm_cmpgt_epu8_mask(_mm_subs_epu8(most, least), limit) | _mm_cmpeq_epi8_mask(most, nan);
    let mut least = _mm_min_epu8(_mm_min_epu8(of[0], of[1]), _mm_min_epu8(of[2], of[3]));
    let mut most = _mm_max_epu8(_mm_max_epu8(of[0], of[1]), _mm_max_epu8(of[2], of[3]));
    if apart(most, least) != 0 {
        // Blocks of zeros may have any exponent (but not be NaN): try without them.
        (least, most) = (nan, _mm_setzero_si128());
        for (codes, scale) in codes.chunks_exact(4).zip(of) {
            let both = |a: &[u8; LINE], b: &[u8; LINE]| _mm512_or_si512(load(a), load(b));
            let any = _mm512_or_si512(both(&codes[0], &codes[1]), both(&codes[2], &codes[3]));
            let counts = _mm512_test_epi32_mask(any, _mm512_set1_epi32(0x7777_7777)) | _mm_cmpeq_epi8_mask(scale, nan);
            least = _mm_mask_min_epu8(least, counts, least, scale);
            most = _mm_mask_max_epu8(most, counts, most, scale);
        }
        if apart(most, least) != 0 {
            return None;
        }
        // Nothing but zeros in a lane: any finite scale.
        least = _mm_mask_mov_epi8(least, _mm_cmplt_epu8_mask(most, least), _mm_setzero_si128());
    }
    for b in 0..4 {
        of[b] = _mm_min_epu8(_mm_subs_epu8(of[b], least), limit);
    }
    Some((of, least))
}

/// One span of mxfp4; whether its blocks share a scale.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn aligned(codes: &[[u8; LINE]], scales: &[[u8; LANES]; 4], out: &mut [[u8; LINE]]) -> bool {
    let aligned = align(codes, scales);
    let shifts = match aligned {
        Some((shifts, least)) => {
            store(&mut out[CODES], _mm512_castps_si512(scales_of::<MXFP4>(&bytes(least))));
            shifts
        }
        None => {
            for b in 0..4 {
                store(&mut out[CODES + b], _mm512_castps_si512(scales_of::<MXFP4>(&scales[b])));
            }
            [_mm_setzero_si128(); 4]
        }
    };
    let (low, table) = (_mm512_set1_epi8(15), load(&UNSIGNED_E2M1));
    for ((codes, shift), out) in codes.chunks_exact(4).zip(shifts).zip(out.chunks_exact_mut(8)) {
        let shift = _mm512_cvtepu8_epi32(shift);
        // A code plus 12, shifted, stays inside its byte; then 12 · 2^shift is made 96.
        let rest = _mm512_sub_epi8(_mm512_set1_epi8(96), _mm512_sllv_epi32(_mm512_set1_epi8(12), shift));
        for (line, out) in codes.iter().zip(out.as_chunks_mut::<2>().0) {
            let both = load(line);
            for (nibbles, out) in [both, _mm512_srli_epi16::<4>(both)].into_iter().zip(out) {
                let plus_12 = _mm512_shuffle_epi8(table, _mm512_and_si512(nibbles, low));
                store(out, _mm512_add_epi8(_mm512_sllv_epi32(plus_12, shift), rest));
            }
        }
    }
    aligned.is_some()
}

/// The scales of one span of nvfp4; whether they are 16-bit multiples of one power of two a lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn integers<const P: u8>(scales: &[[u8; LANES]; 8], out: &mut [[u8; LINE]]) -> bool {
    let all = |x: i8| _mm512_set1_epi8(x);
    let (halves, _) = scales.as_flattened().as_chunks::<LINE>();
    let (mut mantissas, mut shifts) = ([all(0); 2], [all(0); 2]);
    let (mut least, mut most, mut odd) = (all(15), all(0), 0);
    for h in 0..2 {
        let code = load(&halves[h]);
        // NaN, and negative scales, which no quantiser makes.
        odd |= _mm512_cmpge_epu8_mask(code, all(0x7f));
        let exponent = _mm512_and_si512(_mm512_srli_epi16::<3>(code), all(15));
        let mantissa = _mm512_and_si512(code, all(7));
        let normal = _mm512_test_epi8_mask(exponent, exponent);
        mantissas[h] = _mm512_mask_add_epi8(mantissa, normal, mantissa, all(8));
        let some = _mm512_test_epi8_mask(code, code);
        shifts[h] = _mm512_mask_max_epu8(all(15), some, exponent, all(1));
        least = _mm512_min_epu8(least, shifts[h]);
        most = _mm512_mask_max_epu8(most, some, most, shifts[h]);
    }
    let quarters = |v: __m512i| {
        [
            _mm512_castsi512_si128(v),
            _mm512_extracti32x4_epi32::<1>(v),
            _mm512_extracti32x4_epi32::<2>(v),
            _mm512_extracti32x4_epi32::<3>(v),
        ]
    };
    let [a, b, c, d] = quarters(least);
    let least = _mm_min_epu8(_mm_min_epu8(a, b), _mm_min_epu8(c, d));
    let [a, b, c, d] = quarters(most);
    let most = _mm_max_epu8(_mm_max_epu8(a, b), _mm_max_epu8(c, d));
    let limit = _mm_set1_epi8(spread(P).cast_signed());
    if odd != 0 || _mm_cmpgt_epu8_mask(_mm_subs_epu8(most, least), limit) != 0 {
        for b in 0..8 {
            store(&mut out[CODES + b], _mm512_castps_si512(scales_of::<NVFP4>(&scales[b])));
        }
        return false;
    }
    for h in 0..2 {
        // Where the scale is 0 the shift may be anything: 15 at most, and 0 is shifted.
        let shift = quarters(_mm512_sub_epi8(shifts[h], _mm512_broadcast_i32x4(least)));
        let mantissa = quarters(mantissas[h]);
        for q in 0..4 {
            let b = 4 * h + q;
            let scale = _mm512_sllv_epi32(_mm512_cvtepu8_epi32(mantissa[q]), _mm512_cvtepu8_epi32(shift[q]));
            if P == TABLE {
                let mut times = _mm512_slli_epi32::<3>(scale);
                for line in &mut out[CODES + 8 * b..][..8] {
                    store(line, times);
                    times = _mm512_add_epi32(times, scale);
                }
            } else {
                store(&mut out[CODES + b], scale);
            }
        }
    }
    // 2^(exponent − 7 − 3), and 2⁻⁸ of it as everywhere on this path.
    let field = _mm512_add_epi32(_mm512_cvtepu8_epi32(least), _mm512_set1_epi32(127 - 10 - 8));
    store(&mut out[lines(P) - 1], _mm512_slli_epi32::<23>(field));
    true
}

/// Decodes span `span` of one tile into `out`, of `lines(P)`; whether its blocks share what P has them share.
///
/// Where the last span is short, lines of codes stay what they were: they are multiplied with zeros.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn unpack<const F: u8, const P: u8, const STEPS: usize, const B: usize>(
    tile: Tile<'_>,
    span: usize,
    out: &mut [[u8; LINE]],
) -> bool {
    const { assert!(B == blocks(P) && B * STEPS == CODES && 4 * CODES == SPAN) };
    let lines_a_block = if F == Q8_0 { STEPS } else { STEPS / 2 };
    let codes = &tile.codes.as_chunks::<LINE>().0[span * B * lines_a_block..];
    let codes = &codes[..codes.len().min(B * lines_a_block)];
    if P == PLAIN {
        let scales = &tile.scales.as_chunks::<{ 2 * LANES }>().0[span * B..];
        for (b, (codes, scale)) in codes.chunks_exact(lines_a_block).zip(scales).enumerate() {
            put::<F, STEPS>(codes, &mut out[b * STEPS..]);
            store(&mut out[CODES + b], _mm512_castps_si512(scales_of::<F>(scale)));
        }
        for line in &mut out[CODES + codes.len() / lines_a_block..] {
            store(line, _mm512_setzero_si512());
        }
        return false;
    }
    let there = &tile.scales.as_chunks::<LANES>().0[span * B..];
    // Blocks that are not there have the first one's scales, which moves no maximum and no minimum.
    let mut scales = [there[0]; B];
    let some = B.min(there.len());
    scales[..some].copy_from_slice(&there[..some]);
    if P == ALIGNED {
        let (scales, _) = scales.as_chunks::<4>();
        return aligned(codes, &scales[0], out);
    }
    for (codes, out) in codes.chunks_exact(lines_a_block).zip(out.chunks_exact_mut(STEPS)) {
        put::<F, STEPS>(codes, out);
    }
    let (scales, _) = scales.as_chunks::<8>();
    integers::<P>(&scales[0], out)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
fn put<const F: u8, const STEPS: usize>(codes: &[[u8; LINE]], out: &mut [[u8; LINE]]) {
    let decoded = decode::<F, STEPS>(codes);
    for s in 0..STEPS {
        store(&mut out[s], decoded[s]);
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c")]
pub(super) fn unpack_any<const P: u8>(format: Format, tile: Tile<'_>, span: usize, out: &mut [[u8; LINE]]) -> bool {
    match (P, format) {
        (ALIGNED, _) => unpack::<MXFP4, ALIGNED, 8, 4>(tile, span, out),
        (INTEGER, _) => unpack::<NVFP4, INTEGER, 4, 8>(tile, span, out),
        (TABLE, _) => unpack::<NVFP4, TABLE, 4, 8>(tile, span, out),
        (_, Format::Q8_0) => unpack::<Q8_0, PLAIN, 8, 4>(tile, span, out),
        _ => unpack::<Q4_0, PLAIN, 8, 4>(tile, span, out),
    }
}
