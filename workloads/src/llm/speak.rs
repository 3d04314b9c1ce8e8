//! A model outside any measurement: its logits for given tokens, and what it says next.

use crate::axis::Request;
use crate::llm::arguments::{self, Case};
use crate::llm::speculate::{self, Counts, Draft};
use crate::llm::{DECODE, Model};
use crate::workload::{Decline, Workload};
use spark_kernels::{Device, Fault};
use spark_results::Axes;
use std::sync::Arc;

/// A model, and room for a text.
#[derive(Debug)]
pub struct Speaker {
    model: Model,
    draft: Draft,
    /// Tokens guessed a pass, at most.
    guesses: usize,
}

/// The case that the axes of `decode` name, and the device for it. Errors: what it cannot be.
fn case(axes: &Axes, implementation: &str, device: &Arc<dyn Device>) -> Result<(Case, Arc<dyn Device>), Decline> {
    let axes = axes.iter().map(|(axis, value)| (axis.clone(), vec![value.clone()])).collect();
    let request = Request { axes, implementation: implementation.to_owned() };
    let ids = DECODE.cases(&request, &**device)?;
    let id = ids.first().ok_or_else(|| Decline::Skip("nothing was asked for".to_owned()))?;
    let case = Case::parse(&id.axes, DECODE.axes(), &id.implementation)?;
    let device = case.device(device)?;
    Ok((case, device))
}

impl Speaker {
    /// The model that the axes of `decode` name, which reads `n_prompt` tokens and says `n_gen` more. Errors: what it cannot be, no
    /// memory for it, or what broke.
    pub fn new(axes: &Axes, implementation: &str, device: &Arc<dyn Device>, memory: u64) -> Result<Self, Decline> {
        let (mut case, device) = case(axes, implementation, device)?;
        let model = case.load(&device, arguments::SEED, memory)?;
        Ok(Self { model, draft: Draft::None, guesses: 0 })
    }
    /// The same with at most `guesses` guesses a pass: from the text so far, or from the model `draft`. Errors: also a draft of other tokens.
    pub fn guessing(
        axes: &Axes,
        implementation: &str,
        device: &Arc<dyn Device>,
        memory: u64,
        (draft, guesses): (&str, usize),
    ) -> Result<Self, Decline> {
        let (mut own, device) = case(axes, implementation, device)?;
        own.verifies(guesses + 1);
        let small = match draft {
            speculate::LOOKUP => None,
            draft => {
                let mut axes = axes.clone();
                axes.insert("model".to_owned(), draft.into());
                let (small, _) = case(&axes, implementation, &device)?;
                speculate::same_words(&own, &small)?;
                Some(small)
            }
        };
        let model = own.load(&device, arguments::SEED, memory)?;
        let draft = match small {
            None => Draft::Lookup,
            Some(mut small) => {
                let left = memory.saturating_sub(model.resident());
                Draft::Model(Box::new(small.load(&device, arguments::SEED, left)?))
            }
        };
        Ok(Self { model, draft, guesses })
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
    /// Reads `prompt` and says at most `n` tokens, each the one with the largest logit; fewer where `ends` holds for one, which is the
    /// last. With guesses, if `guessing` and there is a draft.
    pub fn say(
        &mut self,
        prompt: &[u32],
        n: usize,
        guessing: bool,
        ends: &dyn Fn(u32) -> bool,
    ) -> Result<(Vec<u32>, Counts), Fault> {
        let mut history = prompt.to_vec();
        speculate::begin(&mut self.model, &mut history)?;
        let mut counts = Counts::default();
        if !history.last().is_some_and(|token| ends(*token)) {
            let mut none = Draft::None;
            let draft = if guessing { &mut self.draft } else { &mut none };
            counts = speculate::go_on(&mut self.model, draft, &mut history, (n - 1, self.guesses), ends)?;
        }
        Ok((history.split_off(prompt.len()), counts))
    }
}
