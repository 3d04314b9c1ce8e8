//! How many experts the iterations so far really touched: their weights are what was read.

use crate::llm::Model;

/// Iterations since the model last forgot its count, which stays on the device.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Touched {
    iterations: u64,
}

impl Touched {
    /// One iteration more.
    pub(crate) fn add(&mut self) {
        self.iterations += 1;
    }
    /// Experts an iteration, over all layers and passes; `None` without experts, before the first, or of a device that was lost.
    pub(crate) fn mean(&self, model: &Model) -> Option<u64> {
        model.touched().ok()??.checked_div(self.iterations)
    }
    /// A sentence of how many of a layer's experts a pass touched, of `passes` an iteration.
    pub(crate) fn fact(&self, model: &Model, passes: u64) -> Option<(String, String)> {
        let (experts, layers) = (model.config().mixture?.all(), model.config().layers as f64);
        if self.iterations == 0 {
            return None;
        }
        let each = model.touched().ok()?? as f64 / self.iterations as f64 / layers / passes as f64;
        Some(("experts_touched".to_owned(), format!("{each:.1} of {experts} a layer and pass")))
    }
}
