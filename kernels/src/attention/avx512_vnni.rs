//! Attention over int8 caches by int8 dot products: queries and probabilities as two bytes, sums exact in int32.
//!
//! `vpdpbusd` takes 64 products of an unsigned by a signed byte. A query element is rounded to 256·high + low with signed bytes, its
//! key's code + 128 is unsigned, and what the 128 adds is known from the query alone. A probability times its value's scale is
//! rounded to 256·high + low with unsigned bytes, relative to the largest of the block. Two instructions stand for four
//! multiply-adds in f32 and for the conversions before them: 2 · vectors of them a line of the cache, where a line takes about
//! 11 cycles from memory. The tolerance counts both roundings.
#![expect(unsafe_code, reason = "vector loads and stores take pointers")]

use super::avx512::{get, largest, multiply_add, prefetch, put, scales, soften, splat, times};
use super::flash::{self, Attends, Isa, Part, Queries};
use super::layout::LANES;
use super::reference::LEAST_WEIGHT;
use super::schedule::BLOCK;
use super::stored::Stored;
use super::{Attention, KvType};
use crate::cpu::isa::{AVX512_VNNI, Feature};
use crate::cpu::kernel::Kernel;
use crate::{Backend, Buffer, Device, Fault, Implementation, Prepared, Unsupported};
use std::arch::x86_64::*;
use std::ops::Range;

/// 512-bit vectors with int8 dot products.
#[derive(Debug)]
pub(super) struct Avx512Vnni;

impl Implementation<Attention> for Avx512Vnni {
    fn name(&self) -> &'static str {
        Self::NAME
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Attention, device: &dyn Device) -> Result<(), Unsupported> {
        if op.kv != KvType::Int8 {
            return Err(Unsupported(format!("int8 dot products are for int8 caches; this one is {}", op.kv.name())));
        }
        flash::supports::<Self>(op, device)
    }
    fn prepare(&self, op: &Attention, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        flash::ready::<Self, u8>(op, weights, device)
    }
}

impl Isa for Avx512Vnni {
    const NAME: &'static str = "avx512-vnni";
    const FEATURES: &'static [Feature] = AVX512_VNNI;
}

impl Attends<u8> for Avx512Vnni {
    fn kernel<'a>() -> Kernel<Part<'a, u8>> {
        // SAFETY: `attend` is safe but for its instructions, which are among these features.
        unsafe { Kernel::new(AVX512_VNNI, attend) }
    }
}

/// Query vectors of a strip, and vectors of keys or values side by side: 2 · 4 · 2 sums of high and low bytes, two lines and two
/// broadcasts; a sum takes 5 cycles and two start a cycle, so 10 hide it.
const ROWS: usize = 4;
const WIDE: usize = 2;
/// The largest rounded query element: its high byte stays a signed one, 127.
const QUERY: f32 = 32512.0;
/// The largest rounded weight.
const WEIGHT: f32 = 65535.0;
/// Tokens of the next block of values that are asked for while probabilities are made, a fifth of the time; the others, and the next
/// keys, by the first strip's products. With it 0.80 of the read roof at depth 4096, without 0.77 (Emerald Rapids, 2 threads).
const SOFT: usize = 16;

/// The integers of a tile: a row a query vector.
struct Codes<'a> {
    /// \[vectors\]\[dim\]: high bytes of the queries.
    high: &'a mut [u8],
    /// \[vectors\]\[dim\]: low bytes.
    low: &'a mut [u8],
    /// \[vectors\]\[64\]: high bytes of the weights.
    p_high: &'a mut [u8],
    /// \[vectors\]\[64\]: low bytes.
    p_low: &'a mut [u8],
    /// \[vectors\]: what a unit of the query's integers is, then −128 · their sum.
    units: &'a mut [[u8; 8]],
}

impl<'a> Codes<'a> {
    fn cut(codes: &'a mut [u8], vectors: usize, dim: usize) -> Self {
        let (high, rest) = codes.split_at_mut(vectors * dim);
        let (low, rest) = rest.split_at_mut(vectors * dim);
        let (p_high, rest) = rest.split_at_mut(vectors * BLOCK);
        let (p_low, units) = rest.split_at_mut(vectors * BLOCK);
        Self { high, low, p_high, p_low, units: &mut units.as_chunks_mut().0[..vectors] }
    }
    fn unit(&self, i: usize) -> (f32, i32) {
        let [a, b, c, d, e, f, g, h] = self.units[i];
        (f32::from_ne_bytes([a, b, c, d]), i32::from_ne_bytes([e, f, g, h]))
    }
}

