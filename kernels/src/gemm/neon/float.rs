//! Float gemm on 64-bit Arm: every weight format is decoded to f32 and multiplied in f32.
#![expect(unsafe_code, reason = "kernels compiled for NEON")]

use super::lanes::*;
use super::layout;
use super::unpack;
use super::walk::{Walk, by_row};
use crate::cpu::isa::NEON;
use crate::cpu::kernel::Kernel;
use crate::cpu::variant::portable;
use crate::gemm::Gemm;
use crate::gemm::packed::{LANES, LINE};
use crate::gemm::tiled::{FEW, Kernels, Multiply, Plan, Quantise, TILES};
use std::arch::aarch64::*;

/// The float kernels of `neon`.
#[derive(Debug)]
pub(in crate::gemm) struct NeonFloat;

/// Rows that the kernel takes at a time: with half a line of outputs 8 × 2 sums, 2 vectors of weights and 2 of activations, 20 of
/// 32 registers. Sixteen sums cover latency × pipes of every core: 4 × 4 on Neoverse V2, and 2 × 6 on Cortex-X925, whose multiply-
/// adds wait for their sum only 2 cycles. By llvm-mca 22 (see `i8mm` for its models) a step of k, 16 multiply-adds and 4 loads, takes
/// 4.1 cycles on cortex-x925's 4 modelled pipes and 8.1 on cortex-a725's 2: nothing else binds.
const GROUP: usize = 8;
/// Elements of k a panel, which are added up before their sum is added to the total: 3 tiles × 128 × 64 bytes are 24 KB of L1.
const PANEL: usize = 128;
const _: () = assert!(PANEL <= crate::gemm::CHUNK);

/// Scratch.
pub(in crate::gemm) fn plan(op: &Gemm) -> Plan {
    Plan {
        few: FEW,
        apart: FEW,
        group: GROUP,
        row_words: op.k,
        grouped_words: op.k,
        panel: TILES * PANEL * LINE,
        factor: layout::factor(op.weights, false),
        codes: 0,
        scales: 0,
    }
}

impl Kernels for NeonFloat {
    fn quantise<'a>() -> Kernel<Quantise<'a>> {
        portable(layout::floats::<GROUP>)
    }
    fn few<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `few` asks for nothing but these features.
        unsafe { Kernel::new(NEON, few) }
    }
    fn panels<'a>() -> Kernel<Multiply<'a>> {
        // SAFETY: `panels` asks for nothing but these features.
        unsafe { Kernel::new(NEON, panels) }
    }
}

fn walk(op: &Gemm) -> Walk {
    Walk { group: GROUP, units: op.k, panel: PANEL, words: 1, lines: 1 }
}

/// Adds the products of one panel with one group of rows to `sums`.
#[inline(never)]
#[target_feature(enable = "neon")]
fn micro(panel: &[[u8; LINE]], acts: &[i32], sums: &mut [[f32; LANES]]) {
    for half in [0, 2] {
        let mut chunk = [[vdupq_n_f32(0.0); 2]; GROUP];
        for (line, words_of) in panel.iter().zip(acts.as_chunks::<GROUP>().0) {
            let weights = [load_f32(line, half), load_f32(line, half + 1)];
            let [a, b] = [0, 1].map(|i| vreinterpretq_f32_s32(words(&words_of.as_chunks::<4>().0[i])));
            macro_rules! rows {
                ($($r:literal: $a:ident $lane:literal),*) => {$(
                    for v in 0..2 {
                        chunk[$r][v] = vfmaq_laneq_f32::<$lane>(chunk[$r][v], weights[v], $a);
                    }
                )*};
            }
            rows!(0: a 0, 1: a 1, 2: a 2, 3: a 3, 4: b 0, 5: b 1, 6: b 2, 7: b 3);
        }
        add_to(sums, half, &chunk);
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn add_to<const R: usize>(sums: &mut [[f32; LANES]], half: usize, chunk: &[[float32x4_t; 2]; R]) {
    for (sums, chunk) in sums.iter_mut().zip(chunk) {
        for (sum, chunk) in sums.as_chunks_mut::<4>().0[half..].iter_mut().zip(chunk) {
            put_values(sum, vaddq_f32(values(sum), *chunk));
        }
    }
}

/// Adds the products of one panel with R rows, each by itself: 4 elements of k at a time, R × 4 sums.
#[inline]
#[target_feature(enable = "neon")]
fn few_rows<const R: usize>(panel: &[[u8; LINE]], rows: &[&[i32]], sums: &mut [[f32; LANES]]) {
    let mut chunk = [[[vdupq_n_f32(0.0); 2]; R]; 2];
    for (at, lines) in panel.chunks(4).enumerate() {
        let mut acts = [vdupq_n_f32(0.0); R];
        for r in 0..R {
            let row = &rows[r][4 * at..];
            acts[r] = vreinterpretq_f32_s32(match row.first_chunk() {
                Some(four) => words(four),
                // The end of a k that is no multiple of 4.
                None => words(&std::array::from_fn(|i| row.get(i).copied().unwrap_or(0))),
            });
        }
        macro_rules! lines {
            ($($lane:literal),*) => {$(
                if let Some(line) = lines.get($lane) {
                    for v in 0..VECTORS {
                        let weights = load_f32(line, v);
                        for r in 0..R {
                            let sum = &mut chunk[v / 2][r][v % 2];
                            *sum = vfmaq_laneq_f32::<$lane>(*sum, weights, acts[r]);
                        }
                    }
                }
            )*};
        }
        lines!(0, 1, 2, 3);
    }
    for (half, chunk) in chunk.iter().enumerate() {
        add_to(sums, 2 * half, chunk);
    }
}

#[target_feature(enable = "neon")]
fn few(call: &mut Multiply<'_>) {
    let format = call.op.weights;
    walk(call.op).few(
        call,
        |tile, from, panel, rows, sums| {
            unpack::floats(format, tile, from, panel);
            for (rows, sums) in rows.chunks(4).zip(sums.chunks_mut(4)) {
                match rows.len() {
                    1 => few_rows::<1>(panel, rows, sums),
                    2 => few_rows::<2>(panel, rows, sums),
                    3 => few_rows::<3>(panel, rows, sums),
                    _ => few_rows::<4>(panel, rows, sums),
                }
            }
        },
        by_row,
    );
}

#[target_feature(enable = "neon")]
fn panels(call: &mut Multiply<'_>) {
    let format = call.op.weights;
    walk(call.op).panels(
        call,
        |tile, from, panel| unpack::floats(format, tile, from, panel),
        |panel, acts, sums| micro(panel, acts, sums),
        by_row,
    );
}
