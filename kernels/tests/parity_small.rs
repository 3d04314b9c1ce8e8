//! The small ops against their references: all of what they were prepared for in use, less of it, and used twice.

mod all;

use all::implementations_agree;
use spark_kernels::cpu::Cpu;
use spark_kernels::embed::Embed;
use spark_kernels::format::Format;
use spark_kernels::gather::Gather;
use spark_kernels::rmsnorm::RmsNorm;
use spark_kernels::rope::Rope;
use spark_kernels::sample::{Method, Sample};
use spark_kernels::softcap::Softcap;
use spark_kernels::stack::Stack;
use spark_kernels::swiglu::{Gate, SwiGlu};
use spark_kernels::{Device, Example, Fault, Host, Implementation, Index, Io, Live, Op, Span, parity};

#[test]
fn rmsnorm() {
    implementations_agree::<RmsNorm>();
}

#[test]
fn rope() {
    implementations_agree::<Rope>();
}

#[test]
fn swiglu() {
    implementations_agree::<SwiGlu>();
}

#[test]
fn embed() {
    implementations_agree::<Embed>();
}

#[test]
fn gather() {
    implementations_agree::<Gather>();
    assert!(Gather { rows: 1, sequences: 0, width: 1 }.validate().is_err());
}

#[test]
fn stack() {
    implementations_agree::<Stack>();
    assert!(Stack { rows: 1, n: 3, width: 4, at: 2 }.validate().is_err());
}

#[test]
fn sample() {
    implementations_agree::<Sample>();
}

#[test]
fn softcap() {
    implementations_agree::<Softcap>();
    assert!(Softcap { rows: 1, width: 1, cap: 0.0 }.validate().is_err());
}

/// Runs `times` calls on one set of buffers and returns the outputs.
fn run<O: Op>(
    op: &O,
    implementation: &dyn Implementation<O>,
    threads: usize,
    example: &Example,
    times: usize,
) -> Result<Vec<Host>, Fault> {
    let cpu = Cpu::new(Some(threads), 0);
    let upload = |hosts: &[Host]| hosts.iter().map(|host| cpu.upload(host)).collect::<Result<Vec<_>, _>>();
    let (weights, inputs, mut outputs) =
        (upload(&example.weights)?, upload(&example.inputs)?, upload(&example.outputs)?);
    let mut prepared = implementation.prepare(op, &weights, &cpu)?;
    for _ in 0..times {
        prepared.run(&mut Io {
            inputs: &inputs.iter().collect::<Vec<_>>(),
            outputs: &mut outputs.iter_mut().collect::<Vec<_>>(),
            live: &example.live,
        })?;
    }
    outputs.iter().map(|output| cpu.download(output)).collect()
}