/// Adds the part's blocks of keys to its sums.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
fn attend(part: &mut Part<'_, u8>) {
    let Part { queries, codes, .. } = part;
    let (dim, vectors, len) = (queries.dim, queries.vectors, u8::block(queries.dim));
    let mut codes = Codes::cut(codes, vectors, dim);
    for i in 0..vectors {
        round_query(&queries.q[i * dim..][..dim], i, &mut codes);
    }
    let strips = vectors.div_ceil(ROWS);
    let strip = |s: usize| vectors * s / strips..vectors * (s + 1) / strips;
    for block in part.blocks.clone() {
        let slots = block * (BLOCK / LANES) * len..part.keys.len().min((block + 1) * (BLOCK / LANES) * len);
        let (keys, values) = (&part.keys[slots.clone()], &part.values[slots]);
        for s in 0..strips {
            let (rows, ahead) = (strip(s), if s == 0 { BLOCK / LANES * len } else { 0 });
            let seen = queries.sees.shared(&rows, block);
            match rows.len() {
                1 => scores::<1>(queries, rows, &seen, keys, &codes, ahead),
                2 => scores::<2>(queries, rows, &seen, keys, &codes, ahead),
                3 => scores::<3>(queries, rows, &seen, keys, &codes, ahead),
                4 => scores::<4>(queries, rows, &seen, keys, &codes, ahead),
                _ => unreachable!("at most {ROWS} rows"),
            }
        }
        for s in 0..strips {
            let (rows, ahead) = (strip(s), if s == 0 { BLOCK / LANES * len } else { 0 });
            let seen = queries.sees.shared(&rows, block);
            if seen.is_empty() {
                continue;
            }
            let mut units = [0.0; ROWS];
            for (i, (row, unit)) in rows.clone().zip(&mut units).enumerate() {
                if ahead > 0 {
                    let share = SOFT / LANES * len / rows.len();
                    for at in (i * share..(i + 1) * share).step_by(64) {
                        prefetch(values.as_ptr().wrapping_add(ahead + at));
                    }
                }
                let visible = queries.sees.visible(row, block);
                let p = &mut queries.p[row * BLOCK..][..BLOCK];
                soften_row(queries.cap, row, &seen, visible, p, dim, &mut queries.state);
                *unit = round_weights(p, &seen, values, dim, row, &mut codes);
            }
            match rows.len() {
                1 => outputs::<1>(queries, rows, &seen, values, &codes, units, ahead),
                2 => outputs::<2>(queries, rows, &seen, values, &codes, units, ahead),
                3 => outputs::<3>(queries, rows, &seen, values, &codes, units, ahead),
                4 => outputs::<4>(queries, rows, &seen, values, &codes, units, ahead),
                _ => unreachable!("at most {ROWS} rows"),
            }
        }
    }
}

/// Scores of a row to probabilities.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn soften_row(
    cap: f32,
    row: usize,
    seen: &Range<usize>,
    visible: Range<usize>,
    p: &mut [f32],
    dim: usize,
    state: &mut flash::State<'_>,
) {
    let visible = visible.start.saturating_sub(seen.start)..visible.end.saturating_sub(seen.start);
    let p = &mut p[seen.start..seen.end.next_multiple_of(LANES)];
    let sums = &mut state.sums[row * dim..][..dim];
    soften(p, visible, cap, sums, &mut state.weights[row * LANES..][..LANES], &mut state.max[row]);
}

/// The 16 bytes at `at`.
#[inline]
#[target_feature(enable = "avx512f")]
fn put_bytes(x: __m512i, to: &mut [u8], at: usize) {
    let to = &mut to[at..at + LANES];
    let bytes = _mm512_cvtepi32_epi8(x);
    // SAFETY: the slice holds 16 bytes.
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), bytes) }
}

