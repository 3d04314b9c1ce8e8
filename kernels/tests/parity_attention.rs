//! Every attention implementation against the f64 reference, and what one prepared attention has to keep over calls.

mod all;

use half::bf16;
use spark_kernels::attention::{Attention, KvType};
use spark_kernels::cpu::Cpu;
use spark_kernels::{Buffer, Device, Example, Fault, Host, Implementation, Index, Io, Live, Op, Span, parity};

#[test]
fn implementations_agree_with_the_reference() {
    all::implementations_agree::<Attention>();
}

fn supported(op: &Attention, cpu: &Cpu) -> Vec<&'static dyn Implementation<Attention>> {
    Attention::implementations().iter().copied().filter(|i| i.supports(op, cpu).is_ok()).collect()
}

/// Runs once on `example` and returns the outputs.
fn run(
    op: &Attention,
    implementation: &dyn Implementation<Attention>,
    cpu: &Cpu,
    example: &Example,
) -> Result<Vec<Host>, Fault> {
    let input = cpu.upload(&example.inputs[0])?;
    let mut outputs: Vec<Buffer> = example.outputs.iter().map(|o| cpu.upload(o)).collect::<Result<_, _>>()?;
    let mut prepared = implementation.prepare(op, &[], cpu)?;
    prepared.run(&mut Io {
        inputs: &[&input],
        outputs: &mut outputs.iter_mut().collect::<Vec<_>>(),
        live: &example.live,
    })?;
    Ok(outputs.iter().map(Buffer::to_host).collect())
}

/// Compares every element of every output.
fn compare(op: &Attention, example: &Example, cpu: &Cpu) {
    let indices: Vec<_> = example
        .outputs
        .iter()
        .enumerate()
        .flat_map(|(output, host)| (0..host.len()).map(move |at| Index { output, at }))
        .collect();
    let expected = op.reference(example, &indices);
    for implementation in supported(op, cpu) {
        let got = run(op, implementation, cpu, example).expect("a supported op runs");
        let error = parity::max_error(indices.iter().map(|i| got[i.output].value(i.at)), &expected);
        let (name, threads) = (implementation.name(), cpu.threads());
        assert!(error <= op.tolerance(), "{name} on {threads} threads, {op:?}, {:?}: {error:e}", example.live);
    }
}

const OP: Attention =
    Attention { rows: 40, depth: 300, heads: 8, kv_heads: 2, head_dim: 64, sequences: 3, kv: KvType::F32 };

#[test]
fn spans_of_different_lengths_and_pasts() {
    let spans =
        |spans: &[(usize, usize)]| Live { spans: spans.iter().map(|&(rows, past)| Span { rows, past }).collect() };
    let lives = [
        spans(&[(1, 0), (1, 299), (1, 64)]),
        spans(&[(17, 3), (0, 77), (23, 300)]),
        spans(&[(0, 0), (5, 123)]),
        spans(&[(40, 300)]),
        spans(&[(0, 0), (0, 0), (1, 339)]),
        spans(&[]),
    ];
    for threads in if all::small() { 3..=3 } else { 1..=3 } {
        let cpu = Cpu::new(Some(threads), 0);
        for kv in [KvType::F32, KvType::Bf16] {
            let op = Attention { kv, ..OP };
            for live in &lives {
                compare(&op, &Example { live: live.clone(), ..op.example(5) }, &cpu);
            }
        }
    }
}

/// Scores of thousands overflow a softmax that does not subtract the maximum; rising and falling ones catch a running one.
#[test]
fn huge_scores_do_not_overflow() {
    for threads in [1, 3] {
        let cpu = Cpu::new(Some(threads), 0);
        for (rows, factor) in [(1, 1e3), (40, 1e3), (40, 1e-6), (3, -3e4)] {
            let op = Attention { rows, sequences: 1, ..OP };
            let mut example = op.example(9);
            let Host::F32(qkv) = &mut example.inputs[0] else { panic!("qkv is f32") };
            for row in qkv.chunks_exact_mut(op.input_row()) {
                row[..op.heads * op.head_dim].iter_mut().for_each(|q| *q *= factor);
            }
            compare(&op, &example, &cpu);
            // Keys that grow along the sequence: every block has a new maximum.
            let layout = op.layout();
            let Host::F32(keys) = &mut example.outputs[1] else { panic!("keys are f32") };
            for slot in 0..layout.slots() {
                for d in 0..op.head_dim {
                    keys[layout.key(0, 0, slot, d)] = slot as f32 / 64.0;
                    keys[layout.key(0, 1, slot, d)] = -(slot as f32) / 64.0;
                }
            }
            compare(&op, &example, &cpu);
        }
    }
}