/// The implementations that this machine has, on pools of one and three threads.
fn here<O: Op>(op: &O, mut each: impl FnMut(&'static dyn Implementation<O>, usize)) {
    let cpu = Cpu::new(Some(1), 0);
    for &implementation in O::implementations() {
        if implementation.supports(op, &cpu).is_ok() {
            [1, 3].into_iter().for_each(|threads| each(implementation, threads));
        }
    }
}

/// Every element, those beyond the rows in use included, which must be as they were.
fn holds<O: Op>(op: &O, spans: &[(usize, usize)]) {
    let mut example = op.example(11);
    example.live = Live { spans: spans.iter().map(|&(rows, past)| Span { rows, past }).collect() };
    // Something recognisable where nothing may be written.
    for output in &mut example.outputs {
        match output {
            Host::F32(values) if values.iter().all(|x| *x == 0.0) => values.fill(7.5),
            Host::U32(values) => values.fill(u32::MAX),
            _ => {}
        }
    }
    let lens = example.outputs.iter().map(Host::len).enumerate();
    let indices: Vec<_> = lens.flat_map(|(output, len)| (0..len).map(move |at| Index { output, at })).collect();
    let expected = op.reference(&example, &indices);
    here(op, |implementation, threads| {
        let got = run(op, implementation, threads, &example, 1).expect("it runs");
        let error = parity::max_error(indices.iter().map(|i| got[i.output].value(i.at)), &expected);
        assert!(error <= op.tolerance(), "{} on {threads}, {op:?}, {spans:?}: {error:e}", implementation.name());
    });
}

fn shapes() -> (RmsNorm, Rope, SwiGlu, Embed, Sample) {
    let rope =
        Rope { rows: 9, heads: 4, kv_heads: 2, head_dim: 128, rotary: 128, capacity: 40, ..Rope::nasty()[0].clone() };
    (
        RmsNorm::plain(9, 4100, true, 1e-5),
        rope,
        SwiGlu { rows: 9, width: 1000, gate: Gate::Silu },
        Embed { rows: 9, vocab: 20, width: 4096, format: Format::Nvfp4, multiplier: 1.0 },
        Sample { rows: 9, vocab: 20_000, method: Method::TopP { temperature: 0.7, top_p: 0.9, seed: 5 } },
    )
}

#[test]
fn only_the_rows_in_use_are_computed() {
    let (rmsnorm, rope, swiglu, embed, sample) = shapes();
    for spans in [&[][..], &[(1, 39)], &[(3, 0), (1, 25)], &[(1, 3), (0, 9), (2, 38), (5, 10)], &[(9, 31)]] {
        holds(&rmsnorm, spans);
        holds(&rope, spans);
        holds(&Rope { qk_norm: true, ..rope.clone() }, spans);
        holds(&Rope { rotary: 96, ..rope.clone() }, spans);
        holds(&RmsNorm { delta_norm: true, multiplier: 0.5, ..rmsnorm.clone() }, spans);
        holds(&swiglu, spans);
        holds(&embed, spans);
        holds(&sample, spans);
        holds(&Softcap { rows: 9, width: 1000, cap: 30.0 }, spans);
    }
}

#[test]
fn examples_have_the_sizes_that_are_stated() {
    fn stated<O: Op>() {
        for op in O::nasty() {
            let (example, outputs) = (op.example(1), op.outputs());
            let bytes = |hosts: &[Host]| hosts.iter().map(|host| host.bytes().len() as u64).sum::<u64>();
            assert_eq!(op.operand_bytes(), bytes(&example.weights) + bytes(&example.inputs), "{op:?}");
            let got: Vec<_> = example.outputs.iter().map(|host| (host.of(), host.len())).collect();
            assert_eq!(got, outputs.iter().map(|shape| (shape.of, shape.len)).collect::<Vec<_>>(), "{op:?}");
            assert_eq!(op.live(), example.live, "{op:?}");
            assert!(op.flops(&example.live) > 0 || O::NAME == "embed");
        }
    }
    stated::<RmsNorm>();
    stated::<Rope>();
    stated::<SwiGlu>();
    stated::<Embed>();
    stated::<Sample>();
    stated::<Softcap>();
}

#[test]
fn more_rows_than_prepared_are_a_fault() {
    fn refused<O: Op>(op: &O, live: Live, word: &str) {
        here(op, |implementation, threads| {
            let example = Example { live: live.clone(), ..op.example(1) };
            let fault = run(op, implementation, threads, &example, 1).unwrap_err().to_string();
            assert!(fault.contains(word), "{}: {fault}", implementation.name());
        });
    }
    let (rmsnorm, rope, swiglu, embed, sample) = shapes();
    refused(&rmsnorm, Live::one(10, 0), "prepared for 9");
    refused(&rope, Live::one(10, 0), "prepared for 9");
    refused(&rope, Live::one(2, 39), "40 positions");
    refused(&swiglu, Live::one(10, 0), "prepared for 9");
    refused(&embed, Live::one(10, 0), "prepared for 9");
    refused(&sample, Live::one(10, 0), "prepared for 9");
    refused(&Softcap { rows: 9, width: 1000, cap: 30.0 }, Live::one(10, 0), "prepared for 9");
    refused(&Stack { rows: 9, n: 3, width: 5, at: 1 }, Live::one(10, 0), "prepared for 9");
}

#[test]
fn state_stays_finite_and_normal_over_many_calls() {
    fn finite<O: Op>(op: &O) {
        here(op, |implementation, threads| {
            for output in run(op, implementation, threads, &op.example(3), 2000).unwrap() {
                // Nor may they fade away: arithmetic on denormals would be timed instead.
                let normal = output.slice::<f32>().iter().filter(|x| x.is_normal()).count();
                let finite = output.slice::<f32>().iter().all(|x| x.is_finite());
                assert!(
                    finite && normal * 100 > output.len() * 99,
                    "{} on {threads} threads, {op:?}",
                    implementation.name()
                );
            }
        });
    }
    let (rmsnorm, rope, ..) = shapes();
    let rope = Rope { rows: 2, ..rope };
    finite(&RmsNorm { rows: 2, width: 500, ..rmsnorm });
    finite(&rope);
    finite(&Rope { qk_norm: true, ..rope });
}

#[test]
fn the_bits_depend_on_neither_threads_nor_instructions_where_that_is_promised() {
    fn same<O: Op>(op: &O, among: fn(&str) -> bool) {
        let example = op.example(4);
        let bits = |host: &Host| host.bytes().to_vec();
        let scalar = spark_kernels::named::<O>("scalar").unwrap();
        let want: Vec<_> = run(op, scalar, 1, &example, 1).unwrap().iter().map(bits).collect();
        here(op, |implementation, threads| {
            if among(implementation.name()) {
                let got: Vec<_> = run(op, implementation, threads, &example, 1).unwrap().iter().map(bits).collect();
                assert!(got == want, "{} on {threads} threads, {op:?}", implementation.name());
            }
        });
    }
    let (rmsnorm, rope, swiglu, _, sample) = shapes();
    same(&rmsnorm, |name| name == "scalar");
    same(&RmsNorm { delta_norm: true, ..rmsnorm.clone() }, |name| name == "scalar");
    same(&Rope { qk_norm: true, ..rope }, |name| name == "scalar");
    same(&swiglu, |_| true);
    same(&SwiGlu { gate: Gate::GeluTanh, ..swiglu.clone() }, |_| true);
    same(&SwiGlu { gate: Gate::Clamped { limit: 2.0 }, ..swiglu.clone() }, |_| true);
    same(&sample, |_| true);
    for format in Format::ALL {
        same(&Embed { rows: 5, vocab: 9, width: 8192, format, multiplier: 1.0 }, |_| true);
    }
}

#[test]
fn a_token_outside_the_vocabulary_is_named_and_nothing_is_read_or_written() {
    for format in Format::ALL {
        let op = Embed { rows: 3, vocab: 20, width: 256, format, multiplier: 1.0 };
        for bad in [20, 21, u32::MAX] {
            let mut example = op.example(1);
            example.inputs[0] = vec![1, bad, 2].into();
            here(&op, |implementation, threads| {
                let fault = run(&op, implementation, threads, &example, 1).unwrap_err().to_string();
                assert!(fault.contains(&format!("token {bad} in row 1")), "{fault}");
            });
        }
    }
}

#[test]
fn greedy_takes_the_first_of_equals_and_never_nan() {
    let vocab = 20_011;
    let op = Sample { rows: 1, vocab, method: Method::Greedy };
    // What is set where, what stands everywhere else, and the token.
    type Case = (&'static [(usize, f32)], f32, u32);
    let cases: [Case; 8] = [
        (&[(5, 9.0), (17_000, 9.0), (20_010, 9.0)], 0.0, 5),
        (&[(20_010, 9.0)], 0.0, 20_010),
        (&[(0, f32::NAN), (1, f32::NAN), (300, 1.0)], f32::NAN, 300),
        (&[(0, f32::NAN), (20_010, f32::NEG_INFINITY)], f32::NAN, 20_010),
        (&[], f32::NEG_INFINITY, 0),
        (&[(0, f32::NAN)], f32::NEG_INFINITY, 1),
        (&[(77, f32::INFINITY), (78, f32::INFINITY), (79, f32::NAN)], 1.0, 77),
        (&[(3, 0.0)], -0.0, 0),
    ];
    for (set, fill, want) in cases {
        let mut logits = vec![fill; vocab];
        set.iter().for_each(|&(i, x)| logits[i] = x);
        let drawn = Sample { method: Method::TopP { temperature: 1.0, top_p: 1e-7, seed: 9 }, ..op.clone() };
        let example = Example { inputs: vec![logits.into()], ..op.example(1) };
        for op in [&op, &drawn] {
            here(op, |implementation, threads| {
                let got = run(op, implementation, threads, &example, 1).unwrap();
                assert_eq!(got[0].value(0), f64::from(want), "{} on {threads}, {op:?}: {set:?}", implementation.name());
            });
        }
    }
}

#[test]
fn a_row_of_nan_is_a_fault_that_names_it() {
    for method in [Method::Greedy, Method::TopP { temperature: 1.0, top_p: 0.9, seed: 0 }] {
        let op = Sample { rows: 2, vocab: 17_000, method };
        let mut logits = vec![1.0_f32; 34_000];
        logits[17_000..].fill(f32::NAN);
        let example = Example { inputs: vec![logits.into()], ..op.example(1) };
        here(&op, |implementation, threads| {
            let fault = run(&op, implementation, threads, &example, 1).unwrap_err().to_string();
            assert!(fault.contains("row 1 are NaN"), "{fault}");
        });
    }
}

/// A change of any of these tokens on any platform changes every seeded generation.
#[test]
fn the_drawn_tokens_are_pinned() {
    let op = Sample { rows: 8, vocab: 32_000, method: Method::TopP { temperature: 0.8, top_p: 0.95, seed: 42 } };
    let example = op.example(2);
    here(&op, |implementation, threads| {
        let got = run(&op, implementation, threads, &example, 1).unwrap();
        assert_eq!(
            got[0].slice::<u32>(),
            [24_244, 27_684, 25_148, 8754, 438, 30_698, 27_484, 23_895],
            "{} on {threads}",
            implementation.name()
        );
    });
}

#[test]
fn extreme_gates_give_their_limits() {
    let op = SwiGlu { rows: 1, width: 17, gate: Gate::Silu };
    let gates = [0.0, -0.0, 200.0, -200.0, f32::MAX, -1e30, 1e-40];
    let want = [0.0, 0.0, 200.0, 0.0, f32::MAX, 0.0, 5e-41];
    let mut input = vec![1.0_f32; 34];
    // Among whole vectors and in the part after them.
    input[..7].copy_from_slice(&gates);
    input[10..17].copy_from_slice(&gates);
    let example = Example { inputs: vec![input.into()], ..op.example(1) };
    here(&op, |implementation, threads| {
        let got = run(&op, implementation, threads, &example, 1).unwrap();
        for (i, want) in want.into_iter().enumerate() {
            for at in [i, 10 + i] {
                let got = got[0].slice::<f32>()[at];
                assert!((got - want).abs() <= 1e-44, "{}: gate {}: {got}", implementation.name(), gates[i]);
            }
        }
    });
}

/// The other gates at the ends of f32, and NaN, which no clamp may hide.
#[test]
fn extreme_gates_of_every_kind_give_their_limits() {
    let gates = [0.0, -0.0, 200.0, -200.0, -1e30, f32::NAN];
    for (gate, want) in [
        (Gate::GeluTanh, [0.0, 0.0, 200.0, 0.0, 0.0, f32::NAN]),
        // Of 7·sigmoid(1.702·7): 1/(1 + e^-11.914) = 0.99999330.
        (Gate::Clamped { limit: 7.0 }, [0.0, 0.0, 2.0 * 6.999_953, 0.0, 0.0, f32::NAN]),
    ] {
        let op = SwiGlu { rows: 1, width: 17, gate };
        let mut input = vec![1.0_f32; 34];
        input[..6].copy_from_slice(&gates);
        input[11..17].copy_from_slice(&gates);
        let example = Example { inputs: vec![input.clone().into()], ..op.example(1) };
        input[17] = f32::NAN;
        let other = Example { inputs: vec![input.into()], ..op.example(1) };
        here(&op, |implementation, threads| {
            let got = run(&op, implementation, threads, &example, 1).unwrap();
            for (i, want) in want.into_iter().enumerate() {
                for at in [i, 11 + i] {
                    let got = got[0].slice::<f32>()[at];
                    let right = got.is_nan() && want.is_nan() || (got - want).abs() <= 1e-4;
                    assert!(right, "{} {gate:?}: gate {}: {got}", implementation.name(), gates[i]);
                }
            }
            let got = run(&op, implementation, threads, &other, 1).unwrap();
            assert!(got[0].slice::<f32>()[0].is_nan(), "{} {gate:?}: a NaN beside the gate", implementation.name());
        });
    }
}

#[test]
fn invalid_shapes_say_what_does_not_hold() {
    fn says<O: Op>(op: &O, word: &str) {
        let said = op.validate().unwrap_err().to_string();
        assert!(said.contains(word), "{said}");
    }
    let (rmsnorm, rope, swiglu, embed, sample) = shapes();
    says(&RmsNorm { width: 0, ..rmsnorm.clone() }, "width 0");
    says(&RmsNorm { multiplier: f32::INFINITY, ..rmsnorm.clone() }, "multiplier inf");
    says(&RmsNorm { residual: false, delta_norm: true, ..rmsnorm.clone() }, "set residual");
    says(&RmsNorm { eps: f32::NAN, ..rmsnorm }, "eps NaN");
    says(&Rope { rotary: 7, ..rope.clone() }, "rotary 7");
    says(&Rope { rotary: 130, ..rope.clone() }, "rotary 130");
    says(&Rope { head_dim: 7, ..rope.clone() }, "head_dim 7");
    says(&Rope { theta: 0.0, ..rope.clone() }, "theta 0");
    says(&Rope { capacity: usize::MAX, ..rope }, "capacity");
    says(&SwiGlu { gate: Gate::Clamped { limit: 0.0 }, ..swiglu.clone() }, "limit 0");
    says(&SwiGlu { rows: 0, ..swiglu }, "rows 0");
    says(&Embed { multiplier: 0.0, ..embed.clone() }, "multiplier 0");
    says(&Embed { width: 40, ..embed.clone() }, "width 40");
    says(&Embed { vocab: 0, ..embed }, "vocab 0");
    let method = |temperature, top_p| Method::TopP { temperature, top_p, seed: 0 };
    says(&Sample { method: method(0.0, 0.9), ..sample.clone() }, "temperature 0");
    says(&Sample { method: method(1.0, 1.1), ..sample.clone() }, "top_p 1.1");
    says(&Sample { method: method(1.0, f32::NAN), ..sample.clone() }, "top_p NaN");
    says(&Sample { vocab: usize::MAX, ..sample.clone() }, "vocab");
    let huge = usize::MAX / 3;
    says(&RmsNorm { rows: huge, ..shapes().0 }, "2^44");
    says(&Rope { rows: huge, ..shapes().1 }, "2^44");
    says(&Rope { kv_heads: huge, ..shapes().1 }, "2^44");
    says(&SwiGlu { width: huge, ..shapes().2 }, "2^44");
    says(&Embed { rows: huge, ..shapes().3 }, "2^44");
    says(&Sample { rows: huge, ..sample }, "2^44");
}
