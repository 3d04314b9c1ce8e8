//! The formats of GGUF whose values are code · scale + offset: Q4_1, Q5_0, Q5_1, and the K-quants Q4_K, Q5_K, Q6_K.
//!
//! | | block | bytes | in this order | value |
//! |---|--:|--:|---|---|
//! | Q4_1 | 32 | 20 | d, m, 16 bytes of nibbles | q · d + m |
//! | Q5_0 | 32 | 22 | d, 32 fifth bits, nibbles | (q − 16) · d |
//! | Q5_1 | 32 | 24 | d, m, 32 fifth bits, nibbles | q · d + m |
//! | Q4_K | 256 | 144 | d, m, 8 pairs (s, t) of six bits in 12 bytes, 128 bytes of nibbles | q · d·s − m·t for each 32 |
//! | Q5_K | 256 | 176 | d, m, the same pairs, 256 fifth bits, nibbles | the same |
//! | Q6_K | 256 | 210 | 128 bytes of nibbles, 64 of the upper two bits, 16 int8 s, d | (q − 32) · d·s for each 16 |
//!
//! d and m are f16. In blocks of 32, byte j has elements j low and j + 16 high; in the K-quants each 32 bytes have 32 elements low and
//! the 32 after them high (of Q6_K 64 after, in halves of 128).
//!
//! A scale d·s has at most 11 + 7 significant bits and a code 6, so that code · scale is exact in f32 and one addition is the only
//! rounding: a fused multiply-add gives the same bits. The quantisers here are plain ones, from the range of each group; llama.cpp's search
//! for better scales, and files made with it decode all the same.

use super::Format;
use super::f16;

/// One block, taken apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    /// The codes of its elements, in order.
    pub(crate) codes: [u8; BLOCK_K],
    /// f16.
    pub(crate) d: [u8; 2],
    /// f16; 0 where the format has none.
    pub(crate) m: [u8; 2],
    /// s of each group.
    pub(crate) s: [u8; 16],
    /// t of each group.
    pub(crate) t: [u8; 8],
}

/// Elements a block of the K-quants.
pub const BLOCK_K: usize = 256;
/// Elements a block of the others.
pub const BLOCK: usize = 32;

const EMPTY: Parts = Parts { codes: [0; BLOCK_K], d: [0; 2], m: [0; 2], s: [0; 16], t: [0; 8] };

/// Elements that share a scale.
pub(crate) const fn group(format: Format) -> usize {
    if matches!(format, Format::Q6K) { 16 } else { 32 }
}

/// Bits of a code.
pub(crate) const fn bits(format: Format) -> usize {
    match format {
        Format::Q4_1 | Format::Q4K => 4,
        Format::Q6K => 6,
        _ => 5,
    }
}

fn half(bytes: [u8; 2]) -> f32 {
    f16::decode(u16::from_le_bytes(bytes))
}

