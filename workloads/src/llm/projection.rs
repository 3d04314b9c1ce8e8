//! The embedding and the projections of a model, prepared from the pieces that its weights come in.

use crate::llm::Weights;
use crate::llm::blocks::Blocks;
use crate::llm::choose::Chooser;
use crate::llm::lookup::Lookup;
use crate::llm::scaled::Scaled;
use crate::llm::stacked::Stacked;
use crate::llm::weights::Tensor;
use spark_kernels::embed::Embed;
use spark_kernels::gemm::Gemm;
use spark_kernels::moe::Experts;
use spark_kernels::{Backend, Device, Fault, Host, Prepared};
use std::sync::Arc;

/// The look-up of tokens: of a file on a CPU in the file itself, else in a table on the device.
pub(super) fn embedding(
    with: &mut Chooser<'_>,
    weights: &Weights,
    blocks: &Blocks<'_>,
    device: &Arc<dyn Device>,
) -> Result<Box<dyn Prepared>, Fault> {
    match weights {
        Weights::Stored(stored) if device.backend() == Backend::Cpu => {
            Ok(Box::new(Lookup::new(blocks, stored, device)?))
        }
        _ => {
            let format = weights.pieces(Tensor::Embedding)[0].0;
            with.prepare(&Embed { format, ..blocks.embed() }, &weights.table(&**device)?)
        }
    }
}

/// A matrix with its biases, if the op adds any: one product, or one for each piece.
pub(super) fn product(
    with: &mut Chooser<'_>,
    weights: &Weights,
    op: &Gemm,
    tensor: Tensor,
    device: &Arc<dyn Device>,
) -> Result<Box<dyn Prepared>, Fault> {
    let bias = bias(weights, tensor, op.bias);
    let (mut ops, mut first) = (Vec::new(), 0);
    for (piece, (format, n, _)) in weights.pieces(tensor).into_iter().enumerate() {
        let mut operands = weights.operands(tensor, piece, &**device)?;
        if let Some(bias) = &bias {
            operands.push(device.upload(&Host::F32(bias[first..first + n].to_vec()))?);
        }
        ops.push((with.prepare(&Blocks::piece(op, format, n), &operands)?, n));
        first += n;
    }
    match ops.pop() {
        Some((only, _)) if ops.is_empty() => Ok(only),
        last => {
            ops.extend(last);
            Ok(Box::new(Stacked::new(ops, op.m, with)?))
        }
    }
}

/// A projection of all experts, which is one piece, with its biases.
pub(super) fn experts(
    with: &mut Chooser<'_>,
    weights: &Weights,
    op: &Experts,
    tensor: Tensor,
    device: &Arc<dyn Device>,
) -> Result<Box<dyn Prepared>, Fault> {
    let mut operands = weights.operands(tensor, 0, &**device)?;
    if let Some(bias) = bias(weights, tensor, op.bias) {
        operands.push(device.upload(&Host::F32(bias))?);
    }
    let format = weights.pieces(tensor).first().map_or(op.weights, |(format, ..)| *format);
    let prepared = with.prepare(&Blocks::experts(op, format), &operands)?;
    match weights.runs(tensor) {
        [] => Ok(prepared),
        runs => Ok(Box::new(Scaled::new(prepared, op, runs, &**device)?)),
    }
}

/// The biases of a matrix, if the op adds any.
fn bias(weights: &Weights, tensor: Tensor, added: bool) -> Option<Vec<f32>> {
    let Tensor::Layer(layer, part) = tensor else { return None };
    let bias = part.bias().filter(|_| added)?;
    Some(weights.vector(Tensor::Layer(layer, bias)))
}
