//! How keys and values are stored in a block of 16 tokens, and read back, an element at a time.

use super::KvType;
use super::layout::LANES;
use crate::E4m3;
use crate::format::e4m3;
use half::bf16;

/// An element type of the caches, see [`Layout`](super::Layout). A block is the elements of 16 tokens of one cache.
pub(super) trait Stored: crate::Element + std::fmt::Debug {
    /// Neighbouring elements of a key that stand together: as many as fill 4 bytes.
    const PAIR: usize = 4 / size_of::<Self>();
    /// Elements behind the codes of a block.
    const TAIL: usize = 0;
    /// Neighbouring tokens of an element of a value that stand together.
    const TOKENS: usize = 1;
    /// Elements of a block.
    fn block(dim: usize) -> usize {
        LANES * dim + Self::TAIL
    }
    /// Stores the key of token `lane` of the block.
    fn put_key(block: &mut [Self], lane: usize, key: &[f32]);
    /// Stores the value of token `lane` of the block.
    fn put_value(block: &mut [Self], lane: usize, value: &[f32]);
    /// Element `d` of the key of token `lane`.
    fn key(block: &[Self], dim: usize, lane: usize, d: usize) -> f32;
    /// Element `d` of the value of token `lane`.
    fn value(block: &[Self], dim: usize, lane: usize, d: usize) -> f32;
}

impl Stored for f32 {
    fn put_key(block: &mut [Self], lane: usize, key: &[f32]) {
        block.as_chunks_mut::<LANES>().0.iter_mut().zip(key).for_each(|(line, key)| line[lane] = *key);
    }
    fn put_value(block: &mut [Self], lane: usize, value: &[f32]) {
        block[lane * value.len()..][..value.len()].copy_from_slice(value);
    }
    fn key(block: &[Self], _dim: usize, lane: usize, d: usize) -> f32 {
        block[d * LANES + lane]
    }
    fn value(block: &[Self], dim: usize, lane: usize, d: usize) -> f32 {
        block[lane * dim + d]
    }
}

impl Stored for bf16 {
    fn put_key(block: &mut [Self], lane: usize, key: &[f32]) {
        for (line, key) in block.as_chunks_mut::<{ 2 * LANES }>().0.iter_mut().zip(key.as_chunks::<2>().0) {
            line[2 * lane] = round(key[0]);
            line[2 * lane + 1] = round(key[1]);
        }
    }
    fn put_value(block: &mut [Self], lane: usize, value: &[f32]) {
        block[lane * value.len()..].iter_mut().zip(value).for_each(|(stored, value)| *stored = round(*value));
    }
    fn key(block: &[Self], _dim: usize, lane: usize, d: usize) -> f32 {
        block[(d / 2 * LANES + lane) * 2 + d % 2].to_f32()
    }
    fn value(block: &[Self], dim: usize, lane: usize, d: usize) -> f32 {
        block[lane * dim + d].to_f32()
    }
}

/// To nearest even, as `bf16::from_f32` does but without its branch, so that it is done on vectors.
fn round(x: f32) -> bf16 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    bf16::from_bits(if x.is_nan() { (bits >> 16 | 0x40) as u16 } else { rounded as u16 })
}

/// An element of an int8 cache is a byte: of a code or of a scale.
impl Stored for u8 {
    const TAIL: usize = LANES * size_of::<f32>();
    const TOKENS: usize = 4;
    fn put_key(block: &mut [Self], lane: usize, key: &[f32]) {
        let (codes, scales) = block.split_at_mut(LANES * key.len());
        let (scale, inverse) = scales_of(key);
        for (line, key) in codes.as_chunks_mut::<{ 4 * LANES }>().0.iter_mut().zip(key.as_chunks::<4>().0) {
            for (stored, key) in line[4 * lane..][..4].iter_mut().zip(key) {
                *stored = code(*key, inverse).wrapping_add(-128) as u8;
            }
        }
        scales[4 * lane..][..4].copy_from_slice(&scale.to_ne_bytes());
    }
    fn put_value(block: &mut [Self], lane: usize, value: &[f32]) {
        let dim = value.len();
        let (codes, scales) = block.split_at_mut(LANES * dim);
        let (scale, inverse) = scales_of(value);
        for (four, value) in codes[lane / 4 * 4 * dim..].as_chunks_mut::<4>().0.iter_mut().zip(value) {
            four[lane % 4] = code(*value, inverse) as u8;
        }
        scales[4 * lane..][..4].copy_from_slice(&scale.to_ne_bytes());
    }
    fn key(block: &[Self], dim: usize, lane: usize, d: usize) -> f32 {
        let code = block[(d / 4 * LANES + lane) * 4 + d % 4].wrapping_sub(128) as i8;
        f32::from(code) * scale(block, dim, lane)
    }
    fn value(block: &[Self], dim: usize, lane: usize, d: usize) -> f32 {
        let code = block[(lane / 4 * dim + d) * 4 + lane % 4] as i8;
        f32::from(code) * scale(block, dim, lane)
    }
}

