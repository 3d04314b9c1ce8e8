//! The projections of experts in plain Rust: one expert after another, in the scalar gemm's fixed order of operations.

use super::canonical::scratch;
use super::scalar::{Ready, Scalar};
use crate::cpu::variant::{operands, rows_in_use};
use crate::moe::{Experts, Grouping};
use crate::{Backend, Buffer, Device, Fault, Implementation, Io, Op, Prepared, Unsupported};

impl Implementation<Experts> for Scalar {
    fn name(&self) -> &'static str {
        "scalar"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Experts, device: &dyn Device) -> Result<(), Unsupported> {
        op.validate().map_err(|invalid| Unsupported(invalid.0))?;
        crate::cpu::Cpu::of(device).map(drop)
    }
    fn prepare(&self, op: &Experts, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        let mut grouping = Grouping::default();
        grouping.reserve(op.rows * op.active, op.experts);
        Ok(Box::new(OneByOne {
            op: op.clone(),
            gemm: Ready::new(&op.all(), weights, device)?,
            grouping,
            gathered: scratch::<f32>(op.rows * op.k)?,
            said: scratch::<f32>(if op.combine { op.rows * op.active * op.n } else { 0 })?,
        }))
    }
}

#[derive(Debug)]
struct OneByOne {
    op: Experts,
    gemm: Ready,
    grouping: Grouping,
    /// rows × k: x of the tokens that chose one expert.
    gathered: Buffer,
    /// rows × active × n, to combine.
    said: Buffer,
}

impl Prepared for OneByOne {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Self { op, gemm, grouping, .. } = self;
        let tokens = rows_in_use(Experts::NAME, io.live, op.rows)?;
        let (n, k, active) = (op.n, op.k, op.active);
        let (inputs, weights) = match (op.combine, io.inputs) {
            (false, [x, ids]) => ([x, ids], None),
            (true, [x, ids, weights]) => ([x, ids], Some(weights.slice::<f32>())),
            _ => return Err(operands(Experts::NAME, "x, ids and, to combine, weights")),
        };
        let [y] = &mut *io.outputs else { return Err(operands(Experts::NAME, "one output")) };
        let (x, y) = (inputs[0].slice::<f32>(), y.slice_mut::<f32>());
        grouping.sort(&inputs[1].slice::<u32>()[..tokens * active], op.experts)?;
        let (gathered, said) = (self.gathered.slice_mut::<f32>(), self.said.slice_mut::<f32>());
        for segment in &grouping.segments {
            let places = segment.start..segment.start + segment.rows;
            let x = if op.combine {
                &x[places.start * k..places.end * k]
            } else {
                for (out, choice) in gathered.chunks_exact_mut(k).zip(&grouping.choices[places.clone()]) {
                    out.copy_from_slice(&x[*choice as usize / active * k..][..k]);
                }
                &gathered[..segment.rows * k]
            };
            let out = if op.combine { &mut *said } else { &mut *y };
            let out = &mut out[places.start * n..places.end * n];
            gemm.multiply(x, out, segment.rows, segment.expert * n..(segment.expert + 1) * n);
        }
        if let Some(weights) = weights {
            let tokens = grouping.places.chunks_exact(active).zip(weights.chunks_exact(active));
            for ((places, weights), y) in tokens.zip(y.chunks_exact_mut(n)) {
                y.fill(0.0);
                for (place, weight) in places.iter().zip(weights) {
                    y.iter_mut().zip(&said[*place as usize * n..]).for_each(|(y, said)| *y += weight * said);
                }
            }
        }
        Ok(())
    }
    fn buffers(&self) -> Vec<&Buffer> {
        self.gemm.buffers()
    }
    fn resident(&self) -> u64 {
        self.gemm.resident()
    }
}
