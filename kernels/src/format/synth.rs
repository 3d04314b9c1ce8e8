//! Seeded synthetic weights, directly in block form, and activations, with the same bytes on every machine.
//!
//! Random integers become codes by tables; f32, f16 and bf16 elements cost one correctly rounded multiplication. Elements
//! are near-normal with a deviation of about 0.02, a fresh transformer's, and block scales spread over an octave or two
//! round it, which gives the tails that trained weights have. Row r depends on (seed, r) alone: rows can be made in any
//! order, by any number of threads, and a narrower tensor's row begins a wider one's.

use std::ops::Range;

use super::affine::{self, BLOCK, BLOCK_K, Parts};
use super::splitmix::SplitMix64;
use super::{Format, bf16, f16, normal};

/// The deviation of synthetic weights, within a tenth in every format.
pub const SYNTH_STD: f32 = 0.02;

/// A whole tensor of rows × cols in canonical blocks, and the f32 scales beside it ([`Format::scales`]).
///
/// # Panics
/// If `cols` is not a whole number of blocks.
pub fn synth(format: Format, rows: usize, cols: usize, seed: u64) -> (Vec<u8>, Vec<f32>) {
    let mut bytes = vec![0; rows * format.bytes(cols)];
    synth_rows(format, 0..rows, cols, seed, &mut bytes);
    (bytes, synth_scales(format, 0..rows, seed))
}

/// The f32 scales beside rows `rows` of the tensor that [`synth`] makes: one of NVFP4, one a row of FP8, else none.
pub fn synth_scales(format: Format, rows: Range<usize>, seed: u64) -> Vec<f32> {
    match format {
        // 43 / 2^20 = 4.1e-5 is what a largest weight of 0.11, 5.5 deviations, gives.
        Format::Nvfp4 => vec![43.0 / 1_048_576.0],
        // From 7/8 to 9/8 of what gives the deviation; a row's scale depends on (seed, row) alone, as its elements do.
        Format::Fp8 => {
            let scale = |row| {
                let spread = (SplitMix64::stream(seed ^ 0x6670_3873, row as u64).next() >> 48) as f32 / 262_144.0;
                (0.875 + spread) * (SYNTH_STD / FP8_STD)
            };
            rows.map(scale).collect()
        }
        _ => Vec::new(),
    }
}

/// Deviation of the elements of synthetic FP8 below their scale: 448 is 4.5 of it, the largest of some 10^5 weights.
const FP8_STD: f32 = 100.0;

/// Rows `rows` of the tensor that [`synth`] makes, into `out`.
///
/// # Panics
/// If `cols` is not a whole number of blocks or `out` is not the bytes of these rows.
pub fn synth_rows(format: Format, rows: Range<usize>, cols: usize, seed: u64, out: &mut [u8]) {
    let row_bytes = format.bytes(cols);
    assert_eq!(rows.len() * row_bytes, out.len(), "synth: {row_bytes} bytes for each of {} rows", rows.len());
    if row_bytes == 0 {
        return;
    }
    for (row, out) in rows.zip(out.chunks_exact_mut(row_bytes)) {
        let mut random = SplitMix64::stream(seed, row as u64);
        match format {
            Format::Mxfp4 => out.as_chunks_mut().0.iter_mut().for_each(|block| mxfp4_block(&mut random, block)),
            Format::Nvfp4 => out.as_chunks_mut().0.iter_mut().for_each(|block| nvfp4_block(&mut random, block)),
            Format::Q8_0 => out.as_chunks_mut().0.iter_mut().for_each(|block| q8_0_block(&mut random, block)),
            Format::Q4_0 => out.as_chunks_mut().0.iter_mut().for_each(|block| q4_0_block(&mut random, block)),
            Format::Q4_1 | Format::Q5_0 | Format::Q5_1 | Format::Q4K | Format::Q5K | Format::Q6K => {
                out.chunks_exact_mut(format.block_bytes()).for_each(|block| affine_block(format, &mut random, block));
            }
            Format::Fp8 => fp8_row(&mut random, out),
            Format::Bf16 => elements(&mut random, out, |x| bf16::encode(x).to_le_bytes()),
            Format::F16 => elements(&mut random, out, |x| f16::encode(x).to_le_bytes()),
            Format::F32 => elements(&mut random, out, f32::to_le_bytes),
        }
    }
}

/// `len` near-normal f32 of deviation `std`: activations, or what is added to 1 for norm gains.
pub fn synth_f32(len: usize, seed: u64, std: f32) -> Vec<f32> {
    let mut out = vec![0.0; len];
    synth_f32_into(&mut out, seed, std);
    out
}

/// [`synth_f32`] into memory that is already there.
pub fn synth_f32_into(out: &mut [f32], seed: u64, std: f32) {
    let (mut random, scale) = (SplitMix64::new(seed), normal::std_over_sum(std));
    out.fill_with(|| normal::from_bits(random.next(), scale));
}

fn elements<const N: usize>(random: &mut SplitMix64, out: &mut [u8], encode: impl Fn(f32) -> [u8; N]) {
    const SCALE: f32 = normal::std_over_sum(SYNTH_STD);
    for out in out.as_chunks_mut::<N>().0 {
        *out = encode(normal::from_bits(random.next(), SCALE));
    }
}

fn mxfp4_block(random: &mut SplitMix64, block: &mut [u8; 17]) {
    // Elements of a block of 32 scaled to a largest in [4, 8) have deviations of about 1.7 to 3.3.
    static CODES: [u8; 256] = normal::e2m1_codes(2.4);
    const AROUND: u8 = 127 - 7;
    const SCALES: [u8; 8] = [AROUND - 1, AROUND, AROUND, AROUND, AROUND, AROUND, AROUND, AROUND + 1];
    block[0] = SCALES[(random.next() >> 61) as usize];
    nibbles(random, &CODES, &mut block[1..]);
    never_zero(&mut block[1..], |byte| byte & 0x77 != 0, 1);
}

