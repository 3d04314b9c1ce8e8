//! What `logits` and `generate` share: which model, in which number types, on which device.

use super::common;
use crate::session;
use anyhow::{anyhow, ensure};
use spark_results::{Axes, AxisValue};
use spark_workloads::llm::speak::Speaker;

#[derive(Debug, clap::Args)]
pub(super) struct Speaking {
    /// The model: a .gguf file, a folder with safetensors; a preset or a config.json speaks on synthetic weights, and says nothing
    #[arg(long, short, value_name = "MODEL")]
    model: String,
    /// What the projections' inputs are rounded to: usual (int8 for block formats, bf16 for fp8), f32, bf16, int8, int8g32
    #[arg(long, value_name = "TYPE", default_value = "usual")]
    activations: String,
    /// Type of cached keys and values: bf16, f32, int8 or fp8
    #[arg(long, value_name = "TYPE", default_value = "bf16")]
    kv: String,
    /// The implementation: best, or the name of one (spark-bench list implementations)
    #[arg(long, value_name = "NAME", default_value = "best")]
    implementation: String,
    /// The device to run on: cpu, cuda:0 …
    #[arg(long, value_name = "ID", default_value = "cpu")]
    device: String,
    /// Threads of the CPU device [default: one a CPU that this process may use]
    #[arg(long, short = 't', value_name = "N")]
    threads: Option<usize>,
}

impl Speaking {
    pub(super) fn model(&self) -> &str {
        &self.model
    }
    /// The model, ready to read so many tokens and to say so many more. Errors: it cannot be, or does not fit.
    pub(super) fn open(&self, n_prompt: usize, n_gen: usize) -> anyhow::Result<Speaker> {
        self.guessing(n_prompt, n_gen, None)
    }
    /// The same with at most so many guesses a pass: from the text so far, or from another model.
    pub(super) fn guessing(
        &self,
        n_prompt: usize,
        n_gen: usize,
        draft: Option<(&str, usize)>,
    ) -> anyhow::Result<Speaker> {
        let place = common::place(self.threads, std::slice::from_ref(&self.device))?;
        let device = place.devices.get(&self.device).ok_or_else(|| anyhow!("there is no such device to run on"))?;
        let text = |value: &str| AxisValue::from(value);
        let axes: Axes = [
            ("model", text(&self.model)),
            ("activations", text(&self.activations)),
            ("kv", text(&self.kv)),
            ("n_prompt", AxisValue::Int(n_prompt as u64)),
            ("n_gen", AxisValue::Int(n_gen as u64)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let memory = crate::plan::usable(device.free_memory().unwrap_or_else(session::available));
        let how = &self.implementation;
        let speaker = match draft {
            None => Speaker::new(&axes, how, device, memory),
            Some(draft) => Speaker::guessing(&axes, how, device, memory, draft),
        };
        speaker.map_err(|e| anyhow!("{e}"))
    }
}

/// Errors: a token that is not below the vocabulary.
pub(super) fn known(tokens: &[u32], vocab: usize) -> anyhow::Result<()> {
    let beyond = tokens.iter().find(|token| **token as usize >= vocab);
    ensure!(
        beyond.is_none(),
        "token {} is not below the vocabulary of {vocab}; give one that is",
        beyond.unwrap_or(&0)
    );
    Ok(())
}