impl Parts {
    /// Takes a block apart.
    pub(crate) fn of(format: Format, block: &[u8]) -> Self {
        let mut parts = EMPTY;
        let two = |at: usize| [block[at], block[at + 1]];
        match format {
            Format::Q6K => {
                let (nibbles, rest) = block.split_at(128);
                let (upper, rest) = rest.split_at(64);
                parts.s.copy_from_slice(&rest[..16]);
                parts.d = [rest[16], rest[17]];
                for (e, code) in parts.codes.iter_mut().enumerate() {
                    // Quarters of a half: the first two low, the last two high.
                    let (half, quarter, l) = (e / 128, e % 128 / 32, e % 32);
                    let low = nibbles[64 * half + 32 * (quarter % 2) + l] >> (4 * (quarter / 2)) & 15;
                    *code = low | (upper[32 * half + l] >> (2 * quarter) & 3) << 4;
                }
            }
            Format::Q4K | Format::Q5K => {
                (parts.d, parts.m) = (two(0), two(2));
                let pairs = &block[4..16];
                for g in 0..8 {
                    (parts.s[g], parts.t[g]) = if g < 4 {
                        (pairs[g] & 63, pairs[g + 4] & 63)
                    } else {
                        (pairs[g + 4] & 15 | pairs[g - 4] >> 6 << 4, pairs[g + 4] >> 4 | pairs[g] >> 6 << 4)
                    };
                }
                let (fifth, nibbles) =
                    if format == Format::Q5K { block[16..].split_at(32) } else { (&[][..], &block[16..]) };
                for (e, code) in parts.codes.iter_mut().enumerate() {
                    let (g, l) = (e / 32, e % 32);
                    let low = nibbles[32 * (g / 2) + l] >> (4 * (g % 2)) & 15;
                    *code = low | fifth.get(l).map_or(0, |bits| (bits >> g & 1) << 4);
                }
            }
            _ => {
                parts.d = two(0);
                let mut at = 2;
                if format != Format::Q5_0 {
                    parts.m = two(2);
                    at = 4;
                }
                let mut fifth = 0;
                if format != Format::Q4_1 {
                    fifth = u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
                    at += 4;
                }
                for (e, code) in parts.codes[..BLOCK].iter_mut().enumerate() {
                    *code = block[at + e % 16] >> (4 * (e / 16)) & 15 | ((fifth >> e & 1) as u8) << 4;
                }
            }
        }
        parts
    }
    /// Puts a block together.
    pub(crate) fn store(&self, format: Format, block: &mut [u8]) {
        block.fill(0);
        match format {
            Format::Q6K => {
                let (nibbles, rest) = block.split_at_mut(128);
                let (upper, rest) = rest.split_at_mut(64);
                rest[..16].copy_from_slice(&self.s);
                rest[16..].copy_from_slice(&self.d);
                for (e, code) in self.codes.iter().enumerate() {
                    let (half, quarter, l) = (e / 128, e % 128 / 32, e % 32);
                    nibbles[64 * half + 32 * (quarter % 2) + l] |= (code & 15) << (4 * (quarter / 2));
                    upper[32 * half + l] |= code >> 4 << (2 * quarter);
                }
            }
            Format::Q4K | Format::Q5K => {
                block[..2].copy_from_slice(&self.d);
                block[2..4].copy_from_slice(&self.m);
                let pairs = &mut block[4..16];
                for g in 0..4 {
                    pairs[g] = self.s[g] | self.s[g + 4] >> 4 << 6;
                    pairs[g + 4] = self.t[g] | self.t[g + 4] >> 4 << 6;
                    pairs[g + 8] = self.s[g + 4] & 15 | self.t[g + 4] << 4;
                }
                let fifths = if format == Format::Q5K { 32 } else { 0 };
                let (fifth, nibbles) = block[16..].split_at_mut(fifths);
                for (e, code) in self.codes.iter().enumerate() {
                    let (g, l) = (e / 32, e % 32);
                    nibbles[32 * (g / 2) + l] |= (code & 15) << (4 * (g % 2));
                    if let Some(bits) = fifth.get_mut(l) {
                        *bits |= code >> 4 << g;
                    }
                }
            }
            _ => {
                block[..2].copy_from_slice(&self.d);
                let mut at = 2;
                if format != Format::Q5_0 {
                    block[2..4].copy_from_slice(&self.m);
                    at = 4;
                }
                if format != Format::Q4_1 {
                    let fifth = self.codes[..BLOCK].iter().enumerate();
                    let fifth = fifth.fold(0, |bits, (e, code)| bits | u32::from(code >> 4) << e);
                    block[at..at + 4].copy_from_slice(&fifth.to_le_bytes());
                    at += 4;
                }
                for (e, code) in self.codes[..BLOCK].iter().enumerate() {
                    block[at + e % 16] |= (code & 15) << (4 * (e / 16));
                }
            }
        }
    }
    /// (scale, offset) of group `g`, exactly.
    pub(crate) fn scale(&self, format: Format, g: usize) -> (f32, f32) {
        let (d, m) = (half(self.d), half(self.m));
        match format {
            Format::Q6K => {
                let scale = d * f32::from(self.s[g].cast_signed());
                (scale, -32.0 * scale)
            }
            Format::Q4K | Format::Q5K => (d * f32::from(self.s[g]), -(m * f32::from(self.t[g]))),
            Format::Q5_0 => (d, -16.0 * d),
            _ => (d, m),
        }
    }
}

