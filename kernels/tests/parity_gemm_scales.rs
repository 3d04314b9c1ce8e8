//! Block scales that are hard to share: far apart, at the edge of what can be shared, zero, subnormal, negative, NaN; in weights
//! and in activations, alone and together, in every implementation of the gemm.
#![expect(clippy::print_stdout, reason = "what a machine cannot run is said, not skipped silently")]

use spark_kernels::cpu::Cpu;
use spark_kernels::format::Format;
use spark_kernels::format::splitmix::SplitMix64;
use spark_kernels::gemm::{Activations, Gemm};
use spark_kernels::{Buffer, Device, Example, Host, Index, Io, Live, Op, parity};

/// Three whole spans of 128 and a quarter of one; outputs end inside a tile, and there is more than one panel of them.
const SHAPE: (usize, usize, usize) = (21, 100, 416);

fn ops() -> impl Iterator<Item = Gemm> {
    use Activations as A;
    let (m, n, k) = SHAPE;
    let of = move |weights, activations| Gemm { m, n, k, weights, activations, bias: false };
    let mxfp4 = [A::Int8, A::Int8g32, A::Mxfp4].map(|a| of(Format::Mxfp4, a));
    let nvfp4 = [A::Int8, A::Int8g32, A::Nvfp4].map(|a| of(Format::Nvfp4, a));
    mxfp4.into_iter().chain(nvfp4)
}

/// The scale byte of one block; `zero` asks for a block of zeros too.
struct Scale {
    byte: u8,
    zero: bool,
}

/// Puts what `scale(output, block, noise)` says into the blocks of the example's weights.
fn set_scales(op: &Gemm, example: &mut Example, scale: impl Fn(usize, usize, u64) -> Scale) {
    let Host::U8(bytes) = &mut example.weights[0] else { panic!("{} has block scales", op.weights) };
    let (a_row, mut random) = (op.k / op.weights.block(), SplitMix64::new(5));
    for (at, block) in bytes.chunks_exact_mut(op.weights.block_bytes()).enumerate() {
        let Scale { byte, zero } = scale(at / a_row, at % a_row, random.next() >> 32);
        block[0] = byte;
        if zero {
            block[1..].fill(0);
        }
    }
}

/// Runs every implementation on 5 (few), 9, 14 and all rows, and hands what it gave to `look`.
fn each(op: &Gemm, example: &Example, mut look: impl FnMut(&str, usize, &[f32])) {
    let cpu = Cpu::new(Some(2), 0);
    let weights: Vec<Buffer> = example.weights.iter().map(|w| cpu.upload(w).unwrap()).collect();
    let x = cpu.upload(&example.inputs[0]).unwrap();
    for implementation in Gemm::implementations() {
        if let Err(reason) = implementation.supports(op, &cpu) {
            println!("{} does not do {op:?}: {reason}", implementation.name());
            continue;
        }
        let mut prepared = implementation.prepare(op, &weights, &cpu).unwrap();
        for rows in [5, 9, 14, op.m] {
            let mut y = cpu.upload(&example.outputs[0]).unwrap();
            let live = Live::one(rows, 0);
            prepared.run(&mut Io { inputs: &[&x], outputs: &mut [&mut y], live: &live }).unwrap();
            look(implementation.name(), rows, &y.slice::<f32>()[..rows * op.n]);
        }
    }
}

fn agree(op: &Gemm, example: &Example, what: &str) {
    let expected = op.reference(example, &(0..op.m * op.n).map(|at| Index { output: 0, at }).collect::<Vec<_>>());
    assert!(expected.iter().all(|e| e.value.is_finite()), "{what}: the reference is a number");
    each(op, example, |name, rows, y| {
        for (at, (got, want)) in y.iter().zip(&expected).enumerate() {
            let error = parity::max_error([f64::from(*got)], &[*want]);
            let (row, output) = (at / op.n, at % op.n);
            assert!(
                error <= op.tolerance(),
                "{what}: {name}, {rows} rows, row {row}, output {output}: {got} is not {want:?} ({op:?})"
            );
        }
    });
}

/// Rows of x whose groups of 16 are scaled by powers of two that lie `octaves` apart at most, and some of nothing but zeros.
fn wild_rows(op: &Gemm, example: &mut Example, octaves: u64) {
    let mut random = SplitMix64::new(9);
    let mut x = example.inputs[0].slice::<f32>().to_vec();
    for (row, x) in x.chunks_exact_mut(op.k).enumerate() {
        for x in x.chunks_exact_mut(16) {
            let noise = random.next() >> 32;
            // Every third row stays as it was, so that quads hold both kinds.
            let factor = match (row % 3, noise % 7) {
                (0, _) => 1.0,
                (_, 0) => 0.0,
                _ => 2_f32.powi((noise / 7 % octaves) as i32 - octaves as i32 / 2),
            };
            x.iter_mut().for_each(|x| *x *= factor);
        }
    }
    example.inputs[0] = x.into();
}

