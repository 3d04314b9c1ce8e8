//! Experts whose weights have an f32 scale each: it multiplies what they say, or, where that is summed, the weight of each choice.

use spark_kernels::cpu::Cpu;
use spark_kernels::moe::Experts;
use spark_kernels::{Buffer, Device, Fault, Io, Placement, Prepared, Type, Unsupported};

/// A projection of experts, of which every one is multiplied.
#[derive(Debug)]
pub(crate) struct Scaled {
    op: Box<dyn Prepared>,
    /// Of each expert in turn, of each of its runs of outputs.
    scales: Vec<f32>,
    /// Outputs of a run.
    run: usize,
    active: usize,
    /// experts: choices of each in this pass.
    chosen: Vec<usize>,
    /// rows × active: the weights of the choices, multiplied; of a sum only.
    weights: Option<Buffer>,
}

impl Scaled {
    /// `op`, prepared for weights with the scale 1, with the `scales` of its experts' runs. Errors: no memory left, or a device that is no CPU.
    pub(crate) fn new(op: Box<dyn Prepared>, of: &Experts, scales: &[f32], device: &dyn Device) -> Result<Self, Fault> {
        if Cpu::of(device).is_err() {
            let what = "experts in nvfp4 with a scale each are not multiplied on a GPU yet; choose --device cpu";
            return Err(Fault::Unsupported(Unsupported(what.to_owned())));
        }
        let weights = match of.combine {
            true => Some(device.alloc(Type::F32, of.rows * of.active, Placement::Fast)?),
            false => None,
        };
        let run = of.n * of.experts / scales.len();
        Ok(Self { op, scales: scales.to_vec(), run, active: of.active, chosen: vec![0; of.experts], weights })
    }
}

impl Prepared for Scaled {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let choices = io.live.rows() * self.active;
        let ids = &io.inputs[1].slice::<u32>()[..choices];
        if let Some(weights) = &mut self.weights {
            // One run an expert: a sum is of whole experts.
            let given = &io.inputs[2].slice::<f32>()[..choices];
            for ((to, from), id) in weights.slice_mut::<f32>().iter_mut().zip(given).zip(ids) {
                *to = from * self.scales[*id as usize];
            }
            let inputs = [io.inputs[0], io.inputs[1], &*weights];
            return self.op.run(&mut Io { inputs: &inputs, outputs: &mut [&mut *io.outputs[0]], live: io.live });
        }
        self.op.run(io)?;
        self.chosen.fill(0);
        ids.iter().for_each(|id| self.chosen[*id as usize] += 1);
        let runs = self.scales.len() / self.chosen.len();
        let mut rows = io.outputs[0].slice_mut::<f32>().chunks_exact_mut(self.run * runs);
        for (chosen, scales) in self.chosen.iter().zip(self.scales.chunks_exact(runs)) {
            for row in rows.by_ref().take(*chosen) {
                for (run, scale) in row.chunks_exact_mut(self.run).zip(scales) {
                    run.iter_mut().for_each(|y| *y *= scale);
                }
            }
        }
        Ok(())
    }
    fn resident(&self) -> u64 {
        self.op.resident()
    }
    fn buffers(&self) -> Vec<&Buffer> {
        self.op.buffers()
    }
}
