//! Block scales of one row into the words of its quad, brought to what a span can share.

use crate::format::{e4m3, e8m0};
use crate::gemm::avx512_vnni::layout::{SPAN, Words, kind};
use crate::gemm::integer::GROUP;
use crate::gemm::{Activations, tiled::Quantise};

/// The largest spread of exponents in a span: 12 · 2³ = 96 is the largest shifted code.
const SHIFTS: u8 = 3;

/// A scale as mantissa 8 … 15 and exponent above 2⁻²⁰, so that neither is negative; 0 is (8, 0), but is not to be looked up.
const PARTS: [(u8, u8); 128] = {
    let mut parts = [(8, 0); 128];
    let mut code = 1;
    while code < 128 {
        let (exponent, mantissa) = (code >> 3, code & 7);
        // (8 + mantissa) · 2^(exponent − 7 − 3), or mantissa · 2^(1 − 7 − 3).
        let (mut m, mut e) = if exponent == 0 { (mantissa, 11) } else { (8 + mantissa, exponent + 10) };
        while m < 8 {
            (m, e) = (2 * m, e - 1);
        }
        parts[code] = (m as u8, e as u8);
        code += 1;
    }
    parts
};

/// Shifts each code left, which the caller knows to lose nothing.
#[inline(always)]
fn shift(codes: &mut [i8], by: u8) {
    if by > 0 {
        codes.iter_mut().for_each(|code| *code <<= by);
    }
}

/// Puts the scales of row `r` of the quad at `quad` into its words; with FP4 shifts the codes of spans whose exponents allow it.
#[inline(always)]
pub(super) fn scales(call: &mut Quantise<'_>, quad: usize, r: usize) {
    let (op, k) = (call.op, call.op.k);
    let (block, group) = (op.block(), op.activations.group());
    let at = Words::of(block, kind(op.activations));
    if group == 1 {
        return;
    }
    let (padded, a_span) = (k.next_multiple_of(SPAN), SPAN / group);
    let codes = call.codes[r * padded..][..padded].as_chunks_mut::<SPAN>().0;
    let out = call.out[quad / GROUP * (padded / SPAN) * at.len..].chunks_exact_mut(at.len);
    let (scales, bytes) = (call.scales[..k / group].chunks(a_span), call.bytes[..k / group].chunks(a_span));
    for (((codes, out), scales), bytes) in codes.iter_mut().zip(out).zip(scales).zip(bytes) {
        let mut each = [0.0_f32; 8];
        each[..scales.len()].copy_from_slice(scales);
        let (mut index, mut together) = ([0_u8; 8], None);
        match op.activations {
            Activations::Mxfp4 => together = mxfp4(codes, bytes, &mut each),
            Activations::Nvfp4 => together = nvfp4(codes, bytes, &mut each, &mut index),
            _ => {}
        }
        for b in 0..SPAN / block {
            out[at.scales + b * GROUP + r] = each[b * block / group].to_bits().cast_signed();
        }
        if at.len > at.shared {
            out[at.shared + r] = together.unwrap_or(0.0).to_bits().cast_signed();
            out[at.apart] = i32::from(together.is_none()) | if r == 0 { 0 } else { out[at.apart] };
            for b in 0..SPAN / block {
                out[at.index + b * GROUP + r] = index[b].into();
            }
        }
    }
}

/// Shifts blocks to the smallest exponent among them and returns its scale, which becomes each block's; `None` if it cannot be.
#[inline(always)]
fn mxfp4(codes: &mut [i8; SPAN], bytes: &[u8], scales: &mut [f32; 8]) -> Option<f32> {
    let (mut least, mut most) = (255, 0);
    for (codes, &byte) in codes.chunks_exact(32).zip(bytes) {
        // A block of zeros, which has the smallest exponent there is, moves nothing.
        if byte != 0 || codes.iter().any(|code| *code != 0) {
            (least, most) = (byte.min(least), byte.max(most));
        }
    }
    if most == e8m0::E8M0_NAN || most.saturating_sub(least) > SHIFTS {
        return None;
    }
    if most < least {
        least = 0;
    }
    if most > least {
        for (codes, byte) in codes.chunks_exact_mut(32).zip(bytes) {
            shift(codes, byte.saturating_sub(least));
        }
    }
    let scale = e8m0::decode(least);
    scales.fill(scale);
    Some(scale)
}

/// Shifts blocks to the smallest exponent among them and returns its power of two; each block keeps the mantissa of its scale,
/// less 8, in `index`. `None` if it cannot be.
#[inline(always)]
fn nvfp4(codes: &mut [i8; SPAN], bytes: &[u8], scales: &mut [f32; 8], index: &mut [u8; 8]) -> Option<f32> {
    let (mut least, mut most) = (255, 0);
    for &byte in bytes {
        if byte == e4m3::E4M3_NAN {
            return None;
        }
        // A block whose scale is 0 holds zeros, and moves nothing.
        if byte != 0 {
            let exponent = PARTS[usize::from(byte & 127)].1;
            (least, most) = (exponent.min(least), exponent.max(most));
        }
    }
    if most.saturating_sub(least) > SHIFTS {
        return None;
    }
    if most < least {
        least = 20;
    }
    let power = f32::from_bits((u32::from(least) + 127 - 20) << 23);
    for ((b, codes), &byte) in codes.chunks_exact_mut(16).enumerate().zip(bytes) {
        let (mantissa, exponent) = PARTS[usize::from(byte & 127)];
        shift(codes, exponent.saturating_sub(least));
        index[b] = mantissa - 8;
        scales[b] = f32::from(mantissa) * power;
    }
    Some(power)
}
