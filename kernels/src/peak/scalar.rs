//! `peak` in plain Rust, which a compiler may turn into whatever vectors the target always has.

use super::{LANES, Operands, Part, Peak};
use crate::cpu::variant::Variant;
use std::hint::black_box;

pub(super) static SCALAR: Variant<Peak> = Variant::<Peak>::scalar(burn);

fn burn(part: &mut Part<'_>) {
    let iterations = part.iterations;
    match &mut part.operands {
        Operands::F32 { a, b, sums } => rounds(sums, iterations, *a, |a, l| a[l] * b[l]),
        Operands::Bf16 { a, b, sums } => {
            let (a, b) = (a.map(f32::from), b.map(f32::from));
            rounds(sums, iterations, &a, |a, l| a[2 * l] * b[2 * l] + a[2 * l + 1] * b[2 * l + 1]);
        }
        Operands::Int8 { a, b, sums } => {
            let (a, b) = (a.map(i32::from), b.map(i32::from));
            let wrapping = sums.as_chunks_mut::<LANES>().0;
            for sums in wrapping {
                let mut lanes = *sums;
                for _ in 0..iterations {
                    let a = black_box(&a);
                    for (l, lane) in lanes.iter_mut().enumerate() {
                        let products = (4 * l..4 * l + 4).map(|i| a[i] * b[i]);
                        *lane = lane.wrapping_add(products.sum());
                    }
                }
                *sums = lanes;
            }
        }
    }
}

/// Adds `product` of every lane to each accumulator. `a` is opaque, so that the product is not formed once for all.
#[inline(always)]
fn rounds<A>(sums: &mut [f32], iterations: usize, a: &A, product: impl Fn(&A, usize) -> f32) {
    for sums in sums.as_chunks_mut::<LANES>().0 {
        let mut lanes = *sums;
        for _ in 0..iterations {
            let a = black_box(a);
            for (l, lane) in lanes.iter_mut().enumerate() {
                *lane += product(a, l);
            }
        }
        *sums = lanes;
    }
}
