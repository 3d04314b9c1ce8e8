//! How many experts the iterations so far really touched: their weights are what was read.

use crate::llm::{Config, Model};

/// A sum over iterations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Touched {
    blocks: u64,
    iterations: u64,
}

impl Touched {
    /// Adds what `model` touched since it was last asked: one iteration.
    pub(crate) fn add(&mut self, model: &mut Model) {
        if let Some(blocks) = model.take_touched() {
            self.blocks += blocks;
            self.iterations += 1;
        }
    }
    /// Experts an iteration, over all layers and passes; `None` without experts, or before the first.
    pub(crate) fn mean(&self) -> Option<u64> {
        (self.iterations > 0).then(|| self.blocks / self.iterations)
    }
    /// A sentence of how many of a layer's experts a pass touched, of `passes` an iteration.
    pub(crate) fn fact(&self, config: &Config, passes: u64) -> Option<(String, String)> {
        let (experts, layers) = (config.mixture?.all(), config.layers as f64);
        if self.iterations == 0 {
            return None;
        }
        let each = self.blocks as f64 / self.iterations as f64 / layers / passes as f64;
        Some(("experts_touched".to_owned(), format!("{each:.1} of {experts} a layer and pass")))
    }
}