/// The places of int8's codes, no scales.
impl Stored for E4m3 {
    const TOKENS: usize = 4;
    fn put_key(block: &mut [Self], lane: usize, key: &[f32]) {
        for (line, key) in block.as_chunks_mut::<{ 4 * LANES }>().0.iter_mut().zip(key.as_chunks::<4>().0) {
            line[4 * lane..][..4].iter_mut().zip(key).for_each(|(stored, key)| *stored = E4m3(e4m3::encode(*key)));
        }
    }
    fn put_value(block: &mut [Self], lane: usize, value: &[f32]) {
        let fours = block[lane / 4 * 4 * value.len()..].as_chunks_mut::<4>().0;
        fours.iter_mut().zip(value).for_each(|(four, value)| four[lane % 4] = E4m3(e4m3::encode(*value)));
    }
    fn key(block: &[Self], _dim: usize, lane: usize, d: usize) -> f32 {
        e4m3::decode(block[(d / 4 * LANES + lane) * 4 + d % 4].0)
    }
    fn value(block: &[Self], dim: usize, lane: usize, d: usize) -> f32 {
        e4m3::decode(block[(lane / 4 * dim + d) * 4 + lane % 4].0)
    }
}

/// The scale of token `lane` of an int8 block.
fn scale(block: &[u8], dim: usize, lane: usize) -> f32 {
    let bytes = &block[LANES * dim + 4 * lane..][..4];
    f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Scale and inverse of it of an int8 key or value.
pub(super) fn scales_of(x: &[f32]) -> (f32, f32) {
    /// 2⁻¹⁰⁰: 127 over less would overflow before long, and no model means it.
    const LEAST: f32 = f32::from_bits((127 - 100) << 23);
    let max = x.iter().fold(0.0_f32, |max, x| max.max(x.abs()));
    // A maximum passes over NaN; a sum of zeros and NaN does not.
    if !max.is_finite() || x.iter().any(|x| x.is_nan()) {
        (f32::NAN, 0.0)
    } else if max < LEAST {
        (0.0, 0.0)
    } else {
        (max / 127.0, 127.0 / max)
    }
}

/// The code of an element; that of NaN is 0.
pub(super) fn code(x: f32, inverse: f32) -> i8 {
    (x * inverse).round_ties_even() as i8
}

/// Fills a whole key cache (`keys`) or value cache of bytes, int8 or fp8, with what `token` writes for each token, in the order of
/// the layout: \[sequence\]\[kv head\]\[slot\].
///
/// # Panics
/// If the cache is not whole blocks of tokens of `head_dim` elements, a multiple of 4, or `kv` is no type of one byte an element.
pub fn fill_bytes(kv: KvType, cache: &mut [u8], head_dim: usize, keys: bool, token: impl FnMut(usize, &mut [f32])) {
    match kv {
        KvType::Int8 => fill::<u8>(cache, |code| code, (head_dim, keys), token),
        KvType::Fp8 => fill::<E4m3>(cache, |code| code.0, (head_dim, keys), token),
        KvType::F32 | KvType::Bf16 => panic!("{} is no cache of bytes", kv.name()),
    }
}

fn fill<T: Stored + Default>(
    cache: &mut [u8],
    byte: impl Fn(T) -> u8,
    (head_dim, keys): (usize, bool),
    mut token: impl FnMut(usize, &mut [f32]),
) {
    let len = T::block(head_dim);
    assert!(head_dim.is_multiple_of(4) && cache.len().is_multiple_of(len), "whole blocks");
    let (mut row, mut block) = (vec![0.0; head_dim], vec![T::default(); len]);
    for (i, bytes) in cache.chunks_exact_mut(len).enumerate() {
        for lane in 0..LANES {
            token(i * LANES + lane, &mut row);
            if keys { T::put_key(&mut block, lane, &row) } else { T::put_value(&mut block, lane, &row) }
        }
        bytes.iter_mut().zip(&block).for_each(|(to, from)| *to = byte(*from));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_is_rounded_as_the_crate_does() {
        for bits in
            (0..=u32::MAX).step_by(4099).chain([0x7f80_0001, 0xff80_0001, 0x7f7f_ffff, 0x8000_8000, 0x8001_8000])
        {
            let x = f32::from_bits(bits);
            assert_eq!(round(x).to_bits(), bf16::from_f32(x).to_bits(), "{bits:#x}");
        }
    }

    #[test]
    fn int8_keeps_every_element_within_half_a_step_and_says_what_it_cannot_keep() {
        let x: Vec<f32> = (0..32).map(|i| (i as f32 - 11.3) * 0.7).collect();
        for (factor, zero) in [(1.0, false), (1e-25, false), (1e36, false), (1e-36, true), (0.0, true)] {
            let x: Vec<_> = x.iter().map(|x| x * factor).collect();
            let step = f64::from(x.iter().fold(0.0_f32, |max, x| max.max(x.abs()))) / 127.0;
            let (mut keys, mut values) = (vec![7; u8::block(32)], vec![7; u8::block(32)]);
            for lane in [0, 5, 15] {
                u8::put_key(&mut keys, lane, &x);
                u8::put_value(&mut values, lane, &x);
                for (d, &x) in x.iter().enumerate() {
                    let x = if zero { 0.0 } else { f64::from(x) };
                    for got in [u8::key(&keys, 32, lane, d), u8::value(&values, 32, lane, d)] {
                        assert!((f64::from(got) - x).abs() <= 0.50001 * step, "{got} {x} {factor}");
                    }
                }
            }
        }
        for bad in [f32::NAN, f32::INFINITY] {
            let mut block = vec![0; u8::block(4)];
            u8::put_key(&mut block, 3, &[1.0, bad, 2.0, 3.0]);
            assert!((0..4).all(|d| u8::key(&block, 4, 3, d).is_nan()));
        }
    }
}