/// A query vector as integers of two signed bytes. What is not finite makes its unit, and so all its scores, NaN.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
fn round_query(q: &[f32], i: usize, codes: &mut Codes<'_>) {
    let (mut max, mut finite) = (splat(0.0), true);
    for d in (0..q.len()).step_by(LANES) {
        let q = _mm512_abs_ps(get(q, d));
        finite &= _mm512_cmp_ps_mask::<_CMP_LE_OQ>(q, splat(f32::MAX)) == 0xffff;
        max = _mm512_max_ps(q, max);
    }
    let max = largest(max);
    // Below 2⁻¹⁰⁰ the inverse would overflow before long, and so would no score differ from 0.
    let inverse = if finite && max > 1e-30 { QUERY / max } else { 0.0 };
    let unit = if finite { max / QUERY } else { f32::NAN };
    let mut sum = _mm512_setzero_si512();
    for d in (0..q.len()).step_by(LANES) {
        let whole = _mm512_cvtps_epi32(times(get(q, d), splat(inverse)));
        let low = _mm512_srai_epi32::<24>(_mm512_slli_epi32::<24>(whole));
        let high = _mm512_srai_epi32::<8>(_mm512_sub_epi32(whole, low));
        put_bytes(high, codes.high, i * q.len() + d);
        put_bytes(low, codes.low, i * q.len() + d);
        sum = _mm512_add_epi32(sum, whole);
    }
    let offset = _mm512_reduce_add_epi32(sum).wrapping_mul(-128);
    codes.units[i][..4].copy_from_slice(&unit.to_ne_bytes());
    codes.units[i][4..].copy_from_slice(&offset.to_ne_bytes());
}

/// Probabilities times the scales of their values as integers of two bytes; what a unit of them is.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
fn round_weights(
    p: &mut [f32],
    seen: &Range<usize>,
    values: &[u8],
    dim: usize,
    row: usize,
    codes: &mut Codes<'_>,
) -> f32 {
    let (mut max, mut lost) = (splat(0.0), 0);
    for lane in seen.clone().step_by(LANES) {
        let scales = scales(&values[lane / LANES * u8::block(dim)..][..u8::block(dim)], dim);
        let weight = get(p, lane);
        // A token that is not seen has the probability 0, and may have any scale.
        let some = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(weight, splat(0.0));
        let weight = _mm512_maskz_mul_ps(some, weight, scales);
        lost |= _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(weight, weight);
        max = _mm512_max_ps(weight, max);
        put(weight, p, lane);
    }
    let max = if lost == 0 { largest(max) } else { f32::NAN };
    let inverse = if max > LEAST_WEIGHT { WEIGHT / max } else { 0.0 };
    for lane in seen.clone().step_by(LANES) {
        let whole = _mm512_cvtps_epi32(times(get(p, lane), splat(inverse)));
        put_bytes(_mm512_srli_epi32::<8>(whole), codes.p_high, row * BLOCK + lane);
        put_bytes(whole, codes.p_low, row * BLOCK + lane);
    }
    max / WEIGHT
}

/// 4 bytes for each of 16 lanes.
///
/// # Safety
/// 4 bytes at `at` may be read.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn four(at: *const u8) -> __m512i {
    // SAFETY: by this function's contract; the load needs no alignment.
    _mm512_set1_epi32(unsafe { at.cast::<i32>().read_unaligned() })
}

