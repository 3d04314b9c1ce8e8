//! Every attention implementation against the f64 reference, and what one prepared attention has to keep over calls.

mod all;

use half::bf16;
use spark_kernels::attention::{Attention, KvType, fill_bytes};
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
    let weights: Vec<Buffer> = example.weights.iter().map(|w| cpu.upload(w)).collect::<Result<_, _>>()?;
    let mut outputs: Vec<Buffer> = example.outputs.iter().map(|o| cpu.upload(o)).collect::<Result<_, _>>()?;
    let mut prepared = implementation.prepare(op, &weights, cpu)?;
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
        assert!(
            error <= op.tolerance(),
            "{name} on {threads} threads, {op:?}, {:?}, sinks {:?}: {error:e}",
            example.live,
            example.weights
        );
    }
}

const OP: Attention = Attention { rows: 40, depth: 300, sequences: 3, kv: KvType::F32, ..Attention::new(8, 2, 64) };

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
        for &kv in KvType::ALL {
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

/// A sink that takes all weight, one that takes none, and scores that overflow either without the right maximum; the same bent by a cap.
#[test]
fn huge_sinks_and_capped_scores_do_not_overflow() {
    let cpu = Cpu::new(Some(2), 0);
    for (sink, factor, softcap) in [
        (1e4, 1.0, None),
        (-1e4, 1.0, None),
        (90.0, 1e3, None),
        (1e30, 1.0, None),
        (3.0, 1e4, Some(30.0)),
        (-3e38, 1e-6, Some(1.0)),
    ] {
        let op = Attention { rows: 40, sequences: 1, sinks: true, softcap, window: Some(100), ..OP };
        let mut example = op.example(3);
        let Host::F32(sinks) = &mut example.weights[0] else { panic!("sinks are f32") };
        // Head 0 keeps its own, so that a sink is seen to belong to its head.
        sinks[1..].fill(sink);
        let Host::F32(qkv) = &mut example.inputs[0] else { panic!("qkv is f32") };
        for row in qkv.chunks_exact_mut(op.input_row()) {
            row[..op.heads * op.head_dim].iter_mut().for_each(|q| *q *= factor);
        }
        compare(&op, &example, &cpu);
    }
}

/// Tokens that a window has left behind must not matter, not even as NaN, where they stand in blocks of 16 that no row sees.
#[test]
fn tokens_before_the_window_are_never_used() {
    let cpu = Cpu::new(Some(2), 0);
    for (rows, past) in [(1, 300), (5, 255), (40, 300)] {
        let op = Attention { sequences: 1, window: Some(33), ..OP };
        let mut example = op.example(6);
        example.live = Live::one(rows, past);
        let clean: Vec<_> = supported(&op, &cpu).iter().map(|i| run(&op, *i, &cpu, &example).unwrap()).collect();
        let (layout, left) = (op.layout(), (past + 1 - 33) / 16 * 16);
        for (slot, d) in (0..left).flat_map(|slot| (0..op.head_dim).map(move |d| (slot, d))) {
            for kv_head in 0..op.kv_heads {
                let places = [layout.key(0, kv_head, slot, d), layout.value(0, kv_head, slot, d)];
                for (output, at) in [1, 2].into_iter().zip(places) {
                    let Host::F32(cache) = &mut example.outputs[output] else { panic!("caches are f32") };
                    cache[at] = f32::NAN;
                }
            }
        }
        for (implementation, clean) in supported(&op, &cpu).iter().zip(clean) {
            let got = run(&op, *implementation, &cpu, &example).unwrap();
            assert_eq!(got[0], clean[0], "{} {rows} rows after {past}", implementation.name());
        }
    }
}

/// What no live row sees must not matter: stale slots of the caches hold NaN, also inside the last block of 16 and 64.
#[test]
fn slots_beyond_the_live_tokens_are_never_used() {
    for threads in [1, 2] {
        let cpu = Cpu::new(Some(threads), 0);
        for &kv in KvType::ALL {
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
                            if let (Host::U8(v), Some(at)) =
                                (&mut example.outputs[output], layout.scale(0, kv_head, slot))
                            {
                                v[at..at + 4].copy_from_slice(&f32::NAN.to_ne_bytes());
                            }
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
                                    Host::U8(v) => v[at] = 0x80,
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

/// A NaN in a new key reaches every row that sees it, of the heads that share it, and no other: int8 has no code for it.
#[test]
fn a_nan_key_reaches_who_sees_it() {
    let cpu = Cpu::new(Some(2), 0);
    for &kv in KvType::ALL {
        let op = Attention { sequences: 1, kv, ..OP };
        let mut example = op.example(2);
        let Host::F32(qkv) = &mut example.inputs[0] else { panic!("qkv is f32") };
        qkv[7 * op.input_row() + (op.heads + 1) * op.head_dim + 5] = f32::NAN;
        for implementation in supported(&op, &cpu) {
            let got = run(&op, implementation, &cpu, &example).unwrap();
            for (at, out) in got[0].slice::<f32>().iter().enumerate() {
                let (row, head) = (at / op.head_dim / op.heads, at / op.head_dim % op.heads);
                assert_eq!(out.is_nan(), row >= 7 && head >= op.group(), "{} at {at}", implementation.name());
            }
        }
    }
}

/// Tokens of zeros, of a single element, and of sizes six orders apart, in one int8 cache.
#[test]
fn int8_tokens_may_be_zero_and_of_very_different_sizes() {
    let cpu = Cpu::new(Some(2), 0);
    for (rows, depth) in [(1, 300), (20, 77)] {
        let op = Attention { rows, depth, sequences: 1, kv: KvType::Int8, ..OP };
        let mut example = op.example(8);
        for output in [1, 2] {
            let values = op.example(9 + output as u64).inputs[0].slice::<f32>().to_vec();
            let Host::U8(cache) = &mut example.outputs[output] else { panic!("int8 caches are bytes") };
            fill_bytes(KvType::Int8, cache, op.head_dim, output == 1, |token, row| {
                row.fill(0.0);
                match token % 5 {
                    0 => {}
                    1 => row[token % op.head_dim] = -3.0,
                    size => {
                        let factor = if output == 1 { 1.0 } else { [1.0, 1e-3, 1e3][size - 2] };
                        let from = token * 7 % (values.len() - op.head_dim);
                        row.iter_mut().zip(&values[from..]).for_each(|(row, value)| *row = value * factor);
                    }
                }
            });
        }
        let Host::F32(qkv) = &mut example.inputs[0] else { panic!("qkv is f32") };
        // A query of zeros weighs all tokens alike; a new token of zeros is stored as such.
        qkv[..op.head_dim].fill(0.0);
        let key = op.heads * op.head_dim;
        qkv[key..key + op.head_dim].fill(0.0);
        compare(&op, &example, &cpu);
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
    for &kv in KvType::ALL {
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
    let sinks = cpu.upload(&vec![0.0_f32; OP.heads].into()).unwrap();
    let short = cpu.upload(&vec![0.0_f32; OP.heads - 1].into()).unwrap();
    for implementation in supported(&OP, &cpu) {
        let with = Attention { sinks: true, ..OP };
        let refused: [(_, &[Buffer]); 3] =
            [(&OP, std::slice::from_ref(&sinks)), (&with, &[]), (&with, std::slice::from_ref(&short))];
        for (op, weights) in refused {
            let fault = implementation.prepare(op, weights, &cpu).unwrap_err();
            assert!(fault.to_string().contains("sinks") || !op.sinks, "{}: {fault}", implementation.name());
        }
    }
    for bad in [
        Attention { kv_heads: 3, ..OP },
        Attention { head_dim: 63, ..OP },
        Attention { rows: 0, ..OP },
        Attention { depth: usize::MAX, ..OP },
        Attention { window: Some(0), ..OP },
        Attention { softcap: Some(-1.0), ..OP },
        Attention { scale: Some(f32::NAN), ..OP },
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
    // A window of 12 of the first, whose rows see 11, 12 and 12 of 10 cached and 3 new.
    let windowed = Attention { window: Some(12), ..op };
    assert_eq!(windowed.flops(&live), 4 * 8 * 64 * (11 + 12 + 12 + 1));
    assert_eq!(windowed.bytes(&live), op.bytes(&live));
    let narrow = Attention { window: Some(2), sinks: true, ..op };
    assert_eq!(narrow.flops(&live), 4 * 8 * 64 * (2 + 2 + 2 + 1));
    assert_eq!(narrow.bytes(&live), 4 * row + 4 * token + token + 8 * 4);
    let everything = Attention { window: Some(14), ..op };
    assert_eq!(everything.flops(&live), op.flops(&live));
}

/// Ids of records are made of the axes: what was added later is left out where it is not used.
#[test]
fn plain_attention_keeps_the_axes_it_had() {
    let names = |op: Attention| op.axes().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let plain = ["depth", "head_dim", "heads", "kv", "kv_heads", "phase", "rows"];
    assert_eq!(names(Attention::new(8, 2, 64)), plain);
    let all =
        Attention { window: Some(5), sinks: true, softcap: Some(50.0), scale: Some(0.5), ..Attention::new(8, 2, 64) };
    assert_eq!(names(all)[plain.len()..], ["window", "sinks", "softcap", "scale"]);
}