/// What no live row sees must not matter: stale slots of the caches hold NaN, also inside the last block of 16 and 64.
#[test]
fn slots_beyond_the_live_tokens_are_never_used() {
    for threads in [1, 2] {
        let cpu = Cpu::new(Some(threads), 0);
        for kv in [KvType::F32, KvType::Bf16] {
            let op = Attention { kv, sequences: 1, ..OP };
            for (rows, past) in [(1, 0), (1, 37), (1, 63), (5, 130), (40, 0)] {
                let mut example = op.example(11);
                example.live = Live::one(rows, past);
                let clean: Vec<_> =
                    supported(&op, &cpu).iter().map(|i| run(&op, *i, &cpu, &example).unwrap()).collect();
                let layout = op.layout();
                for output in [1, 2] {
                    for kv_head in 0..op.kv_heads {
                        for slot in past + rows..layout.slots() {
                            for d in 0..op.head_dim {
                                let key = output == 1;
                                let at = if key {
                                    layout.key(0, kv_head, slot, d)
                                } else {
                                    layout.value(0, kv_head, slot, d)
                                };
                                match &mut example.outputs[output] {
                                    Host::F32(v) => v[at] = f32::NAN,
                                    Host::Bf16(v) => v[at] = bf16::NAN,
                                    other => panic!("a cache of {:?}", other.of()),
                                }
                            }
                        }
                    }
                }
                for (implementation, clean) in supported(&op, &cpu).iter().zip(clean) {
                    let got = run(&op, *implementation, &cpu, &example).unwrap();
                    assert_eq!(got[0], clean[0], "{} {rows} rows after {past}", implementation.name());
                }
            }
        }
    }
}

/// A NaN in a query reaches exactly its own head's output: it is neither lost in a maximum nor spread.
#[test]
fn a_nan_stays_in_its_head_and_is_not_lost() {
    let cpu = Cpu::new(Some(2), 0);
    let op = Attention { sequences: 1, ..OP };
    let mut example = op.example(2);
    let Host::F32(qkv) = &mut example.inputs[0] else { panic!("qkv is f32") };
    qkv[7 * op.input_row() + 3 * op.head_dim + 5] = f32::NAN;
    for implementation in supported(&op, &cpu) {
        let got = run(&op, implementation, &cpu, &example).unwrap();
        for (at, out) in got[0].slice::<f32>().iter().enumerate() {
            assert_eq!(out.is_nan(), at / op.head_dim == 7 * op.heads + 3, "{} at {at}", implementation.name());
        }
    }
}

/// Token by token through one prepared decode gives what one prefill gives.
#[test]
fn decoding_step_by_step_fills_the_cache_a_prefill_fills() {
    let cpu = Cpu::new(Some(2), 0);
    let op = Attention { rows: 70, depth: 0, sequences: 1, ..OP };
    let example = op.example(4);
    let input = example.inputs[0].slice::<f32>();
    for implementation in supported(&op, &cpu) {
        let whole = run(&op, implementation, &cpu, &example).unwrap();
        let mut prepared = implementation.prepare(&op, &[], &cpu).unwrap();
        let mut outputs: Vec<Buffer> = example.outputs.iter().map(|o| cpu.upload(o).unwrap()).collect();
        let row = op.heads * op.head_dim;
        for token in 0..op.rows {
            let new = input[token * op.input_row()..][..op.input_row()].to_vec();
            let new = cpu.upload(&new.into()).unwrap();
            let live = Live::one(1, token);
            let mut lent: Vec<_> = outputs.iter_mut().collect();
            prepared.run(&mut Io { inputs: &[&new], outputs: &mut lent, live: &live }).unwrap();
            let want = &whole[0].slice::<f32>()[token * row..][..row];
            for (got, want) in outputs[0].slice::<f32>()[..row].iter().zip(want) {
                assert!((got - want).abs() < 1e-5, "{} at token {token}: {got} {want}", implementation.name());
            }
        }
        assert_eq!(outputs[1].to_host(), whole[1], "{}", implementation.name());
        assert_eq!(outputs[2].to_host(), whole[2], "{}", implementation.name());
    }
}

#[test]
fn the_scalar_path_gives_the_same_bits_on_any_number_of_threads() {
    for kv in [KvType::F32, KvType::Bf16] {
        let op = Attention { kv, ..OP };
        let scalar = spark_kernels::named::<Attention>("scalar").unwrap();
        let example = op.example(1);
        let one = run(&op, scalar, &Cpu::new(Some(1), 0), &example).unwrap();
        for threads in [2, 3] {
            assert_eq!(run(&op, scalar, &Cpu::new(Some(threads), 0), &example).unwrap(), one, "{threads} threads");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_written() {
    let cpu = Cpu::new(Some(1), 0);
    let lives = [
        Live::one(41, 0),
        Live::one(1, 340),
        Live { spans: vec![Span { rows: 1, past: 0 }; 4] },
        Live { spans: vec![Span { rows: 20, past: 0 }; 3] },
    ];
    for implementation in supported(&OP, &cpu) {
        for live in &lives {
            let fault = run(&OP, implementation, &cpu, &Example { live: live.clone(), ..OP.example(1) }).unwrap_err();
            assert!(fault.to_string().contains("prepare"), "{}: {fault}", implementation.name());
        }
    }
    for bad in [
        Attention { kv_heads: 3, ..OP },
        Attention { head_dim: 63, ..OP },
        Attention { rows: 0, ..OP },
        Attention { depth: usize::MAX, ..OP },
    ] {
        assert!(bad.validate().is_err(), "{bad:?}");
    }
}

#[test]
fn work_is_counted_token_by_token() {
    let op = Attention { kv: KvType::Bf16, ..OP };
    let live = Live { spans: vec![Span { rows: 3, past: 10 }, Span { rows: 1, past: 0 }] };
    // 11 + 12 + 13 and 1 tokens seen, 8 heads of 64.
    assert_eq!(op.flops(&live), 4 * 8 * 64 * (11 + 12 + 13 + 1));
    let (token, row) = (2 * 2 * 64 * 2, (8 + 2 * 2) * 64 * 4 + 8 * 64 * 4);
    assert_eq!(op.bytes(&live), 4 * row + 4 * token + 10 * token);
}
