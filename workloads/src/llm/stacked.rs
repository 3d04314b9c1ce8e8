//! A product whose weights are stored in several formats: one product each, their outputs side by side.

use crate::llm::choose::Chooser;
use spark_kernels::stack::Stack;
use spark_kernels::{Buffer, Fault, Io, Placement, Prepared, Type};
use std::sync::{Arc, Mutex, PoisonError};

/// Products that share their input; the outputs of a row stand one after another.
#[derive(Debug)]
pub(crate) struct Stacked {
    /// Each with what puts its outputs into their columns.
    parts: Vec<(Box<dyn Prepared>, Box<dyn Prepared>)>,
    /// Rows × outputs of one part: what all products of a model share, as they run one after another.
    out: Arc<Mutex<Option<Buffer>>>,
}

impl Stacked {
    /// Of products with so many outputs each, for at most `rows` rows, which work in `with.parts`. Errors: no memory left.
    pub(crate) fn new(
        products: Vec<(Box<dyn Prepared>, usize)>,
        rows: usize,
        with: &mut Chooser<'_>,
    ) -> Result<Self, Fault> {
        let len = rows * products.iter().map(|(_, n)| *n).max().unwrap_or_default();
        let width = products.iter().map(|(_, n)| *n).sum();
        let (mut parts, mut at) = (Vec::new(), 0);
        for (product, n) in products {
            parts.push((product, with.prepare(&Stack { rows, n, width, at }, &[])?));
            at += n;
        }
        let mut shared = with.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.as_ref().is_none_or(|buffer| buffer.len() < len) {
            *shared = Some(with.device.alloc(Type::F32, len, Placement::Fast)?);
        }
        drop(shared);
        Ok(Self { parts, out: with.parts.clone() })
    }
}

impl Prepared for Stacked {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let mut shared = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(out) = shared.as_mut() else {
            return Err(Fault::Device("a product in parts has no place for them: a defect of the engine".to_owned()));
        };
        for (product, place) in &mut self.parts {
            product.run(&mut Io { inputs: io.inputs, outputs: &mut [&mut *out], live: io.live })?;
            place.run(&mut Io { inputs: &[&*out], outputs: &mut [&mut *io.outputs[0]], live: io.live })?;
        }
        Ok(())
    }
    fn buffers(&self) -> Vec<&Buffer> {
        self.parts.iter().flat_map(|(product, _)| product.buffers()).collect()
    }
    fn resident(&self) -> u64 {
        self.parts.iter().map(|(product, _)| product.resident()).sum()
    }
}