/// Decodes blocks; see the module for why this rounds once.
pub(super) fn dequantize(format: Format, bytes: &[u8], out: &mut [f32]) {
    for (block, out) in bytes.chunks_exact(format.block_bytes()).zip(out.chunks_exact_mut(format.block())) {
        let parts = Parts::of(format, block);
        for (g, (codes, out)) in parts.codes.chunks(group(format)).zip(out.chunks_mut(group(format))).enumerate() {
            let (scale, offset) = parts.scale(format, g);
            codes.iter().zip(out).for_each(|(code, out)| *out = f32::from(*code) * scale + offset);
        }
    }
}

/// The exact value of element `i` of one block.
pub(super) fn decode(format: Format, block: &[u8], i: usize) -> f64 {
    let parts = Parts::of(format, block);
    let (scale, offset) = parts.scale(format, i / group(format));
    f64::from(parts.codes[i]) * f64::from(scale) + f64::from(offset)
}

/// Quantises `x` into blocks, each group's codes over its range. A block with a NaN, an infinity or a scale too large for f16 gets the
/// scale NaN, so that it decodes to NaN throughout.
///
/// # Panics
/// If `x` is not a whole number of blocks, or `out` does not fit it.
pub(super) fn quantize(format: Format, x: &[f32], out: &mut [u8]) {
    for (x, out) in x.chunks_exact(format.block()).zip(out.chunks_exact_mut(format.block_bytes())) {
        parts_of(format, x).store(format, out);
    }
}

/// The least and the most of 0 and the elements of a group.
fn range(x: &[f32]) -> (f32, f32) {
    x.iter().fold((0.0, 0.0), |(least, most): (f32, f32), x| (least.min(*x), most.max(*x)))
}

fn parts_of(format: Format, x: &[f32]) -> Parts {
    let mut parts = EMPTY;
    let most = f32::from((1_u8 << bits(format)) - 1);
    let middle = f32::from(1_u8 << (bits(format) - 1));
    let groups = x.chunks(group(format));
    // Of each group: what a code is worth, and what stands below code 0.
    let wanted: Vec<(f32, f32)> = groups
        .map(|x| {
            let (least, largest) = range(x);
            match format {
                Format::Q5_0 | Format::Q6K => {
                    let extreme = if -least > largest { least } else { largest };
                    (extreme / -middle, 0.0)
                }
                _ => ((largest - least) / most, least),
            }
        })
        .collect();
    let largest = |of: &dyn Fn(&(f32, f32)) -> f32| wanted.iter().map(of).fold(0.0, f32::max);
    let (d, m) = match format {
        Format::Q4K | Format::Q5K => (largest(&|w| w.0) / 63.0, largest(&|w| -w.1) / 63.0),
        Format::Q6K => (largest(&|w| w.0.abs()) / 127.0, 0.0),
        _ => wanted[0],
    };
    parts.d = f16::encode_scale(if x.iter().all(|x| x.is_finite()) { d } else { f32::NAN }).to_le_bytes();
    parts.m = f16::encode_scale(m).to_le_bytes();
    if half(parts.d).is_nan() || half(parts.m).is_nan() {
        (parts.d, parts.m) = (f16::F16_NAN.to_le_bytes(), [0; 2]);
        return parts;
    }
    let mut codes = [0; BLOCK_K];
    for (g, (x, codes)) in x.chunks(group(format)).zip(codes.chunks_mut(group(format))).enumerate() {
        let of =
            |wanted: f32, step: [u8; 2]| if half(step) == 0.0 { 0.0 } else { (wanted / half(step)).round_ties_even() };
        match format {
            Format::Q4K | Format::Q5K => {
                parts.s[g] = of(wanted[g].0, parts.d).min(63.0) as u8;
                parts.t[g] = of(-wanted[g].1, parts.m).min(63.0) as u8;
            }
            Format::Q6K => parts.s[g] = (of(wanted[g].0, parts.d).clamp(-128.0, 127.0) as i8).cast_unsigned(),
            _ => {}
        }
        let (scale, offset) = parts.scale(format, g);
        for (x, code) in x.iter().zip(codes) {
            // Without a scale the middle, which is 0 where offsets are multiples of scales.
            *code = if scale == 0.0 { 0.0 } else { ((x - offset) / scale).round_ties_even().clamp(0.0, most) } as u8;
        }
    }
    Parts { codes, ..parts }
}
