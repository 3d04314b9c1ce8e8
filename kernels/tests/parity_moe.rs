//! Parity of the ops of a mixture of experts, and what callers rely on: unused rows, bad ids, one scratch for many layers.
#![allow(clippy::unwrap_used)]

mod all;

use spark_kernels::cpu::Cpu;
use spark_kernels::format::Format;
use spark_kernels::gemm::Activations;
use spark_kernels::moe::{Experts, Route, Routing, Touched};
use spark_kernels::{Device, Example, Host, Index, Io, Live, Op, Prepared, Span, parity};

#[test]
fn route() {
    all::implementations_agree::<Route>();
}

#[test]
fn touched() {
    all::implementations_agree::<Touched>();
}

#[test]
fn experts() {
    all::implementations_agree::<Experts>();
}

fn run(prepared: &mut dyn Prepared, device: &dyn Device, example: &Example) -> Result<Vec<Host>, spark_kernels::Fault> {
    let inputs: Vec<_> = example.inputs.iter().map(|host| device.upload(host).unwrap()).collect();
    let mut outputs: Vec<_> = example.outputs.iter().map(|host| device.upload(host).unwrap()).collect();
    prepared.run(&mut Io {
        inputs: &inputs.iter().collect::<Vec<_>>(),
        outputs: &mut outputs.iter_mut().collect::<Vec<_>>(),
        live: &example.live,
    })?;
    Ok(outputs.iter().map(|buffer| device.download(buffer).unwrap()).collect())
}

fn shape(combine: bool) -> Experts {
    Experts {
        rows: 60,
        experts: 8,
        active: 3,
        n: 48,
        k: 96,
        weights: Format::Mxfp4,
        activations: Activations::Int8,
        bias: true,
        combine,
        routing: Routing::Zipf,
    }
}

#[test]
fn one_prepared_op_serves_every_number_of_tokens_and_writes_no_more() {
    for (op, threads) in [(shape(false), 1), (shape(true), 3)] {
        let cpu = Cpu::new(Some(threads), 0);
        for implementation in Experts::implementations().iter().filter(|i| i.supports(&op, &cpu).is_ok()) {
            let mut example = op.example(5);
            let weights: Vec<_> = example.weights.iter().map(|host| cpu.upload(host).unwrap()).collect();
            let mut prepared = implementation.prepare(&op, &weights, &cpu).unwrap();
            for tokens in [60, 1, 17, 0, 2, 59] {
                example.live = Live::one(tokens, 4);
                example.outputs = vec![vec![7.5_f32; op.outputs()[0].len].into()];
                let got = run(&mut *prepared, &cpu, &example).unwrap();
                let indices: Vec<_> = (0..got[0].len()).map(|at| Index { output: 0, at }).collect();
                let expected = op.reference(&example, &indices);
                let error = parity::max_error(indices.iter().map(|i| got[0].value(i.at)), &expected);
                assert!(error <= op.tolerance(), "{} {tokens} tokens: {error:e}", implementation.name());
            }
        }
    }
}

#[test]
fn layers_that_share_a_scratch_do_not_disturb_each_other() {
    // Prepared in turn, of different sizes, run in another order.
    let cpu = Cpu::new(Some(2), 0);
    let small = Experts { rows: 3, n: 16, k: 32, ..shape(true) };
    let ops = [small.clone(), shape(false), shape(true), Experts { rows: 70, ..small }];
    for implementation in Experts::implementations() {
        let ready: Vec<_> = ops.iter().filter(|op| implementation.supports(op, &cpu).is_ok()).collect();
        let examples: Vec<_> = ready.iter().zip(20..).map(|(op, seed)| op.example(seed)).collect();
        let mut prepared: Vec<_> = ready
            .iter()
            .zip(&examples)
            .map(|(op, example)| {
                let weights: Vec<_> = example.weights.iter().map(|host| cpu.upload(host).unwrap()).collect();
                implementation.prepare(op, &weights, &cpu).unwrap()
            })
            .collect();
        for at in (0..ready.len()).rev().chain(0..ready.len()) {
            let got = run(&mut *prepared[at], &cpu, &examples[at]).unwrap();
            let check = parity::compare(ready[at], implementation.rounding(ready[at]), &examples[at], &got, 1, 4096);
            assert!(check.passed(), "{} {:?}: {check:?}", implementation.name(), ready[at]);
        }
    }
}

#[test]
fn what_cannot_be_is_a_fault_or_refused_in_words() {
    let cpu = Cpu::new(Some(1), 0);
    let op = shape(false);
    for implementation in Experts::implementations().iter().filter(|i| i.supports(&op, &cpu).is_ok()) {
        let mut example = op.example(5);
        let weights: Vec<_> = example.weights.iter().map(|host| cpu.upload(host).unwrap()).collect();
        let mut prepared = implementation.prepare(&op, &weights, &cpu).unwrap();
        example.inputs[1] = vec![8_u32; 180].into();
        let fault = run(&mut *prepared, &cpu, &example).unwrap_err().to_string();
        assert!(fault.contains("expert 8 of 8"), "{fault}");
        example.live = Live::one(61, 0);
        assert!(run(&mut *prepared, &cpu, &example).unwrap_err().to_string().contains("prepared for 60"));
    }
    let route =
        Route { rows: 3, experts: 20, active: 4, shared: 0, normalised: true, routing: Routing::Router, seed: 0 };
    let mut example = route.example(1);
    let Host::F32(logits) = &mut example.inputs[0] else { panic!("logits are f32") };
    logits[45] = f32::NAN;
    let mut prepared = Route::implementations()[0].prepare(&route, &[], &cpu).unwrap();
    assert!(run(&mut *prepared, &cpu, &example).unwrap_err().to_string().contains("row 2 are NaN"));
    let says = |said: String, word: &str| assert!(said.contains(word), "{said}");
    says(Route { active: 21, ..route.clone() }.validate().unwrap_err().0, "at most 20");
    says(Route { rows: 0, ..route }.validate().unwrap_err().0, "rows 0");
    says(Experts { active: 9, ..shape(true) }.validate().unwrap_err().0, "1 to 8");
    says(Experts { k: 40, ..shape(true) }.validate().unwrap_err().0, "k = 40");
    says(Experts { experts: 1 << 40, ..shape(true) }.validate().unwrap_err().0, "2^20");
}

#[test]
fn drawn_experts_follow_sequence_and_position() {
    let cpu = Cpu::new(Some(2), 0);
    let op = Route { rows: 9, experts: 64, active: 4, shared: 0, normalised: true, routing: Routing::Uniform, seed: 8 };
    let mut prepared = Route::implementations()[0].prepare(&op, &[], &cpu).unwrap();
    let mut ids = |spans: &[(usize, usize)]| {
        let live = Live { spans: spans.iter().map(|&(rows, past)| Span { rows, past }).collect() };
        run(&mut *prepared, &cpu, &Example { live, ..op.example(2) }).unwrap()[0].slice::<u32>().to_vec()
    };
    let (all, first, rest) = (ids(&[(6, 0)]), ids(&[(2, 0)]), ids(&[(4, 2)]));
    assert_eq!(all[..8], first[..8]);
    assert_eq!(all[8..24], rest[..16]);
    assert_ne!(ids(&[(0, 0), (2, 0)])[..8], first[..8], "another sequence draws others");
}
