//! A product whose weights are stored in several formats: one product each, their outputs side by side.

use spark_kernels::{Buffer, Device, Fault, Io, Placement, Prepared, Type};
use std::sync::{Arc, Mutex, PoisonError};

/// Products that share their input; the outputs of a row stand one after another.
#[derive(Debug)]
pub(crate) struct Stacked {
    /// Each with its outputs.
    parts: Vec<(Box<dyn Prepared>, usize)>,
    /// Outputs of all.
    n: usize,
    /// Rows × outputs of one part: what all products of a model share, as they run one after another.
    out: Arc<Mutex<Option<Buffer>>>,
}

impl Stacked {
    /// Of products with so many outputs each, for at most `rows` rows, which work in `out`. Errors: no memory left.
    pub(crate) fn new(
        parts: Vec<(Box<dyn Prepared>, usize)>,
        rows: usize,
        out: &Arc<Mutex<Option<Buffer>>>,
        device: &dyn Device,
    ) -> Result<Self, Fault> {
        let len = rows * parts.iter().map(|(_, n)| *n).max().unwrap_or_default();
        let mut shared = out.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.as_ref().is_none_or(|buffer| buffer.len() < len) {
            *shared = Some(device.alloc(Type::F32, len, Placement::Fast)?);
        }
        Ok(Self { n: parts.iter().map(|(_, n)| *n).sum(), parts, out: out.clone() })
    }
}

impl Prepared for Stacked {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let rows = io.live.rows();
        let mut shared = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(out) = shared.as_mut() else {
            return Err(Fault::Device("a product in parts has no place for them: a defect of the engine".to_owned()));
        };
        let mut at = 0;
        for (op, n) in &mut self.parts {
            op.run(&mut Io { inputs: io.inputs, outputs: &mut [&mut *out], live: io.live })?;
            let y = &mut io.outputs[0].slice_mut::<f32>()[..rows * self.n];
            for (y, out) in y.chunks_exact_mut(self.n).zip(out.slice::<f32>().chunks_exact(*n)) {
                y[at..at + *n].copy_from_slice(out);
            }
            at += *n;
        }
        Ok(())
    }
    fn buffers(&self) -> Vec<&Buffer> {
        self.parts.iter().flat_map(|(op, _)| op.buffers()).collect()
    }
    fn resident(&self) -> u64 {
        self.parts.iter().map(|(op, _)| op.resident()).sum()
    }
}
