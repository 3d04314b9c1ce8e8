//! Looking up the embedding in the file itself: a few rows a pass, so the table is neither copied nor kept.

use crate::llm::blocks::Blocks;
use crate::llm::file::Stored;
use crate::llm::weights::Tensor;
use spark_kernels::cpu::Cpu;
use spark_kernels::embed::Embed;
use spark_kernels::{Buffer, Device, Fault, Io, Op, Prepared};
use std::sync::{Arc, Mutex};

/// The look-up of one model.
#[derive(Debug)]
pub(crate) struct Lookup {
    op: Embed,
    weights: Arc<Stored>,
    device: Arc<dyn Device>,
    /// The bytes of one row of the table for each worker.
    bytes: Vec<Mutex<Vec<u8>>>,
}

impl Lookup {
    /// Of the table in `weights`. Errors: a shape that cannot be, or a device that cannot read files.
    pub(crate) fn new(blocks: &Blocks<'_>, weights: &Arc<Stored>, device: &Arc<dyn Device>) -> Result<Self, Fault> {
        let format = weights.pieces(Tensor::Embedding)[0].format;
        let op = Embed { format, ..blocks.embed() };
        op.validate().map_err(|invalid| Fault::Unsupported(spark_kernels::Unsupported(invalid.0)))?;
        let threads = Cpu::of(&**device)?.pool().threads();
        let bytes = (0..threads).map(|_| Mutex::new(vec![0; format.bytes(op.width)])).collect();
        Ok(Self { op, weights: weights.clone(), device: device.clone(), bytes })
    }
}

impl Prepared for Lookup {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Embed { vocab, width, format, multiplier, .. } = self.op;
        let rows = io.live.rows();
        let tokens = &io.inputs[0].slice::<u32>()[..rows];
        if let Some((row, token)) = tokens.iter().enumerate().find(|(_, token)| **token as usize >= vocab) {
            return Err(Fault::Device(format!(
                "embed: token {token} in row {row} is not below the vocabulary of {vocab}; check the tokenizer against the model"
            )));
        }
        let piece = &self.weights.pieces(Tensor::Embedding)[0];
        let scale = piece.scales().first().copied().unwrap_or(1.0);
        let x = &mut io.outputs[0].slice_mut::<f32>()[..rows * width];
        let decode = |token: u32, bytes: &mut [u8], x: &mut [f32]| {
            piece.rows(token as usize..token as usize + 1, bytes);
            format.dequantize(bytes, scale, x);
            if multiplier != 1.0 {
                x.iter_mut().for_each(|x| *x *= multiplier);
            }
        };
        let pool = Cpu::of(&*self.device)?.pool();
        let each = rows.div_ceil(pool.threads());
        // No more parts than workers, and each worker takes one: nothing is allocated in a pass.
        let parts = Mutex::new(x.chunks_mut((each * width).max(1)).zip(tokens.chunks(each.max(1))));
        let scratch = &self.bytes;
        pool.run(&|worker| {
            let Some((x, tokens)) = parts.lock().ok().and_then(|mut parts| parts.next()) else { return };
            // Each worker's own: nobody waits here.
            let Some(Ok(mut bytes)) = scratch.get(worker.index).map(Mutex::lock) else { return };
            for (token, x) in tokens.iter().zip(x.chunks_exact_mut(width)) {
                decode(*token, &mut bytes, x);
            }
        });
        Ok(())
    }
    fn buffers(&self) -> Vec<&Buffer> {
        Vec::new()
    }
    fn resident(&self) -> u64 {
        0
    }
}