/// The kinds of scales that both formats are given, as bytes.
fn kinds(format: Format) -> Vec<(&'static str, Box<dyn Fn(usize, usize, u64) -> Scale>)> {
    let plain = |byte: u64| Scale { byte: byte as u8, zero: false };
    if format == Format::Mxfp4 {
        return vec![
            ("four octaves in a span", Box::new(move |_, _, noise| plain(118 + noise % 4))),
            ("five octaves in a span", Box::new(move |_, _, noise| plain(118 + noise % 5))),
            ("one output of many apart", Box::new(move |n, b, _| plain(if n == 37 && b == 5 { 90 } else { 120 }))),
            ("octaves far apart", Box::new(move |_, _, noise| plain(100 + noise % 40))),
            (
                "blocks of zeros with the smallest scale",
                Box::new(|_, _, noise| match noise % 5 {
                    0 => Scale { byte: 0, zero: true },
                    _ => Scale { byte: (119 + noise / 5 % 3) as u8, zero: false },
                }),
            ),
            ("spans and outputs of zeros", Box::new(|n, b, _| Scale { byte: 0, zero: n % 5 == 0 || b / 4 == 1 })),
        ];
    }
    vec![
        ("normal scales of ten octaves", Box::new(move |_, _, noise| plain(8 + noise % 80))),
        ("normal scales of eleven octaves", Box::new(move |_, _, noise| plain(8 + noise % 88))),
        ("seven octaves", Box::new(move |_, _, noise| plain(0x30 + noise % 56))),
        ("every scale but NaN", Box::new(move |_, _, noise| plain(noise % 0x7f))),
        ("subnormal scales", Box::new(move |_, _, noise| plain(noise % 10))),
        ("largest scales and codes", Box::new(move |_, _, _| plain(0x7e))),
        (
            "no scale but 0 in some spans",
            Box::new(move |n, b, noise| plain(if (n + b / 8) % 3 == 0 { 0 } else { 0x40 + noise % 16 })),
        ),
        ("negative scales", Box::new(move |_, _, noise| plain(0x60 + noise % 16 + (noise >> 8 & 1) * 0x80))),
        ("one negative zero", Box::new(move |n, b, _| plain(if n == 37 && b == 5 { 0x80 } else { 0x6c }))),
    ]
}

#[test]
fn weights_whose_scales_cannot_be_shared() {
    for op in ops() {
        for (what, scale) in kinds(op.weights) {
            let mut example = op.example(3);
            set_scales(&op, &mut example, scale);
            agree(&op, &example, what);
        }
    }
}

#[test]
fn activations_whose_scales_cannot_be_shared() {
    for op in ops() {
        for octaves in [4, 5, 20] {
            let mut example = op.example(4);
            wild_rows(&op, &mut example, octaves);
            agree(&op, &example, "rows of many octaves");
        }
    }
}

#[test]
fn both_at_once() {
    for op in ops() {
        for (what, scale) in kinds(op.weights) {
            let mut example = op.example(6);
            set_scales(&op, &mut example, scale);
            wild_rows(&op, &mut example, 12);
            agree(&op, &example, what);
        }
    }
}

/// Sums at their bounds: the largest codes of one sign everywhere, with the largest spread that spans share.
#[test]
fn the_largest_sums_there_are() {
    for op in ops() {
        let mut example = op.example(7);
        let top = if op.weights == Format::Mxfp4 { 123 } else { 0x7e };
        let shared = if op.weights == Format::Mxfp4 { 3 } else { 9 * 8 };
        for low in [top, top - shared, top - 6 * 8 * u8::from(op.weights == Format::Nvfp4)] {
            set_scales(&op, &mut example, |_, b, _| Scale { byte: if b % 8 == 1 { low } else { top }, zero: false });
            let Host::U8(bytes) = &mut example.weights[0] else { panic!("{} has block scales", op.weights) };
            for (at, block) in bytes.chunks_exact_mut(op.weights.block_bytes()).enumerate() {
                let a_row = op.k / op.weights.block();
                block[1..].fill(if at / a_row % 2 == 0 { 0x77 } else { 0xff });
            }
            let mut x = vec![6.0_f32; op.m * op.k];
            for (at, x) in x.iter_mut().enumerate() {
                // 6 · 2^3 in all blocks but one of a span: codes are shifted by 3 where the scale may be shared.
                *x *= if at / 32 % 4 == 1 { 1.0 } else { 8.0 } * if at / op.k % 2 == 0 { 1.0 } else { -1.0 };
            }
            example.inputs[0] = x.into();
            agree(&op, &example, "largest sums");
        }
    }
}

/// A NaN among the scales of one output makes that output NaN in every row, and no other.
#[test]
fn a_nan_scale_stays_in_its_output() {
    for op in ops() {
        let nans: &[u8] = if op.weights == Format::Mxfp4 { &[0xff] } else { &[0x7f, 0xff] };
        let near = if op.weights == Format::Mxfp4 { 127 } else { 0x70 };
        for &nan in nans {
            for (bad, zero) in [(0, false), (op.k / op.weights.block() - 1, false), (2, true)] {
                let mut example = op.example(8);
                set_scales(&op, &mut example, |n, b, _| match (n, b) {
                    (41, b) if b == bad => Scale { byte: nan, zero },
                    _ => Scale { byte: near, zero: false },
                });
                each(&op, &example, |name, rows, y| {
                    for (at, y) in y.iter().enumerate() {
                        assert_eq!(y.is_nan(), at % op.n == 41, "{name}, {rows} rows, at {at}: {y} ({op:?})");
                    }
                });
            }
        }
    }
}
