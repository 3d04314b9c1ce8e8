//! The weights a model runs on: made from a seed, or held in files.

use crate::llm::Config;
use crate::llm::blocks::Blocks;
use crate::llm::file::{Piece, Stored};
use crate::llm::made::made;
use crate::llm::weights::{Part, Synthetic, Tensor};
use half::bf16;
use spark_kernels::format::Format;
use spark_kernels::gemm::Gemm;
use spark_kernels::{Buffer, Device, Element, Fault, Host, Type};
use std::ops::Range;
use std::sync::Arc;

/// The weights of one model. A matrix is one piece or several, whose rows stand one after another: files may store q, k and v in formats
/// of their own.
#[derive(Clone, Debug)]
pub enum Weights {
    /// Made from a seed; every matrix one piece.
    Synthetic(Box<Synthetic>),
    /// Held in files.
    Stored(Arc<Stored>),
}

impl Weights {
    /// (format, n, k) of each piece of a matrix.
    pub(crate) fn pieces(&self, tensor: Tensor) -> Vec<(Format, usize, usize)> {
        match self {
            Self::Synthetic(weights) => vec![weights.matrix(tensor)],
            Self::Stored(weights) => weights.pieces(tensor).iter().map(|p| (p.format, p.n, p.k)).collect(),
        }
    }
    /// The projection whose implementation names the whole, as the first layer has it.
    pub(crate) fn widest(&self, blocks: &Blocks<'_>) -> Gemm {
        let op = blocks.gate_up();
        let Self::Stored(weights) = self else { return op };
        let of = |part| weights.pieces(Tensor::Layer(0, part)).first();
        let format = of(Part::GateUp).or_else(|| of(Part::ExpertGateUp)).map_or(op.weights, |piece| piece.format);
        Blocks::piece(&op, format, op.n)
    }
    /// The values of a norm or a bias.
    pub(crate) fn vector(&self, tensor: Tensor) -> Vec<f32> {
        match self {
            Self::Synthetic(weights) => weights.vector(tensor),
            Self::Stored(weights) => weights.vector(tensor),
        }
    }
    /// What a norm multiplies with.
    pub(crate) fn gains(&self, tensor: Tensor) -> Vec<f32> {
        match self {
            Self::Synthetic(weights) => weights.gains(tensor),
            Self::Stored(weights) => gains(weights.config(), tensor, weights.vector(tensor)),
        }
    }
    /// Canonical bytes of rows `rows` of a matrix, all of one piece.
    pub(crate) fn rows(&self, tensor: Tensor, rows: Range<usize>) -> Vec<u8> {
        match self {
            Self::Synthetic(weights) => weights.rows(tensor, rows),
            Self::Stored(weights) => weights.rows(tensor, rows),
        }
    }
    /// What each run of rows of a projection of experts is multiplied with, where each has an f32 scale of its own.
    pub(crate) fn runs(&self, tensor: Tensor) -> &[f32] {
        match self {
            Self::Synthetic(_) => &[],
            Self::Stored(weights) => weights.runs(tensor),
        }
    }
    /// The f32 scales beside the bytes of these rows, all of piece `piece`.
    pub(crate) fn scales(&self, tensor: Tensor, piece: usize, rows: impl IntoIterator<Item = usize>) -> Vec<f32> {
        match self {
            Self::Synthetic(weights) => weights.scales(tensor, rows),
            Self::Stored(weights) => weights.pieces(tensor)[piece].scales(),
        }
    }
    /// The operands that a gemm takes for one piece of a matrix, on `device`: the stored elements and, if any, the scales beside them.
    pub(crate) fn operands(&self, tensor: Tensor, piece: usize, device: &dyn Device) -> Result<Vec<Buffer>, Fault> {
        let stored = match self {
            Self::Synthetic(weights) => return weights.gemm_operands(tensor, device),
            Self::Stored(stored) => stored,
        };
        let piece = &stored.pieces(tensor)[piece];
        let k = piece.k;
        let elements = match piece.format {
            Format::Bf16 => filled(Type::Bf16, piece, k, device, |bytes, out| {
                let values = bytes.as_chunks::<2>().0.iter().map(|b| bf16::from_bits(u16::from_le_bytes(*b)));
                out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
            })?,
            Format::F32 => filled(Type::F32, piece, k, device, |bytes, out| {
                let values = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
                out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
            })?,
            _ => bytes_of(piece, device)?,
        };
        with_scales(piece, elements, device)
    }
    /// The operands that a look-up on a GPU takes for the embedding: its bytes in every format and, if any, the scales beside them.
    pub(crate) fn table(&self, device: &dyn Device) -> Result<Vec<Buffer>, Fault> {
        match self {
            Self::Synthetic(weights) => weights.table_operands(Tensor::Embedding, device),
            Self::Stored(stored) => {
                let piece = &stored.pieces(Tensor::Embedding)[0];
                with_scales(piece, bytes_of(piece, device)?, device)
            }
        }
    }
}

/// The rows of a piece in canonical bytes.
fn bytes_of(piece: &Piece, device: &dyn Device) -> Result<Buffer, Fault> {
    let a_row = piece.format.bytes(piece.k);
    filled(Type::U8, piece, a_row, device, |bytes, out: &mut [u8]| out.copy_from_slice(bytes))
}

/// `elements` and the scales beside them; the file's pages may go.
fn with_scales(piece: &Piece, elements: Buffer, device: &dyn Device) -> Result<Vec<Buffer>, Fault> {
    let (mut operands, scales) = (vec![elements], piece.scales());
    if !scales.is_empty() {
        operands.push(device.upload(&Host::F32(scales))?);
    }
    piece.forget();
    Ok(operands)
}

/// The rows of `piece` as `len` elements each, made of their bytes.
fn filled<T: Element>(
    of: Type,
    piece: &Piece,
    len: usize,
    device: &dyn Device,
    put: impl Fn(&[u8], &mut [T]) + Sync,
) -> Result<Buffer, Fault> {
    let a_row = piece.format.bytes(piece.k);
    made(of, (piece.n, len), device, |row, bytes, out| {
        bytes.resize(a_row, 0);
        piece.rows(row..row + 1, bytes);
        put(bytes, out);
    })
}

/// What a norm with these values multiplies with: 1 more where the family adds it, and the last one divided by what logits are divided
/// by, as the head is linear.
pub(crate) fn gains(config: &Config, tensor: Tensor, mut values: Vec<f32>) -> Vec<f32> {
    if config.unit_offset {
        values.iter_mut().for_each(|gain| *gain += 1.0);
    }
    if tensor == Tensor::FinalNorm && config.logits_scaling != 1.0 {
        values.iter_mut().for_each(|gain| *gain /= config.logits_scaling);
    }
    values
}
