//! A model outside any measurement: its logits for given tokens, and what it says next.

use crate::axis::Request;
use crate::llm::arguments::{self, Case};
use crate::llm::{DECODE, Model};
use crate::workload::{Decline, Workload};
use spark_kernels::{Device, Fault};
use spark_results::Axes;
use std::sync::Arc;

/// A model, and room for a text.
#[derive(Debug)]
pub struct Speaker {
    model: Model,
}

impl Speaker {
    /// The model that the axes of `decode` name, which reads `n_prompt` tokens and says `n_gen` more. Errors: what it cannot be, no
    /// memory for it, or what broke.
    pub fn new(axes: &Axes, implementation: &str, device: &Arc<dyn Device>, memory: u64) -> Result<Self, Decline> {
        let axes = axes.iter().map(|(axis, value)| (axis.clone(), vec![value.clone()])).collect();
        let request = Request { axes, implementation: implementation.to_owned() };
        let ids = DECODE.cases(&request, &**device)?;
        let id = ids.first().ok_or_else(|| Decline::Skip("nothing was asked for".to_owned()))?;
        let mut case = Case::parse(&id.axes, DECODE.axes(), &id.implementation)?;
        let device = case.device(device)?;
        Ok(Self { model: case.load(&device, arguments::SEED, memory)? })
    }
    /// Tokens there are.
    pub fn vocab(&self) -> usize {
        self.model.config().vocab
    }
    /// Bytes that its packed weights occupy.
    pub fn resident(&self) -> u64 {
        self.model.resident()
    }
    /// What it runs with: weights, number types, implementations.
    pub fn said(&self) -> String {
        let settings = self.model.settings();
        format!("activations {}, cache {}, {}", settings.activations, settings.kv.name(), self.model.implementations())
    }
    /// Reads `tokens` from the beginning. Errors: a token that is not in the vocabulary, or too many.
    pub fn read(&mut self, tokens: &[u32]) -> Result<(), Fault> {
        self.model.rewind(0);
        self.model.prefill(&[tokens])
    }
    /// The logits of the last token.
    pub fn logits(&self) -> Result<Vec<f32>, Fault> {
        self.model.logits(0)
    }
    /// The next token: the one with the largest logit, which is also read.
    pub fn next(&mut self, first: bool) -> Result<u32, Fault> {
        if first {
            self.model.sample()?;
        } else {
            self.model.decode()?;
        }
        Ok(self.model.next()?[0])
    }
}
