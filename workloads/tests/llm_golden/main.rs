//! The engine's logits against a forward pass written here a second time, in f64.
#![allow(clippy::unwrap_used)]
#![expect(clippy::print_stdout, reason = "errors, and why an implementation is left out")]

mod features;
mod forward;
mod models;

use forward::forward;
use models::{model, models};
use spark_kernels::Device;
use spark_kernels::Op;
use spark_kernels::attention::KvType;
use spark_kernels::cpu::Cpu;
use spark_kernels::format::Format;
use spark_kernels::format::splitmix::SplitMix64;
use spark_kernels::gemm::{Activations, Gemm};
use spark_kernels::moe::Routing;
use spark_kernels::rope::Scaling;
use spark_workloads::llm::weights::Part;
use spark_workloads::llm::{Config, Model, Preset, Settings, Synthetic, Tensor, weights_hash};
use std::sync::Arc;

const SEED: u64 = 7;

fn settings(format: Format, head: Format, activations: Activations, kv: KvType) -> Settings {
    Settings {
        format,
        head,
        activations,
        kv,
        rows: 48,
        capacity: 64,
        sequences: 1,
        verified: 0,
        seed: SEED,
        routing: Routing::Router,
        implementation: "scalar".into(),
    }
}

fn exact() -> Settings {
    settings(Format::F32, Format::F32, Activations::F32, KvType::F32)
}

fn cpu(threads: usize) -> Arc<dyn Device> {
    Arc::new(Cpu::new(Some(threads), 0))
}

fn prompt(config: &Config, len: usize, seed: u64) -> Vec<u32> {
    let mut random = SplitMix64::new(seed);
    (0..len).map(|_| (random.next() % config.vocab as u64) as u32).collect()
}

fn engine(config: &Config, settings: &Settings, tokens: &[u32]) -> Vec<f32> {
    let mut model = Model::load(config, settings, &cpu(2)).unwrap();
    model.prefill(&[tokens]).unwrap();
    model.logits(0).unwrap()
}

