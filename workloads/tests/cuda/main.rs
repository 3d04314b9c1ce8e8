//! The engine on a GPU that is a double, against itself on the CPU: the same logits within what the formats allow, the same tokens.
#![allow(clippy::unwrap_used)]

mod beyond;
#[path = "../../../kernels/tests/cuda/double.rs"]
mod double;

use double::on;
use spark_kernels::Device;
use spark_kernels::attention::KvType;
use spark_kernels::cpu::Cpu;
use spark_kernels::cuda::Gpu;
use spark_kernels::format::Format;
use spark_kernels::gemm::Activations;
use spark_kernels::moe::Routing;
use spark_workloads::llm::{Config, Model, Preset, Settings};
use std::sync::Arc;

fn settings(format: Format, activations: Activations, kv: KvType, implementation: &str) -> Settings {
    Settings {
        format,
        head: Format::Q8_0,
        activations,
        kv,
        rows: 8,
        capacity: 32,
        sequences: 2,
        verified: 0,
        seed: 7,
        routing: Routing::Router,
        implementation: implementation.into(),
    }
}

/// The logits of both sequences after the prompts and after each of `steps` tokens, and the tokens that were chosen.
fn run(
    config: &Config,
    settings: &Settings,
    device: &Arc<dyn Device>,
    steps: usize,
    forced: &[Vec<u32>],
) -> (Vec<Vec<f32>>, Vec<Vec<u32>>) {
    let mut model = Model::load(config, settings, device).unwrap();
    let prompt: Vec<u32> = (0..17_u32).map(|i| i * 7919 % config.vocab as u32).collect();
    model.prefill(&[&prompt[..11], &prompt]).unwrap();
    let (mut logits, mut tokens) = (Vec::new(), Vec::new());
    for step in 0..=steps {
        logits.extend((0..2).map(|sequence| model.logits(sequence).unwrap()));
        if step == 0 {
            model.sample().unwrap();
        }
        tokens.push(model.next().unwrap());
        if let Some(forced) = forced.get(step) {
            // Where two tokens are as good as each other the devices may part: they are kept on one path.
            model.set_next(forced).unwrap();
        }
        if step < steps {
            model.decode().unwrap();
        }
    }
    (logits, tokens)
}

/// Largest difference of logits, relative to their root mean square.
fn distance(got: &[Vec<f32>], want: &[Vec<f32>]) -> f64 {
    got.iter().zip(want).fold(0.0, |worst: f64, (got, want)| {
        let rms = (want.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / want.len() as f64).sqrt();
        got.iter().zip(want).fold(worst, |worst, (a, b)| {
            let error = (f64::from(*a) - f64::from(*b)).abs() / rms;
            if error.is_nan() { f64::INFINITY } else { worst.max(error) }
        })
    })
}

/// As in the golden tests: what f32 loses over the layers, and what roundings that fall to the other side of a half add, one part in
/// 2 · 127 of a row's largest for int8, one part in 2⁹ for bf16 keys and values.
///
/// Without a bound it is twice what rounding its activations moves the model by: a GPU rounds queries and powers too, and so other elements
/// of what follows fall to the other side of a half.
fn agree(gpu: &Gpu, model: &str, format: Format, activations: Activations, kv: KvType, bound: Option<f64>) {
    let config = Preset::find(model).unwrap().config().unwrap();
    let (cpu, gpu): (Arc<dyn Device>, Arc<dyn Device>) = (Arc::new(Cpu::new(Some(2), 0)), Arc::new(gpu.clone()));
    let steps = 3;
    let (want, tokens) = run(&config, &settings(format, activations, kv, "best"), &cpu, steps, &[]);
    let (got, chosen) = run(&config, &settings(format, activations, kv, "best"), &gpu, steps, &tokens);
    let bound = bound.unwrap_or_else(|| {
        let unrounded = settings(format, Activations::F32, kv, "best");
        2.0 * distance(&run(&config, &unrounded, &cpu, steps, &tokens).0, &want)
    });
    assert!(bound < 2.0, "{model} in {format}: rounding alone moves the logits by {bound:e}");
    let error = distance(&got, &want);
    assert!(error < bound, "{model} in {format}: {error:e}");
    // The token that was chosen is one whose logit the other device finds as good, within the bound.
    for (step, (a, b)) in chosen.iter().zip(&tokens).enumerate() {
        for (sequence, (a, b)) in a.iter().zip(b).enumerate() {
            let of = &want[2 * step + sequence];
            let rms = (of.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / of.len() as f64).sqrt();
            let apart = f64::from(of[*b as usize] - of[*a as usize]) / rms;
            assert!(apart <= 2.0 * bound, "{model} in {format}, step {step}: token {a} for {b}");
        }
    }
}

#[test]
fn tiny_in_f32_is_the_same_to_rounding() {
    on("tiny_in_f32_is_the_same_to_rounding", "gb10", |gpu| {
        agree(gpu, "tiny", Format::Mxfp4, Activations::F32, KvType::F32, Some(1e-4));
    });
}

#[test]
fn tiny_as_it_is_measured_is_the_same_within_its_formats() {
    on("tiny_as_it_is_measured_is_the_same_within_its_formats", "gb10", |gpu| {
        agree(gpu, "tiny", Format::Mxfp4, Activations::Int8, KvType::Bf16, None);
    });
}

#[test]
fn an_fp8_cache_is_the_same_on_both() {
    on("an_fp8_cache_is_the_same_on_both", "gb10", |gpu| {
        // Three bits behind the point: a key or value that falls to the other side of a half moves by one part in 16.
        agree(gpu, "tiny", Format::Mxfp4, Activations::F32, KvType::Fp8, Some(0.05));
    });
}
