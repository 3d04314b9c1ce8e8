//! Block scales of one row into the words of its quad, brought to what a span can share.

use crate::format::e8m0;
use crate::gemm::avx512_vnni::layout::{SPAN, Words, kind};
use crate::gemm::integer::GROUP;
use crate::gemm::{Activations, tiled::Quantise};

/// The largest spread of exponents in a span: 12 · 2³ = 96 is the largest shifted code.
pub(super) const SHIFTS: u8 = 3;

/// Shifts each code left, which the caller knows to lose nothing.
#[inline(always)]
fn shift(codes: &mut [i8], by: u8) {
    if by > 0 {
        codes.iter_mut().for_each(|code| *code <<= by);
    }
}

/// Puts the scales of row `r` of the quad at `quad` into its words; with mxfp4 shifts the codes of spans whose exponents allow it.
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
        let together = if op.activations == Activations::Mxfp4 { mxfp4(codes, bytes, &mut each) } else { None };
        for b in 0..SPAN / block {
            out[at.scales + b * GROUP + r] = each[b * block / group].to_bits().cast_signed();
        }
        if at.len > at.shared {
            out[at.shared + r] = together.unwrap_or(0.0).to_bits().cast_signed();
            out[at.apart] = i32::from(together.is_none()) | if r == 0 { 0 } else { out[at.apart] };
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
