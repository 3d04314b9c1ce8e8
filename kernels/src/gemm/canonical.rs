//! The weights as `prepare` is given them, checked once and then read row by row.

use super::Gemm;
use crate::format::Format;
use crate::{Buffer, Element, Fault, Type};
use half::bf16;

/// The operands of `prepare`, of the types and lengths that the op demands.
#[derive(Debug)]
pub(crate) struct Canonical<'a> {
    format: Format,
    k: usize,
    stored: Stored<'a>,
    /// The f32 scale of the tensor; 1 where the format has none.
    pub(crate) tensor_scale: f32,
    /// n scales, one an output; none where the format has no such.
    pub(crate) channels: Option<&'a [f32]>,
    /// n values, or none.
    pub(crate) bias: Option<&'a [f32]>,
}

#[derive(Debug)]
enum Stored<'a> {
    Blocks(&'a [u8]),
    Bf16(&'a [bf16]),
    F32(&'a [f32]),
}

/// Whether `weights` are the operands of `prepare`, wherever they stand. Errors: as [`Canonical::of`]'s.
pub(crate) fn shapes(op: &Gemm, weights: &[Buffer]) -> Result<(), Fault> {
    crate::Op::validate(op).map_err(|invalid| Fault::Device(invalid.0))?;
    let stored = match op.weights {
        Format::Bf16 => (Type::Bf16, op.n * op.k),
        Format::F32 => (Type::F32, op.n * op.k),
        _ => (Type::U8, op.n * op.weights.bytes(op.k)),
    };
    let scales = op.weights.scales(op.n);
    let wanted = [Some(stored), (scales > 0).then_some((Type::F32, scales)), op.bias.then_some((Type::F32, op.n))];
    let wanted: Vec<_> = wanted.into_iter().flatten().collect();
    let given: Vec<_> = weights.iter().map(|weight| (weight.of(), weight.len())).collect();
    if given == wanted {
        return Ok(());
    }
    Err(Fault::Device(format!("gemm: the weights have to be {wanted:?}, and are {given:?}")))
}

impl<'a> Canonical<'a> {
    /// Looks at `weights`. Errors: an invalid op, or operands of other types or lengths.
    pub(crate) fn of(op: &Gemm, weights: &'a [Buffer]) -> Result<Self, Fault> {
        crate::Op::validate(op).map_err(|invalid| Fault::Device(invalid.0))?;
        let mut weights = weights.iter();
        let mut next = |of: Type, len: usize, what: &str| match weights.next() {
            Some(buffer) if buffer.of() == of && buffer.len() == len => Ok(buffer),
            Some(b) => Err(format!("gemm: {what} has to be {len} × {of:?}, and is {} × {:?}", b.len(), b.of())),
            None => Err(format!("gemm: {what} is missing; give {len} × {of:?}")),
        };
        let mut operands = || -> Result<Self, String> {
            let stored = match op.weights {
                Format::Bf16 => Stored::Bf16(next(Type::Bf16, op.n * op.k, "the weight")?.slice()),
                Format::F32 => Stored::F32(next(Type::F32, op.n * op.k, "the weight")?.slice()),
                _ => Stored::Blocks(next(Type::U8, op.n * op.weights.bytes(op.k), "the weight")?.slice()),
            };
            let tensor_scale = match op.weights {
                Format::Nvfp4 => next(Type::F32, 1, "the tensor scale")?.slice::<f32>()[0],
                _ => 1.0,
            };
            let channels = match op.weights {
                Format::Fp8 => Some(next(Type::F32, op.n, "the scales of the outputs")?.slice::<f32>()),
                _ => None,
            };
            let bias = if op.bias { Some(next(Type::F32, op.n, "the bias")?.slice()) } else { None };
            Ok(Self { format: op.weights, k: op.k, stored, tensor_scale, channels, bias })
        };
        operands().map_err(Fault::Device)
    }

    /// The bytes of output `row`. Panics for formats whose elements are not bytes.
    pub(crate) fn blocks(&self, row: usize) -> &'a [u8] {
        let Stored::Blocks(bytes) = self.stored else { unreachable!("{} has no blocks", self.format) };
        let a_row = self.format.bytes(self.k);
        &bytes[row * a_row..][..a_row]
    }

    /// Output `row` of bf16 weights. Panics for other formats.
    pub(crate) fn bf16(&self, row: usize) -> &'a [bf16] {
        let Stored::Bf16(values) = self.stored else { unreachable!("{} is not bf16", self.format) };
        &values[row * self.k..][..self.k]
    }

    /// Output `row` of f32 weights. Panics for other formats.
    pub(crate) fn f32(&self, row: usize) -> &'a [f32] {
        let Stored::F32(values) = self.stored else { unreachable!("{} is not f32", self.format) };
        &values[row * self.k..][..self.k]
    }
}

/// The operands of one call: x, y and how many rows are live. Panics where they do not fit the op.
pub(crate) fn operands<'i>(op: &Gemm, io: &'i mut crate::Io<'_>) -> (&'i [f32], &'i mut [f32], usize) {
    let rows = io.live.rows();
    assert!(rows <= op.m, "gemm: {rows} live rows <= m = {}", op.m);
    let x = io.inputs[0].slice::<f32>();
    let y = io.outputs[0].slice_mut::<f32>();
    assert!(x.len() >= rows * op.k, "gemm: x has {} >= rows * k = {rows} * {} elements", x.len(), op.k);
    assert!(y.len() >= rows * op.n, "gemm: y has {} >= rows * n = {rows} * {} elements", y.len(), op.n);
    (&x[..rows * op.k], &mut y[..rows * op.n], rows)
}

/// Memory for `len` elements of `T` that a prepared gemm keeps.
pub(crate) fn scratch<T: Element>(len: usize) -> Result<Buffer, Fault> {
    Buffer::host(T::TYPE, len, crate::Placement::Fast)
}