fn nvfp4_block(random: &mut SplitMix64, block: &mut [u8; 9]) {
    static CODES: [u8; 256] = normal::e2m1_codes(2.5);
    // Sixteen codes from 0x6c: scales of 96 to 352.
    block[0] = 0x6c + (random.next() >> 60) as u8;
    nibbles(random, &CODES, &mut block[1..]);
    never_zero(&mut block[1..], |byte| byte & 0x77 != 0, 1);
}

fn q8_0_block(random: &mut SplitMix64, block: &mut [u8; 34]) {
    static CODES: [i8; 256] = normal::integers(44.0, -127, 127);
    // One octave of f16 from 1.25 / 2^12.
    let scale = 0x0d00 + (random.next() >> 54) as u16;
    block[..2].copy_from_slice(&scale.to_le_bytes());
    for out in block[2..].as_chunks_mut::<8>().0 {
        *out = random.next().to_le_bytes().map(|byte| CODES[usize::from(byte)].cast_unsigned());
    }
    never_zero(&mut block[2..], |byte| byte != 0, 1);
}

fn q4_0_block(random: &mut SplitMix64, block: &mut [u8; 18]) {
    static CODES: [u8; 256] = normal::shifted(2.9);
    // One octave of f16 from 1.25 / 2^8, of either sign, as the quantiser's are.
    let r = random.next();
    let scale = (0x1d00 + (r >> 54) as u16) | ((r as u16 & 1) << 15);
    block[..2].copy_from_slice(&scale.to_le_bytes());
    nibbles(random, &CODES, &mut block[2..]);
    never_zero(&mut block[2..], |byte| byte != 0x88, 0x89);
}

/// Codes round the middle of their range, and offsets that move it to 0, within a scale step where there is a step to move by.
fn affine_block(format: Format, random: &mut SplitMix64, block: &mut [u8]) {
    static FOUR: [i8; 256] = normal::integers(2.9, -8, 7);
    static FIVE: [i8; 256] = normal::integers(5.8, -16, 15);
    static SIX: [i8; 256] = normal::integers(11.0, -32, 31);
    let (codes, middle) = match affine::bits(format) {
        4 => (&FOUR, 8),
        5 => (&FIVE, 16),
        _ => (&SIX, 32),
    };
    let mut parts = Parts { codes: [0; BLOCK_K], d: [0; 2], m: [0; 2], s: [0; 16], t: [0; 8] };
    // One octave of f16: the deviation of codes times its middle is the deviation of weights.
    let r = random.next();
    let (first, of_k) = match format {
        Format::Q4_1 => (0x1d00, false),
        Format::Q5_0 | Format::Q5_1 => (0x1900, false),
        Format::Q4K => (0x0680, true),
        // Subnormal, with the steps of their octave.
        Format::Q5K => (0x0280, true),
        _ => (0x0168, true),
    };
    let d = first + if format == Format::Q6K { r >> 55 } else { r >> 54 } as u16;
    parts.d = d.to_le_bytes();
    // A power of two times d is exact; of blocks the offset is −middle · d, of groups t takes the place of s.
    let times = |factor: f32| f16::encode(f16::decode(d) * factor).to_le_bytes();
    parts.m = match format {
        Format::Q4_1 => times(-8.0),
        Format::Q5_1 => times(-16.0),
        Format::Q4K => times(8.0),
        Format::Q5K => times(16.0),
        _ => [0; 2],
    };
    if of_k {
        for (s, t) in parts.s.chunks_exact_mut(2).zip(&mut parts.t) {
            let r = random.next();
            s.copy_from_slice(&[32 + (r >> 59) as u8, 32 + (r >> 27 & 31) as u8]);
            *t = 0;
        }
        if format != Format::Q6K {
            parts.t.copy_from_slice(&parts.s[..8]);
        }
    }
    let len = if of_k { BLOCK_K } else { BLOCK };
    for out in parts.codes[..len].as_chunks_mut::<8>().0 {
        *out = random.next().to_le_bytes().map(|byte| (codes[usize::from(byte)] + middle) as u8);
    }
    never_zero(&mut parts.codes[..len], |code| code != middle as u8, middle as u8 + 1);
    parts.store(format, block);
}

/// One look-up an element, eight a draw.
fn fp8_row(random: &mut SplitMix64, out: &mut [u8]) {
    static CODES: [u8; 256] = normal::e4m3_codes(FP8_STD);
    for out in out.chunks_mut(8) {
        let codes = random.next().to_le_bytes().map(|byte| CODES[usize::from(byte)]);
        out.copy_from_slice(&codes[..out.len()]);
    }
}

/// Two look-ups a byte, eight random bytes a draw.
fn nibbles(random: &mut SplitMix64, codes: &[u8; 256], out: &mut [u8]) {
    for out in out.as_chunks_mut::<4>().0 {
        let r = random.next();
        let code = |i: u32| u32::from(codes[usize::from((r >> (8 * i)) as u8)]) << (4 * i);
        // One word in a register: bytes written one by one and read again would wait for each other.
        *out = (0..8).fold(0, |word, i| word | code(i)).to_le_bytes();
    }
}

/// Puts one element that is not 0 into a block without any: one in 10^17 is drawn so, and a kernel might skip it.
fn never_zero(codes: &mut [u8], has_value: impl Fn(u8) -> bool, one: u8) {
    if !codes.iter().any(|byte| has_value(*byte)) {
        codes[0] = one;
    }
}
