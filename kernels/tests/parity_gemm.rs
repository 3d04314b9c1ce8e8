//! Every gemm implementation against the f64 reference, and what one prepared gemm has to keep over calls.
#![expect(clippy::print_stdout, reason = "what a machine cannot run is said, not skipped silently")]

mod all;

use spark_kernels::cpu::Cpu;
use spark_kernels::gemm::Gemm;
use spark_kernels::{Buffer, Device, Index, Io, Live, Op, parity};

#[test]
fn implementations_agree_with_the_reference() {
    all::implementations_agree::<Gemm>();
}

/// One prepared gemm serves prefill and decode: every number of rows in turn, and rows beyond stay as they were.
#[test]
fn one_prepared_gemm_serves_every_number_of_rows() {
    const UNTOUCHED: f32 = -12345.0;
    let cpu = Cpu::new(Some(2), 0);
    for op in Gemm::nasty().into_iter().filter(|op| op.m == 29) {
        let example = op.example(7);
        let weights: Vec<Buffer> = example.weights.iter().map(|w| cpu.upload(w).unwrap()).collect();
        let x = cpu.upload(&example.inputs[0]).unwrap();
        let expected = op.reference(&example, &(0..op.m * op.n).map(|at| Index { output: 0, at }).collect::<Vec<_>>());
        for implementation in Gemm::implementations() {
            if let Err(reason) = implementation.supports(&op, &cpu) {
                println!("{} does not do {op:?}: {reason}", implementation.name());
                continue;
            }
            let mut prepared = implementation.prepare(&op, &weights, &cpu).unwrap();
            for rows in [29, 1, 2, 28, 3, 17, 4, 16, 5, 12, 6, 11, 7, 10, 8, 9, 0, 29] {
                let mut y = cpu.upload(&vec![UNTOUCHED; op.m * op.n].into()).unwrap();
                let live = Live::one(rows, 0);
                prepared.run(&mut Io { inputs: &[&x], outputs: &mut [&mut y], live: &live }).unwrap();
                let (got, rest) = y.slice::<f32>().split_at(rows * op.n);
                let error = parity::max_error(got.iter().copied().map(f64::from), &expected);
                assert!(error <= op.tolerance(), "{} at {rows} rows, {op:?}: {error:e}", implementation.name());
                assert!(rest.iter().all(|v| *v == UNTOUCHED), "{} wrote beyond row {rows}", implementation.name());
            }
        }
    }
}

/// Decoding streams the packed weights: they may not outgrow what the format promises.
#[test]
fn packed_weights_stay_as_small_as_the_format() {
    let cpu = Cpu::new(Some(1), 0);
    for op in Gemm::nasty() {
        let op = Gemm { m: 1, n: 640, k: 1024, bias: false, ..op };
        let weights: Vec<Buffer> = op.example(1).weights.iter().map(|w| cpu.upload(w).unwrap()).collect();
        for implementation in Gemm::implementations() {
            if implementation.supports(&op, &cpu).is_ok() {
                let resident = implementation.prepare(&op, &weights, &cpu).unwrap().resident() as f64;
                let canonical = (op.n * op.weights.bytes(op.k)) as f64;
                assert!(resident >= canonical, "{}: {resident} bytes hold {canonical}", implementation.name());
                assert!(resident <= 1.03 * canonical, "{}: {resident} for {canonical}", implementation.name());
            }
        }
    }
}

/// A row that holds a NaN gives NaN in every output, and no other row does.
#[test]
fn a_nan_stays_in_its_row_and_is_not_lost() {
    let cpu = Cpu::new(Some(2), 0);
    for op in Gemm::nasty().into_iter().filter(|op| op.m == 29) {
        let example = op.example(3);
        let weights: Vec<Buffer> = example.weights.iter().map(|w| cpu.upload(w).unwrap()).collect();
        for bad in [f32::NAN, f32::INFINITY] {
            let mut x = cpu.upload(&example.inputs[0]).unwrap();
            x.slice_mut::<f32>()[5 * op.k + 9] = bad;
            for implementation in Gemm::implementations().iter().filter(|i| i.supports(&op, &cpu).is_ok()) {
                let mut prepared = implementation.prepare(&op, &weights, &cpu).unwrap();
                for rows in [6, 29] {
                    let mut y = cpu.upload(&vec![0.0_f32; op.m * op.n].into()).unwrap();
                    let live = Live::one(rows, 0);
                    prepared.run(&mut Io { inputs: &[&x], outputs: &mut [&mut y], live: &live }).unwrap();
                    for (at, y) in y.slice::<f32>()[..rows * op.n].iter().enumerate() {
                        // A float path may keep an infinity, or lose it against a weight of 0 as NaN.
                        assert_eq!(y.is_finite(), at / op.n != 5, "{} {op:?} at {at}: {y}", implementation.name());
                    }
                }
            }
        }
    }
}

/// Rows that are hard to round: nothing, next to nothing, exact ties, huge values, one value far above the rest.
#[test]
fn odd_activations_are_rounded_as_the_op_defines() {
    let cpu = Cpu::new(Some(1), 0);
    for op in Gemm::nasty().into_iter().filter(|op| op.m == 29) {
        let mut example = op.example(11);
        let mut x = example.inputs[0].slice::<f32>().to_vec();
        for (row, x) in x.chunks_exact_mut(op.k).enumerate() {
            for (i, x) in x.iter_mut().enumerate() {
                *x = match row % 6 {
                    0 => 0.0,
                    1 => *x * 1e-33,
                    // Halves of a step of int8 with amax 127, and of E2M1 with amax 6 · 2^k.
                    2 => {
                        if i == 0 {
                            127.0
                        } else {
                            i as f32 - 31.5
                        }
                    }
                    3 => [6.0, -5.0, 3.5, 2.5, -1.75, 1.25, 0.75, -0.25][i % 8] * 64.0,
                    4 => *x * 1e30,
                    _ => {
                        if i == 3 {
                            1e4
                        } else {
                            *x
                        }
                    }
                };
            }
        }
        example.inputs[0] = x.into();
        let weights: Vec<Buffer> = example.weights.iter().map(|w| cpu.upload(w).unwrap()).collect();
        let x = cpu.upload(&example.inputs[0]).unwrap();
        let expected = op.reference(&example, &(0..op.m * op.n).map(|at| Index { output: 0, at }).collect::<Vec<_>>());
        for implementation in Gemm::implementations().iter().filter(|i| i.supports(&op, &cpu).is_ok()) {
            let mut prepared = implementation.prepare(&op, &weights, &cpu).unwrap();
            for rows in [6, 29] {
                let mut y = cpu.upload(&example.outputs[0]).unwrap();
                let live = Live::one(rows, 0);
                prepared.run(&mut Io { inputs: &[&x], outputs: &mut [&mut y], live: &live }).unwrap();
                for (at, (got, want)) in y.slice::<f32>()[..rows * op.n].iter().zip(&expected).enumerate() {
                    let error = parity::max_error([f64::from(*got)], &[*want]);
                    let row = at / op.n;
                    assert!(error <= op.tolerance(), "{} row {row} of {op:?}: {got} {want:?}", implementation.name());
                }
            }
        }
    }
}