/// p\[row\]\[key\] = q\[row\] · key for the `M` rows and the keys `seen` of a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
fn scores<const M: usize>(
    queries: &mut Queries<'_>,
    rows: Range<usize>,
    seen: &Range<usize>,
    keys: &[u8],
    codes: &Codes<'_>,
    ahead: usize,
) {
    let (dim, len) = (queries.dim, u8::block(queries.dim));
    for lane in seen.clone().step_by(WIDE * LANES) {
        let wide = (seen.end - lane).div_ceil(LANES).min(WIDE);
        let block = &keys[lane / LANES * len..][..wide * len];
        // The second vector of keys is the first once more where there is none.
        let second = (wide - 1) * len;
        let high = codes.high[rows.start * dim..][..M * dim].as_ptr();
        let low = codes.low[rows.start * dim..][..M * dim].as_ptr();
        let mut sums = [[[_mm512_setzero_si512(); 2]; WIDE]; M];
        for d in (0..dim).step_by(4) {
            let mut key = [_mm512_setzero_si512(); WIDE];
            for (n, key) in key.iter_mut().enumerate() {
                let line = block.as_ptr().wrapping_add(n * second + d * LANES);
                // SAFETY: 64 bytes of elements d .. d + 4 ≤ dim of the 16 keys of a block.
                *key = unsafe { _mm512_loadu_si512(line.cast()) };
                if ahead > 0 {
                    prefetch(line.wrapping_add(ahead));
                }
            }
            for (m, sums) in sums.iter_mut().enumerate() {
                // SAFETY: elements d .. d + 4 ≤ dim of row m < M.
                let high = unsafe { four(high.wrapping_add(m * dim + d)) };
                // SAFETY: as above.
                let low = unsafe { four(low.wrapping_add(m * dim + d)) };
                for (sums, key) in sums.iter_mut().zip(key) {
                    sums[0] = _mm512_dpbusd_epi32(sums[0], key, high);
                    sums[1] = _mm512_dpbusd_epi32(sums[1], key, low);
                }
            }
        }
        for (m, sums) in sums.into_iter().enumerate() {
            let (unit, offset) = codes.unit(rows.start + m);
            for (n, [high, low]) in sums.into_iter().enumerate().take(wide) {
                let whole = _mm512_add_epi32(_mm512_slli_epi32::<8>(high), low);
                let whole = _mm512_cvtepi32_ps(_mm512_add_epi32(whole, _mm512_set1_epi32(offset)));
                let scales = times(scales(&block[n * second..][..len], dim), splat(unit));
                put(times(whole, scales), queries.p, (rows.start + m) * BLOCK + lane + n * LANES);
            }
        }
    }
}

/// sums\[row\] += Σ p\[row\]\[key\] · value\[key\] for the `M` rows and the tokens `seen` of a block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
fn outputs<const M: usize>(
    queries: &mut Queries<'_>,
    rows: Range<usize>,
    seen: &Range<usize>,
    values: &[u8],
    codes: &Codes<'_>,
    units: [f32; ROWS],
    ahead: usize,
) {
    let (dim, len) = (queries.dim, u8::block(queries.dim));
    let high = codes.p_high[rows.start * BLOCK..][..M * BLOCK].as_ptr();
    let low = codes.p_low[rows.start * BLOCK..][..M * BLOCK].as_ptr();
    for d in (0..dim).step_by(WIDE * LANES) {
        let wide = ((dim - d) / LANES).min(WIDE);
        let second = (wide - 1) * 4 * LANES;
        let mut sums = [[[_mm512_setzero_si512(); 2]; WIDE]; M];
        for lane in seen.clone().step_by(LANES) {
            let block = &values[lane / LANES * len..][..len];
            for token in (lane..seen.end.min(lane + LANES)).step_by(4) {
                let mut value = [_mm512_setzero_si512(); WIDE];
                for (n, value) in value.iter_mut().enumerate() {
                    let line = block.as_ptr().wrapping_add((token - lane) * dim + 4 * d + n * second);
                    // SAFETY: 64 bytes of elements d .. d + 16 · wide ≤ dim of 4 tokens of a block.
                    *value = unsafe { _mm512_loadu_si512(line.cast()) };
                    if ahead > 0 && lane >= SOFT {
                        prefetch(line.wrapping_add(ahead));
                    }
                }
                for (m, sums) in sums.iter_mut().enumerate() {
                    // SAFETY: tokens token .. token + 4 ≤ 64 of row m < M.
                    let high = unsafe { four(high.wrapping_add(m * BLOCK + token)) };
                    // SAFETY: as above.
                    let low = unsafe { four(low.wrapping_add(m * BLOCK + token)) };
                    for (sums, value) in sums.iter_mut().zip(value) {
                        sums[0] = _mm512_dpbusd_epi32(sums[0], high, value);
                        sums[1] = _mm512_dpbusd_epi32(sums[1], low, value);
                    }
                }
            }
        }
        for (m, sums) in sums.into_iter().enumerate() {
            let to = (rows.start + m) * dim + d;
            for (n, [high, low]) in sums.into_iter().enumerate().take(wide) {
                let whole = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_slli_epi32::<8>(high), low));
                let at = to + n * LANES;
                put(multiply_add(whole, splat(units[m]), get(queries.state.sums, at)), queries.state.sums, at);
            }
        }
    }
}
