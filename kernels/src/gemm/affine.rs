//! Packed weights of the formats whose values are code · scale + offset, and f16: into lines of f32, 16 outputs each.
//!
//! Written for lanes and not for instructions: every vector path compiles it for its own, a lane an output, sixteen at a time.
//!
//! In a tile, 32 elements of k are lines of nibbles as those of q4_0, then one line of fifth bits (bit e of a lane: element e), or two of
//! the fifth and sixth (bits 2e and 2e + 1 of the line's 16). The scales of a block: d, then m if there is one, as 16 f16 each; in the
//! K-quants then s, and t if there is one, of each group as 16 bytes each.

use super::packed::{LANES, LINE, Tile};
use crate::format::Format;
use crate::format::affine::{Parts, bits};

/// Elements of k whose lines stand together.
const GROUP: usize = 32;

/// (elements, bytes of codes, bytes of scales) of one block in a tile.
pub(super) const fn layout(format: Format) -> (usize, usize, usize) {
    let codes = format.block() / GROUP * lines(format) * LINE;
    let scales = match format {
        Format::Q5_0 => 2,
        Format::Q4K | Format::Q5K => 4 + 8 * 2,
        Format::Q6K => 2 + 16,
        _ => 4,
    };
    (format.block(), codes, scales * LANES)
}

/// Lines of 32 elements of k.
const fn lines(format: Format) -> usize {
    bits(format)
}

/// Puts block `b` of one output into its lane.
pub(super) fn pack(format: Format, block: &[u8], lane: usize, codes: &mut [[u8; LINE]], scales: &mut [u8]) {
    let parts = Parts::of(format, block);
    for (lines, elements) in codes.chunks_exact_mut(lines(format)).zip(parts.codes.as_chunks::<GROUP>().0) {
        let (low, high) = lines.split_at_mut(4);
        super::packed::pack_nibbles(&elements.map(|code| code & 15), lane, low);
        let (each, a_line) = if high.len() == 1 { (1, 32) } else { (2, 16) };
        for (line, elements) in high.iter_mut().zip(elements.chunks(a_line)) {
            let word = elements.iter().enumerate().fold(0, |word, (e, code)| word | u32::from(code >> 4) << (each * e));
            line[4 * lane..][..4].copy_from_slice(&word.to_le_bytes());
        }
    }
    let (halves, bytes) =
        scales.split_at_mut(if format == Format::Q5_0 || format == Format::Q6K { 2 } else { 4 } * LANES);
    for (half, value) in halves.chunks_exact_mut(2 * LANES).zip([parts.d, parts.m]) {
        half[2 * lane..][..2].copy_from_slice(&value);
    }
    let groups = bytes.chunks_exact_mut(if format == Format::Q6K { LANES } else { 2 * LANES });
    for (g, group) in groups.enumerate() {
        group[lane] = parts.s[g];
        if format != Format::Q6K {
            group[LANES + lane] = parts.t[g];
        }
    }
}

/// An f16 as f32, in operations that go lane by lane.
#[inline(always)]
pub(super) fn half(code: u32) -> f32 {
    let magnitude = (code & 0x7fff) << 13;
    // Exponents move by 112, those of infinity and NaN to the end; subnormals become normal and lose what made them so.
    let normal = f32::from_bits(magnitude + if code & 0x7c00 == 0x7c00 { 0x7000_0000 } else { 0x3800_0000 });
    let subnormal = f32::from_bits(magnitude + 0x3880_0000) - f32::from_bits(0x3880_0000);
    let value = if code & 0x7c00 == 0 { subnormal } else { normal };
    f32::from_bits(value.to_bits() | (code & 0x8000) << 16)
}

#[inline(always)]
fn halves(bytes: &[u8; 2 * LANES]) -> [f32; LANES] {
    let mut out = [0.0; LANES];
    for (out, code) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
        *out = half(u32::from(u16::from_le_bytes(*code)));
    }
    out
}

#[inline(always)]
fn words(line: &[u8; LINE]) -> [u32; LANES] {
    let mut out = [0; LANES];
    for (out, word) in out.iter_mut().zip(line.as_chunks::<4>().0) {
        *out = u32::from_le_bytes(*word);
    }
    out
}

#[inline(always)]
fn put(line: &mut [u8; LINE], values: &[f32; LANES]) {
    for (out, value) in line.as_chunks_mut::<4>().0.iter_mut().zip(values) {
        *out = value.to_le_bytes();
    }
}

