//! Integer gemm on Arm with int8 matrix products: `smmla` sums eight products for each of 2 × 2 rows and outputs.
//!
//! The loop of `micro`, one block of 8 rows × 4 outputs, by llvm-mca 22 (cortex-x925, which it models as Neoverse V3 with 4 vector
//! pipes where X925 has 6, so that the shares tell more than the cycles; cortex-a725 with its 2):
//!
//! | block | activations | `smmla` | vector operations | X925 | A725 | bound, of the rate of `smmla` |
//! |--:|---|--:|--:|--:|--:|--:|
//! | 32 | one scale a row | 32 | 48 | 12.1 cycles | 24.1 | 67 % |
//! | 32 | scales of their own | 32 | 56 | 14.1 | 28.1 | 57 % |
//! | 16 | one scale a row | 16 | 32 | 8.1 | 16.1 | 50 % |
//! | 16 | scales of their own | 16 | 40 | 10.1 | 20.1 | 40 % |
//!
//! All at what the vector pipes allow; loads (34 in the first row) take 11.3 of its 12 cycles on 3 ports. What is not `smmla` is two or three
//! operations for each 2 × 2 sums of a block: less its start, times its scales, added to the total.
#![expect(unsafe_code, reason = "kernels compiled for int8 matrix products")]

use super::lanes::*;
use super::layout::{self, PANEL_K, integer_plan, integer_words};
use super::pairs::{GROUP, add_to, pair_kernels};
use super::walk::{Walk, by_pairs};
use super::{dotprod, unpack};
use crate::cpu::isa::{NEON_I8MM, require};
use crate::cpu::kernel::Kernel;
use crate::cpu::neon_asm::smmla;
use crate::gemm::Gemm;
use crate::gemm::packed::{LANES, LINE};
use crate::gemm::tiled::{self, Kernels, Multiply, Quantise};
use crate::{Backend, Buffer, Device, Fault, Implementation, Op, Prepared, Unsupported};
use std::arch::aarch64::*;

/// NEON with int8 matrix products; up to 4 rows go by dot products.
#[derive(Debug)]
pub(in crate::gemm) struct NeonI8mm;

impl Implementation<Gemm> for NeonI8mm {
    fn name(&self) -> &'static str {
        "neon-i8mm"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Gemm, device: &dyn Device) -> Result<(), Unsupported> {
        op.validate().map_err(|invalid| Unsupported(invalid.0))?;
        crate::cpu::Cpu::of(device)?;
        if !op.integer() {
            return Err(Unsupported(format!("int8 matrix products take no {} activations", op.activations)));
        }
        require(NEON_I8MM)
    }
    fn prepare(&self, op: &Gemm, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        tiled::prepare::<Self>(op, weights, device, integer_plan(op, GROUP, 2))
    }
}

impl Kernels for NeonI8mm {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        // SAFETY: it asks for nothing but a subset of these features.
        unsafe { Kernel::new(NEON_I8MM, layout::integers::<GROUP, 2>) }
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(NEON_I8MM, few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `panels` asks for nothing but these features.
        unsafe { Kernel::new(NEON_I8MM, panels) }
    }
}

fn walk(op: &Gemm) -> Walk {
    let block = op.block();
    let words = integer_words(block);
    Walk { group: GROUP, units: op.k / block, panel: PANEL_K / block, words, lines: block / 4 + 2 }
}

#[inline]
#[target_feature(enable = "neon")]
fn start() -> int32x4_t {
    vdupq_n_s32(START)
}

#[inline]
#[target_feature(enable = "neon,dotprod,i8mm")]
fn mma(sum: int32x4_t, a: uint8x16_t, b: uint8x16_t) -> int32x4_t {
    smmla(sum, vreinterpretq_s8_u8(a), vreinterpretq_s8_u8(b))
}

#[inline]
#[target_feature(enable = "neon")]
fn value(sum: int32x4_t) -> float32x4_t {
    small(sum)
}

pair_kernels!("neon,dotprod,i8mm");

#[target_feature(enable = "neon,dotprod,i8mm")]
fn few_of<const STEPS: usize, const LINES: usize, const WORDS: usize, const SCALED: bool>(call: &mut Multiply<'_>) {
    let format = call.op.weights;
    walk(call.op).few(
        call,
        |tile, from, panel, rows, sums| {
            unpack::integer_pairs(format, STEPS, tile, from, panel);
            few_of_any::<STEPS, LINES, WORDS, SCALED>(panel, rows, sums);
        },
        by_pairs,
    );
}

#[target_feature(enable = "neon,dotprod,i8mm")]
fn few(call: &mut Multiply<'_>) {
    // A matrix product wants its weights put in pairs, by way of a panel where rows are few. By llvm-mca a block of mxfp4 with 2, 3
    // and 4 rows takes 36, 47 and 64 cycles of cortex-x925 with dot products, and 49, 64 and 64 so; with 6 and 8 rows 100 and
    // 128, and 87 and 105.
    if call.rows <= dotprod::MOST {
        return dotprod::few(call);
    }
    match (call.op.block(), call.op.activations.grouped()) {
        (32, false) => few_of::<4, 10, 10, false>(call),
        (32, true) => few_of::<4, 10, 10, true>(call),
        (16, false) => few_of::<2, 6, 6, false>(call),
        (16, true) => few_of::<2, 6, 6, true>(call),
        (block, _) => unreachable!("blocks of {block}"),
    }
}

#[target_feature(enable = "neon,dotprod,i8mm")]
fn panels_of<const STEPS: usize, const LINES: usize, const WORDS: usize, const SCALED: bool>(call: &mut Multiply<'_>) {
    let format = call.op.weights;
    walk(call.op).panels(
        call,
        |tile, from, panel| unpack::integer_pairs(format, STEPS, tile, from, panel),
        |panel, acts, sums| micro::<STEPS, LINES, WORDS, SCALED>(panel, acts, sums),
        by_pairs,
    );
}

#[target_feature(enable = "neon,dotprod,i8mm")]
fn panels(call: &mut Multiply<'_>) {
    match (call.op.block(), call.op.activations.grouped()) {
        (32, false) => panels_of::<4, 10, 80, false>(call),
        (32, true) => panels_of::<4, 10, 80, true>(call),
        (16, false) => panels_of::<2, 6, 48, false>(call),
        (16, true) => panels_of::<2, 6, 48, true>(call),
        (block, _) => unreachable!("blocks of {block}"),
    }
}
