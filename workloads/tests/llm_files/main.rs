//! Models in files: the same logits as an independent implementation, no more memory than the file, and no broken file taken.
//!
//! `ci/logits.py` makes the models of `tests/models` with the public packages gguf and safetensors, and their logits with a straight forward
//! pass in double precision; with `--peer` it compares that one with llama.cpp.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod broken;
mod guesses;
mod tokens;

use spark_kernels::Device;
use spark_kernels::cpu::Cpu;
use spark_results::{Axes, AxisValue};
use spark_workloads::llm::source;
use spark_workloads::llm::speak::Speaker;
use std::path::PathBuf;
use std::sync::Arc;

fn models() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

/// The model at `path`, as a number types and an implementation have it.
fn speaker(path: &str, more: &[(&str, &str)], implementation: &str) -> Speaker {
    let device: Arc<dyn Device> = Arc::new(Cpu::new(Some(2), 0));
    let mut axes: Axes = [("model".to_owned(), AxisValue::from(path))].into();
    axes.insert("n_prompt".to_owned(), AxisValue::Int(12));
    axes.insert("n_gen".to_owned(), AxisValue::Int(1));
    axes.extend(more.iter().map(|(axis, value)| ((*axis).to_owned(), AxisValue::from(*value))));
    Speaker::new(&axes, implementation, &device, u64::MAX).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Largest difference of a logit, over the largest logit.
fn error(name: &str, path: &str, more: &[(&str, &str)], implementation: &str) -> f64 {
    let golden = std::fs::read_to_string(models().join(format!("{name}.json"))).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&golden).unwrap();
    let numbers =
        |field: &str| golden[field].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>();
    let tokens: Vec<u32> = numbers("tokens").into_iter().map(|token| token as u32).collect();
    let mut speaker = speaker(path, more, implementation);
    speaker.read(&tokens).unwrap();
    let (ours, theirs) = (speaker.logits().unwrap(), numbers("logits"));
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let most = theirs.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    ours.iter()
        .zip(&theirs)
        .map(|(a, b)| (f64::from(*a) - b).abs() / most)
        .fold(0.0, |worst, x| if x.is_nan() { f64::NAN } else { worst.max(x) })
}

/// Every number kept as it is: what is left is f32 against f64.
const EXACT: [(&str, &str); 2] = [("activations", "f32"), ("kv", "f32")];
/// Of the largest logit: sums of some hundred terms, a few layers deep, each off by 2^-24 of its size.
const BOUND: f64 = 2e-5;

const GGUF: [&str; 11] =
    ["llama", "qwen2", "qwen3", "qwen3moe", "gemma3", "granite", "phi3", "gpt-oss", "nvfp4", "nvfp4-moe", "k-quants"];
/// In f16, bf16 in three files, f32, fused; of gpt-oss in blocks and as columns; of compressed-tensors and ModelOpt, with experts that
/// have scales of their own.
const FOLDERS: [&str; 11] = [
    "llama-hf",
    "qwen3-hf",
    "gemma3-hf",
    "granite-hf",
    "phi3-hf",
    "gpt-oss-hf",
    "gpt-oss-bf16-hf",
    "nvfp4-ct-hf",
    "mxfp4-ct-hf",
    "nvfp4-modelopt-hf",
    "nvfp4-moe-hf",
];

fn path(name: &str) -> String {
    let file = if FOLDERS.contains(&name) { name.to_owned() } else { format!("{name}.gguf") };
    models().join(file).to_str().unwrap().to_owned()
}

#[test]
fn logits_are_those_of_an_independent_implementation() {
    for name in GGUF.into_iter().chain(FOLDERS) {
        for implementation in ["best", "scalar"] {
            let off = error(name, &path(name), &EXACT, implementation);
            assert!(off <= BOUND, "{name} with {implementation}: {off:e}");
        }
    }
}

/// As models usually run: activations of block formats in int8, a row a scale; keys and values in bf16. Random weights are unkind to both.
#[test]
fn usual_number_types_stay_near() {
    for (name, bound) in [
        ("llama", 0.05),
        ("qwen2", 0.05),
        ("qwen3", 0.02),
        ("qwen3moe", 0.05),
        ("gemma3", 0.05),
        ("granite", 0.02),
        ("phi3", 0.02),
        ("gpt-oss", 0.10),
        ("nvfp4", 0.05),
        ("nvfp4-moe", 0.05),
        ("k-quants", 0.02),
        ("llama-hf", 0.02),
        ("qwen3-hf", 0.02),
        ("gemma3-hf", 0.02),
        ("granite-hf", 0.02),
        ("phi3-hf", 0.02),
        ("gpt-oss-hf", 0.10),
        ("gpt-oss-bf16-hf", 0.02),
        ("nvfp4-ct-hf", 0.05),
        ("mxfp4-ct-hf", 0.05),
        ("nvfp4-modelopt-hf", 0.05),
        ("nvfp4-moe-hf", 0.05),
    ] {
        let off = error(name, &path(name), &[], "best");
        assert!(off <= bound, "{name}: {off:e}");
    }
}

#[test]
fn a_stored_model_takes_no_more_memory_than_its_file() {
    // In tiles of 16 outputs: the smallest models have vectors and last tiles that count for more.
    for name in ["k-quants", "llama", "nvfp4"] {
        let found = source::open(&path(name)).unwrap();
        let weights = found.weights.unwrap();
        let file = std::fs::metadata(path(name)).unwrap().len();
        assert!(weights.bytes() <= file + file / 10, "{name}: {} of {file}", weights.bytes());
        let packed = speaker(&path(name), &[], "best").resident();
        assert!(packed <= file + file / 10, "{name}: {packed} of {file}");
    }
}

#[test]
fn formats_are_said() {
    let formats = |name: &str| source::open(&path(name)).unwrap().weights.unwrap().formats();
    let names: Vec<_> = formats("k-quants").iter().map(|format| format.name()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["q4_k", "q5_k", "q6_k"], "{names:?}");
    assert!(source::open("llama-3.2-1b").unwrap().weights.is_none());
}
