//! FP8 weights beyond what is drawn at random: every code, scales of every size and sign, and weights that are NaN.
#![expect(clippy::print_stdout, reason = "what a machine cannot run is said, not skipped silently")]

use spark_kernels::cpu::Cpu;
use spark_kernels::format::Format;
use spark_kernels::gemm::{Activations, Gemm};
use spark_kernels::{Buffer, Device, Example, Expected, Host, Index, Io, Live, Op, parity};

fn ops() -> impl Iterator<Item = Gemm> {
    let activations = [Activations::F32, Activations::Bf16, Activations::Fp8];
    let of = |bias| move |activations| Gemm { m: 21, n: 53, k: 294, weights: Format::Fp8, activations, bias };
    activations.map(of(false)).into_iter().chain(activations.map(of(true)))
}

/// The op's example with every code but NaN in every output, in another order each, and scales from tiny to huge.
fn example(op: &Gemm) -> Example {
    let mut example = op.example(3);
    let Host::U8(codes) = &mut example.weights[0] else { panic!("codes are bytes") };
    for (row, codes) in codes.chunks_exact_mut(op.k).enumerate() {
        for (i, code) in codes.iter_mut().enumerate() {
            *code = (i * 77 + row * 5) as u8;
            if *code & 0x7f == 0x7f {
                *code = 0;
            }
        }
    }
    let scale = |row: usize| if row % 7 == 3 { -0.25 } else { 2_f32.powi(row as i32 % 60 - 30) * 1.1 };
    example.weights[1] = (0..op.n).map(scale).collect::<Vec<f32>>().into();
    example
}

/// Runs every implementation on few rows and on all, and hands what it gave to `look`.
fn each(op: &Gemm, example: &Example, mut look: impl FnMut(&str, &[f32])) {
    let cpu = Cpu::new(Some(2), 0);
    let weights: Vec<Buffer> = example.weights.iter().map(|w| cpu.upload(w).expect("memory")).collect();
    let x = cpu.upload(&example.inputs[0]).expect("memory");
    for implementation in Gemm::implementations() {
        if let Err(reason) = implementation.supports(op, &cpu) {
            println!("{} does not do {op:?}: {reason}", implementation.name());
            continue;
        }
        let mut prepared = implementation.prepare(op, &weights, &cpu).expect("memory");
        for rows in [1, 5, op.m] {
            let mut y = cpu.upload(&example.outputs[0]).expect("memory");
            let live = Live::one(rows, 0);
            prepared.run(&mut Io { inputs: &[&x], outputs: &mut [&mut y], live: &live }).expect("a prepared op runs");
            look(implementation.name(), &y.slice::<f32>()[..rows * op.n]);
        }
    }
}

fn expected(op: &Gemm, example: &Example) -> Vec<Expected> {
    op.reference(example, &(0..op.m * op.n).map(|at| Index { output: 0, at }).collect::<Vec<_>>())
}

#[test]
fn every_code_under_every_scale() {
    for op in ops() {
        let example = example(&op);
        let expected = expected(&op, &example);
        assert!(expected.iter().all(|e| e.value.is_finite()), "the reference is a number");
        each(&op, &example, |name, y| {
            for (at, (got, want)) in y.iter().zip(&expected).enumerate() {
                let error = parity::max_error([f64::from(*got)], &[*want]);
                assert!(error <= op.tolerance(), "{name}, {op:?}, at {at}: {got} is not {want:?}");
            }
        });
    }
}

#[test]
fn a_weight_that_is_nan_makes_its_output_nan_and_no_other() {
    for op in ops() {
        let mut example = example(&op);
        let Host::U8(codes) = &mut example.weights[0] else { panic!("codes are bytes") };
        (codes[17 * op.k + 293], codes[52 * op.k]) = (0x7f, 0xff);
        // What is multiplied with it may be 0.
        let mut x = example.inputs[0].slice::<f32>().to_vec();
        x[293] = 0.0;
        example.inputs[0] = x.into();
        let expected = expected(&op, &example);
        each(&op, &example, |name, y| {
            for (at, (got, want)) in y.iter().zip(&expected).enumerate() {
                let nan = [17, 52].contains(&(at % op.n));
                assert_eq!((got.is_nan(), want.value.is_nan()), (nan, nan), "{name}, {op:?}, at {at}");
            }
        });
    }
}