/// Largest difference, relative to the root mean square of the expected logits.
fn distance(got: impl IntoIterator<Item = f64>, expected: &[f64]) -> f64 {
    let rms = (expected.iter().map(|x| x * x).sum::<f64>() / expected.len() as f64).sqrt();
    assert!(rms > 0.1 && rms < 100.0, "logits are degenerate: rms {rms}");
    got.into_iter().zip(expected).fold(0.0, |worst: f64, (got, want)| {
        let error = (got - want).abs() / rms;
        if error.is_nan() { f64::INFINITY } else { worst.max(error) }
    })
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// Every f32 operation errs by 2^-24 = 6e-8. A value passes through about 8 ops a layer, three layers, each with sums of up to
/// 96 terms (error about √96 · 6e-8 of the largest partial sum), and the softmax may double an error: 24 · 10 · 2 · 6e-8 = 3e-5.
const F32_BOUND: f64 = 3e-5;
/// bf16 keys and values are rounded by 2^-9 each, three layers of them, averaged over tokens and elements.
const BF16_KV_BOUND: f64 = 0.03;

#[test]
fn logits_agree_with_f64_for_every_family() {
    for (name, config) in models() {
        let tokens = prompt(&config, 40, 1);
        let error = distance(wide(&engine(&config, &exact(), &tokens)), &forward(&config, &exact(), &tokens));
        assert!(error < F32_BOUND, "{name}: {error:e}");
        println!("{name}: {error:.1e} of {F32_BOUND:.0e}");
    }
}

#[test]
fn logits_agree_with_f64_for_every_format() {
    let (_, config) = models().swap_remove(1);
    let tokens = prompt(&config, 33, 2);
    for format in [Format::Mxfp4, Format::Nvfp4, Format::Q8_0, Format::Q4_0, Format::Fp8, Format::Bf16, Format::F32] {
        for head in [Format::Q8_0, format] {
            let settings = settings(format, head, Activations::F32, KvType::F32);
            let error = distance(wide(&engine(&config, &settings, &tokens)), &forward(&config, &settings, &tokens));
            assert!(error < F32_BOUND, "{format}, head {head}: {error:e}");
        }
    }
    let settings = settings(Format::Q8_0, Format::Q8_0, Activations::F32, KvType::Bf16);
    let error = distance(wide(&engine(&config, &settings, &tokens)), &forward(&config, &settings, &tokens));
    assert!(error < BF16_KV_BOUND && error > F32_BOUND, "bf16 caches: {error:e}");
}

#[test]
fn another_model_gives_other_logits() {
    // The bound would be worth little if models that differ in one detail stayed inside it.
    let (_, right) = models().swap_remove(1);
    let tokens = prompt(&right, 40, 1);
    let got = wide(&engine(&right, &exact(), &tokens));
    let wrong = [
        Config { theta: 450.0, ..right.clone() },
        Config { scaling: Scaling::None, ..right.clone() },
        Config { kv_heads: 2, heads: 4, eps: 1e-3, ..right.clone() },
        Config { tied: false, ..right.clone() },
        Config { qk_norm: true, ..right.clone() },
    ];
    for config in wrong {
        let error = distance(got.clone(), &forward(&config, &exact(), &tokens));
        assert!(error > 20.0 * F32_BOUND, "{error:e}: {config:?}");
    }
    let mut swapped = tokens.clone();
    swapped.swap(3, 4);
    assert!(distance(got, &forward(&right, &exact(), &swapped)) > 20.0 * F32_BOUND);
}

#[test]
fn experts_agree_with_f64_in_every_format() {
    let config = model("gpt-oss");
    let tokens = prompt(&config, 33, 2);
    for format in [Format::Mxfp4, Format::Nvfp4, Format::Q8_0, Format::Q4_0, Format::Fp8, Format::Bf16] {
        let settings = settings(format, Format::Q8_0, Activations::F32, KvType::F32);
        let error = distance(wide(&engine(&config, &settings, &tokens)), &forward(&config, &settings, &tokens));
        assert!(error < F32_BOUND, "{format}: {error:e}");
    }
}

#[test]
fn prefill_then_decode_is_all_at_once() {
    for (name, config) in models() {
        let tokens = prompt(&config, 40, 3);
        let once = engine(&config, &exact(), &tokens);
        // Passes of 7 rows, then token by token: the same bits, for scalar code computes each row by itself.
        let mut model = Model::load(&config, &Settings { rows: 7, ..exact() }, &cpu(3)).unwrap();
        model.prefill(&[&tokens[..30]]).unwrap();
        for token in &tokens[30..] {
            model.set_next(&[*token]).unwrap();
            model.decode().unwrap();
        }
        assert_eq!(model.length(0), 40);
        assert_eq!(model.logits(0).unwrap(), once, "{name}");
        let largest = once.iter().copied().fold(f32::MIN, f32::max);
        assert_eq!(once[model.next().unwrap()[0] as usize], largest, "greedy takes the largest");
    }
}

#[test]
fn a_batch_is_its_sequences_one_by_one() {
    for name in ["qwen2", "gemma3, 1 of 3 layers global", "gpt-oss", "qwen3 with experts"] {
        batch_is_one_by_one(&model(name));
    }
}

/// Sequences of different lengths, prefilled in passes that hold the end of one and the beginning of the next.
fn batch_is_one_by_one(config: &Config) {
    let settings =
        Settings { sequences: 3, rows: 16, ..settings(Format::Mxfp4, Format::Q8_0, Activations::Int8, KvType::Bf16) };
    let prompts: Vec<_> = [9, 30, 17].iter().zip(10..).map(|(len, seed)| prompt(config, *len, seed)).collect();
    let mut batch = Model::load(config, &settings, &cpu(2)).unwrap();
    batch.prefill(&prompts.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    let mut alone: Vec<_> =
        (0..3).map(|_| Model::load(config, &Settings { sequences: 1, ..settings.clone() }, &cpu(1)).unwrap()).collect();
    for (i, model) in alone.iter_mut().enumerate() {
        model.prefill(&[&prompts[i]]).unwrap();
        assert_eq!(model.logits(0).unwrap(), batch.logits(i).unwrap(), "after the prompt of {i}");
        model.sample().unwrap();
    }
    batch.sample().unwrap();
    for step in 0..8 {
        batch.decode().unwrap();
        for (i, model) in alone.iter_mut().enumerate() {
            model.decode().unwrap();
            assert_eq!(model.logits(0).unwrap(), batch.logits(i).unwrap(), "sequence {i}, step {step}");
            assert_eq!(model.next().unwrap()[0], batch.next().unwrap()[i]);
        }
    }
}

/// Root mean square of the difference, relative to that of `b`.
fn spread(a: &[f64], b: &[f64]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    (squares(&mut a.iter().zip(b).map(|(a, b)| a - b)) / squares(&mut b.iter().copied())).sqrt()
}

/// With f32 activations the bound above holds, twice for the two sides and twice for the wider model. Rounded activations make a
/// step of what was a hair's breadth: a value between two codes may get either, and a flip upstream moves many values
/// downstream. What is certain is that both sides are roundings of one model, so that they lie no farther from each other than
/// twice what rounding moves the model itself: the scalar path with rounded activations from the scalar path with f32 ones.
#[test]
fn every_implementation_agrees_with_scalar() {
    for preset in ["tiny", "tiny-moe"] {
        agrees_with_scalar(&Preset::find(preset).unwrap().config().unwrap());
    }
    agrees_with_scalar(&model("gemma3, 1 of 3 layers global"));
}

fn agrees_with_scalar(config: &Config) {
    let tokens = prompt(config, 40, 4);
    let cases = [
        (Format::Mxfp4, Activations::Int8),
        (Format::Nvfp4, Activations::Int8g32),
        (Format::Mxfp4, Activations::Mxfp4),
        (Format::Q8_0, Activations::F32),
        (Format::Fp8, Activations::Bf16),
        (Format::Bf16, Activations::Bf16),
        (Format::F32, Activations::F32),
    ];
    for (format, activations) in cases {
        let settings = settings(format, Format::Q8_0, activations, KvType::F32);
        let scalar = wide(&engine(config, &settings, &tokens));
        let unrounded = wide(&engine(config, &Settings { activations: Activations::F32, ..settings.clone() }, &tokens));
        let exact = activations == Activations::F32;
        let bound = if exact { 4.0 * F32_BOUND } else { 2.0 * spread(&scalar, &unrounded) };
        assert!(
            exact || (1e-4..1.8).contains(&bound),
            "{format} {activations}: rounding moves the logits by {bound:e}"
        );
        let device = cpu(2);
        for implementation in Gemm::implementations().iter().filter(|i| i.backend() == device.backend()) {
            let how = Settings { implementation: implementation.name().into(), ..settings.clone() };
            let op = spark_workloads::llm::Blocks::new(config, &how).gate_up();
            if let Err(reason) = implementation.supports(&op, &*device) {
                println!("{format} {activations} {}: {reason}", implementation.name());
                continue;
            }
            let mut model = Model::load(config, &how, &device).unwrap();
            model.prefill(&[&tokens[..39]]).unwrap();
            model.set_next(&tokens[39..]).unwrap();
            model.decode().unwrap();
            let got = wide(&model.logits(0).unwrap());
            let error = if exact { distance(got, &scalar) } else { spread(&got, &scalar) };
            println!("{format} {activations} {}: {error:.1e} of {bound:.0e}", model.implementations());
            assert!(error <= bound, "{format} {activations} {}: {error:e}", implementation.name());
        }
    }
}

/// BLAKE3 of the scalar path's logits along a prompt and eight generated tokens, and the tokens.
fn walk(config: &Config, settings: &Settings, threads: usize) -> (String, Vec<u32>) {
    let mut model = Model::load(config, settings, &cpu(threads)).unwrap();
    let mut hasher = blake3::Hasher::new();
    model.prefill(&[&prompt(config, 20, 5)]).unwrap();
    model.sample().unwrap();
    let mut tokens = Vec::new();
    for _ in 0..8 {
        model.logits(0).unwrap().iter().for_each(|logit| {
            hasher.update(&logit.to_le_bytes());
        });
        tokens.push(model.next().unwrap()[0]);
        model.decode().unwrap();
    }
    (hasher.finalize().to_hex()[..16].to_owned(), tokens)
}

#[test]
fn scalar_logits_are_the_same_bits_on_every_machine() {
    let tiny = Preset::find("tiny").unwrap().config().unwrap();
    let (_, qwen3) = models().swap_remove(4);
    let int8 = settings(Format::Mxfp4, Format::Q8_0, Activations::Int8, KvType::Bf16);
    let f32s = settings(Format::Nvfp4, Format::Bf16, Activations::F32, KvType::F32);
    let got = [walk(&tiny, &int8, 2).0, walk(&tiny, &f32s, 3).0, walk(&qwen3, &int8, 1).0];
    assert_eq!(got, PINNED_LOGITS);
    assert_eq!(walk(&tiny, &int8, 1), walk(&tiny, &int8, 3), "threads change nothing");
    let (_, tokens) = walk(&tiny, &int8, 2);
    assert!(tokens.iter().any(|token| *token != tokens[0]), "greedy decoding is stuck: {tokens:?}");
}

const PINNED_LOGITS: [&str; 3] = ["412c635662278bc2", "fd369d021edd6cdd", "d01e557d2eb898c4"];

#[test]
fn weights_are_the_same_bytes_on_every_machine() {
    let tiny = Preset::find("tiny").unwrap().config().unwrap();
    let (_, qwen3) = models().swap_remove(5);
    let hash = |config, format, head, seed| weights_hash(config, format, head, seed)[..16].to_owned();
    let got = [
        hash(&tiny, Format::Mxfp4, Format::Q8_0, 1),
        hash(&tiny, Format::Nvfp4, Format::Q8_0, 1),
        hash(&qwen3, Format::Bf16, Format::F32, 2),
    ];
    assert_eq!(got, PINNED_WEIGHTS);
    assert_ne!(got[0], hash(&tiny, Format::Mxfp4, Format::Q8_0, 2));
}

const PINNED_WEIGHTS: [&str; 3] = ["1858bcea9d6a6ef0", "62d6a2ccbe0c1fa3", "97fc6825c22fdbe2"];

#[test]
fn every_layer_has_bytes_of_its_own() {
    let config = Preset::find("tiny").unwrap().config().unwrap();
    let weights = Synthetic::new(&config, Format::Mxfp4, Format::Q8_0, 1);
    let mut seen = std::collections::BTreeSet::new();
    for tensor in weights.tensors() {
        let bytes = match tensor {
            Tensor::FinalNorm | Tensor::Layer(_, Part::AttentionNorm | Part::FeedForwardNorm) => {
                weights.vector(tensor).iter().flat_map(|v| v.to_le_bytes()).collect()
            }
            _ => weights.rows(tensor, 0..1),
        };
        assert!(seen.insert(bytes), "{tensor:?} repeats another tensor");
    }
    assert_eq!(seen.len(), 4 * 6 + 3);
}

#[test]
fn misuse_is_a_fault_in_words() {
    let (_, config) = models().swap_remove(0);
    let mut model = Model::load(&config, &Settings { rows: 4, capacity: 8, ..exact() }, &cpu(1)).unwrap();
    assert!(model.prefill(&[]).unwrap_err().to_string().contains("prompts"));
    assert!(model.prefill(&[&[]]).unwrap_err().to_string().contains("at least one token"));
    assert!(model.prefill(&[&[1; 9]]).unwrap_err().to_string().contains("prepared for 8"));
    assert!(model.prefill(&[&[9999]]).is_err(), "a token beyond the vocabulary");
    model.rewind(0);
    model.prefill(&[&[1; 8]]).unwrap();
    assert!(model.decode().unwrap_err().to_string().contains("prepared for 8"));
    let too_long = Settings { capacity: 1000, ..exact() };
    assert!(Model::load(&config, &too_long, &cpu(1)).unwrap_err().to_string().contains("context of 512"));
    let unknown = Settings { implementation: "sse9".into(), ..exact() };
    assert!(Model::load(&config, &unknown, &cpu(1)).unwrap_err().to_string().contains("scalar"), "the names there are");
    let odd = Settings { format: Format::F16, activations: spark_kernels::gemm::Activations::Int8, ..exact() };
    assert!(Model::load(&config, &odd, &cpu(1)).unwrap_err().to_string().contains("f16"));
}