/// (scale, offset) of the lanes for the half groups of 16 that begin at elements `e` and `e + 16` of a block.
#[inline(always)]
fn scales<const F: u8>(scales: &[u8], e: usize) -> [[[f32; LANES]; 2]; 2] {
    let sixteen = |at: usize| *scales[at..].first_chunk::<LANES>().unwrap_or(&[0; LANES]);
    let pair = |at: usize| halves(scales[at..].first_chunk().unwrap_or(&[0; 2 * LANES]));
    let d = pair(0);
    if F == Q6K {
        return [0, 1].map(|h| {
            let s = sixteen(2 * LANES + (e / 16 + h) * LANES);
            let (mut scale, mut offset) = ([0.0; LANES], [0.0; LANES]);
            for i in 0..LANES {
                scale[i] = d[i] * f32::from(s[i].cast_signed());
                offset[i] = -32.0 * scale[i];
            }
            [scale, offset]
        });
    }
    let both = match F {
        Q5_0 => [d, d.map(|d| -16.0 * d)],
        Q4_1 | Q5_1 => [d, pair(2 * LANES)],
        _ => {
            let (m, at) = (pair(2 * LANES), 4 * LANES + e / GROUP * 2 * LANES);
            let (s, t) = (sixteen(at), sixteen(at + LANES));
            let (mut scale, mut offset) = ([0.0; LANES], [0.0; LANES]);
            for i in 0..LANES {
                scale[i] = d[i] * f32::from(s[i]);
                offset[i] = -(m[i] * f32::from(t[i]));
            }
            [scale, offset]
        }
    };
    [both, both]
}

const Q4_1: u8 = 0;
const Q5_0: u8 = 1;
const Q5_1: u8 = 2;
const Q4K: u8 = 3;
const Q5K: u8 = 4;
const Q6K: u8 = 5;

#[inline(always)]
fn groups<const F: u8, const BITS: usize>(
    format: Format,
    tile: Tile<'_>,
    from: usize,
    (slot, slots): (usize, usize),
    out: &mut [[u8; LINE]],
) {
    let (block, _, a_block) = layout(format);
    let lines = tile.codes.as_chunks::<LINE>().0.as_chunks::<BITS>().0;
    for ((g, lines), out) in (from / GROUP..).zip(&lines[from / GROUP..]).zip(out.chunks_exact_mut(GROUP * slots)) {
        let (b, e) = (g * GROUP / block, g * GROUP % block);
        let scales = scales::<F>(&tile.scales[b * a_block..][..a_block], e);
        for c in 0..4 {
            crate::cpu::prefetch::prefetch(lines[c].as_ptr().wrapping_add(AHEAD));
            let low = words(&lines[c]);
            // Eight elements of k: their upper bits stand in the lowest places.
            let mut high = [0; LANES];
            if BITS > 4 {
                high = words(&lines[if BITS == 6 { 4 + c / 2 } else { 4 }]);
                for high in &mut high {
                    *high >>= if BITS == 6 { 16 * (c % 2) } else { 8 * c };
                }
            }
            let [scale, offset] = &scales[c / 2];
            for i in 0..8 {
                // Bytes hold element b low and element b + 4 high.
                let shift = 8 * (i % 4) + 4 * (i / 4);
                let mut values = [0.0; LANES];
                for lane in 0..LANES {
                    let mut code = low[lane] >> shift & 15;
                    if BITS == 5 {
                        code |= (high[lane] >> i & 1) << 4;
                    }
                    if BITS == 6 {
                        code |= (high[lane] >> (2 * i) & 3) << 4;
                    }
                    // Exact before the addition, so fused or not is the same.
                    values[lane] = code.cast_signed() as f32 * scale[lane] + offset[lane];
                }
                put(&mut out[(8 * c + i) * slots + slot], &values);
            }
        }
    }
}

/// How far ahead of its use a line is asked for, in bytes.
const AHEAD: usize = 2048;

/// Decodes elements `from ..` of a tile, a multiple of 32, into every `slots`-th line from `slot` on.
#[inline(always)]
pub(super) fn unpack(
    format: Format,
    tile: Tile<'_>,
    from: usize,
    (slot, slots): (usize, usize),
    out: &mut [[u8; LINE]],
) {
    let at = (slot, slots);
    match format {
        Format::Q4_1 => groups::<Q4_1, 4>(format, tile, from, at, out),
        Format::Q5_0 => groups::<Q5_0, 5>(format, tile, from, at, out),
        Format::Q5_1 => groups::<Q5_1, 5>(format, tile, from, at, out),
        Format::Q4K => groups::<Q4K, 4>(format, tile, from, at, out),
        Format::Q5K => groups::<Q5K, 5>(format, tile, from, at, out),
        Format::Q6K => groups::<Q6K, 6>(format, tile, from, at, out),
        _ => {
            // f16, two elements of k a word.
            for (line, out) in tile.codes.as_chunks::<LINE>().0[from / 2..].iter().zip(out.chunks_mut(2 * slots)) {
                crate::cpu::prefetch::prefetch(line.as_ptr().wrapping_add(AHEAD));
                let words = words(line);
                put(&mut out[slot], &words.map(|word| half(word & 0xffff)));
                // The last pair of an odd k is half a pair.
                if out.len() > slots {
                    put(&mut out[slots + slot], &words.map(|word| half(word >> 16)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_widens_f16_as_the_format_does() {
        for code in 0..=u16::MAX {
            let (ours, right) = (half(u32::from(code)), crate::format::f16::decode(code));
            assert!(ours.to_bits() == right.to_bits() || ours.is_nan() && right.is_nan(), "{code:#x}");
        }
    }
}
