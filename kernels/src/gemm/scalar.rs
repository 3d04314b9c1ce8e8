//! The gemm in plain Rust: one fixed order of f32 operations, bit for bit the same on every machine and thread count.
#![expect(unsafe_code, reason = "workers write disjoint parts of scratch and output")]

use super::canonical::{Canonical, operands, scratch};
use super::{CHUNK, Gemm};
use crate::cpu::Cpu;
use crate::cpu::pool::Pool;
use crate::cpu::split::Split;
use crate::format::{Format, e2m1, e4m3, e8m0, f16};
use crate::{Backend, Buffer, Device, Fault, Implementation, Io, Op, Prepared, Unsupported};
use std::ops::Range;
use std::sync::Arc;

/// Plain Rust.
#[derive(Debug)]
pub(super) struct Scalar;

impl Implementation<Gemm> for Scalar {
    fn name(&self) -> &'static str {
        "scalar"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Gemm, device: &dyn Device) -> Result<(), Unsupported> {
        op.validate().map_err(|invalid| Unsupported(invalid.0))?;
        Cpu::of(device).map(drop)
    }
    fn prepare(&self, op: &Gemm, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        Ok(Box::new(Ready::new(op, weights, device)?))
    }
}

impl Ready {
    /// Packs and allocates for `op.m` rows. Errors: operands that do not fit, no memory left.
    pub(super) fn new(op: &Gemm, weights: &[Buffer], device: &dyn Device) -> Result<Self, Fault> {
        let pool = Cpu::of(device)?.pool().clone();
        let given = Canonical::of(op, weights)?;
        let row_bytes = op.weights.bytes(op.k);
        let mut stored = scratch::<u8>(op.n * row_bytes)?;
        for (row, out) in stored.slice_mut::<u8>().chunks_exact_mut(row_bytes).enumerate() {
            match op.weights {
                Format::Bf16 => out
                    .as_chunks_mut::<2>()
                    .0
                    .iter_mut()
                    .zip(given.bf16(row))
                    .for_each(|(out, w)| *out = w.to_le_bytes()),
                Format::F32 => {
                    out.as_chunks_mut::<4>()
                        .0
                        .iter_mut()
                        .zip(given.f32(row))
                        .for_each(|(out, w)| *out = w.to_le_bytes());
                }
                _ => out.copy_from_slice(given.blocks(row)),
            }
        }
        let mut channels = scratch::<f32>(op.n)?;
        channels.slice_mut::<f32>().fill(given.tensor_scale);
        if let Some(given) = given.channels {
            channels.slice_mut().copy_from_slice(given);
        }
        let mut bias = scratch::<f32>(op.n)?;
        if let Some(given) = given.bias {
            bias.slice_mut().copy_from_slice(given);
        }
        let (blocks, threads) = (op.k / op.block(), pool.threads());
        let codes = if op.integer() { op.k } else { 0 };
        let floats = if op.integer() { 0 } else { op.k };
        Ok(Self {
            op: op.clone(),
            stored,
            tensor_scale: given.tensor_scale,
            channels,
            bias,
            codes: scratch::<i8>(op.m * codes)?,
            scales: scratch::<f32>(op.m * blocks)?,
            row_scales: scratch::<f32>(op.m)?,
            floats: scratch::<f32>(op.m * floats)?,
            worker_codes: scratch::<i8>(threads * codes)?,
            worker_scales: scratch::<f32>(threads * blocks)?,
            worker_bytes: scratch::<u8>(threads * blocks)?,
            worker_floats: scratch::<f32>(threads * floats)?,
            pool,
        })
    }
}

#[derive(Debug)]
pub(super) struct Ready {
    op: Gemm,
    pool: Arc<Pool>,
    /// n rows of canonical bytes.
    stored: Buffer,
    tensor_scale: f32,
    /// n scales: of each output, or the tensor's.
    channels: Buffer,
    /// n values, zeros where the op has none.
    bias: Buffer,
    /// m × k codes of the activations (integer kinds).
    codes: Buffer,
    /// m × blocks scales of the activations (grouped kinds).
    scales: Buffer,
    /// m.
    row_scales: Buffer,
    /// m × k rounded activations (float kinds).
    floats: Buffer,
    /// Of each worker: one row of weights as codes, scales, bytes of group scales, floats.
    worker_codes: Buffer,
    worker_scales: Buffer,
    worker_bytes: Buffer,
    worker_floats: Buffer,
}

impl Prepared for Ready {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (x, y, rows) = operands(&self.op, io);
        self.multiply(x, y, rows, 0..self.op.n);
        Ok(())
    }
    fn buffers(&self) -> Vec<&Buffer> {
        vec![&self.stored]
    }
    fn resident(&self) -> u64 {
        self.stored.bytes() as u64
    }
}

impl Ready {
    /// `rows` of x times `outputs` of the weights; y has as many elements a row as there are outputs.
    pub(super) fn multiply(&mut self, x: &[f32], y: &mut [f32], rows: usize, outputs: Range<usize>) {
        if self.op.integer() {
            self.integer(x, y, rows, outputs);
        } else {
            self.float(x, y, rows, outputs);
        }
    }

    fn integer(&mut self, x: &[f32], y: &mut [f32], rows: usize, outputs: Range<usize>) {
        let Self { op, tensor_scale, .. } = self;
        let (k, n, block, grouped) = (op.k, outputs.len(), op.block(), op.activations.grouped());
        let blocks = k / block;
        let (stored, bias) = (self.stored.slice::<u8>(), self.bias.slice::<f32>());
        let (y, codes) = (Split::new(y), Split::new(self.codes.slice_mut::<i8>()));
        let (scales, row_scales) = (Split::new(self.scales.slice_mut()), Split::new(self.row_scales.slice_mut()));
        let bytes = Split::new(self.worker_bytes.slice_mut());
        let (w_codes, w_scales) =
            (Split::new(self.worker_codes.slice_mut()), Split::new(self.worker_scales.slice_mut()));
        self.pool.run(&|worker| {
            let me = worker.index;
            // SAFETY: each worker takes its own stretch of the worker scratch.
            let bytes = unsafe { bytes.part(me * blocks..(me + 1) * blocks) };
            for r in worker.share(rows, 1) {
                // SAFETY: shares are disjoint, so row r is this worker's until the barrier.
                let codes = unsafe { codes.part(r * k..(r + 1) * k) };
                // SAFETY: as above.
                let scales = unsafe { scales.part(r * blocks..(r + 1) * blocks) };
                // SAFETY: as above.
                let row_scale = unsafe { row_scales.part(r..r + 1) };
                row_scale[0] = op.activations.quantize(&x[r * k..][..k], block, codes, scales, bytes) * *tensor_scale;
            }
            worker.wait();
            // SAFETY: own stretch.
            let w_codes = unsafe { w_codes.part(me * k..(me + 1) * k) };
            // SAFETY: own stretch.
            let w_scales = unsafe { w_scales.part(me * blocks..(me + 1) * blocks) };
            let row_bytes = op.weights.bytes(k);
            for j in worker.share(n, 1) {
                let weight = outputs.start + j;
                codes_of(op.weights, &stored[weight * row_bytes..][..row_bytes], w_codes, w_scales);
                for r in 0..rows {
                    // SAFETY: behind the barrier the activations are only read.
                    let a = unsafe { codes.read(r * k..(r + 1) * k) };
                    // SAFETY: as above.
                    let a_scales = unsafe { scales.read(r * blocks..(r + 1) * blocks) };
                    let mut sum = 0.0_f32;
                    for (b, w_scale) in w_scales.iter().enumerate() {
                        let at = b * block..(b + 1) * block;
                        let products = a[at.clone()].iter().zip(&w_codes[at]);
                        let exact: i32 = products.map(|(a, w)| i32::from(*a) * i32::from(*w)).sum();
                        let scaled = exact as f32 * w_scale;
                        sum += if grouped { scaled * a_scales[b] } else { scaled };
                    }
                    // SAFETY: as above.
                    let row_scale = unsafe { row_scales.read(r..r + 1) }[0];
                    // SAFETY: output (r, j) belongs to the worker whose share holds j.
                    let out = unsafe { y.part(r * n + j..r * n + j + 1) };
                    out[0] = sum * row_scale + bias[weight];
                }
            }
        });
    }

    fn float(&mut self, x: &[f32], y: &mut [f32], rows: usize, outputs: Range<usize>) {
        let op = &self.op;
        let (k, n) = (op.k, outputs.len());
        let (stored, bias, channels) =
            (self.stored.slice::<u8>(), self.bias.slice::<f32>(), self.channels.slice::<f32>());
        let (y, floats) = (Split::new(y), Split::new(self.floats.slice_mut::<f32>()));
        let row_scales = Split::new(self.row_scales.slice_mut());
        let w_floats = Split::new(self.worker_floats.slice_mut());
        self.pool.run(&|worker| {
            for r in worker.share(rows, 1) {
                // SAFETY: shares are disjoint, so row r is this worker's until the barrier.
                let floats = unsafe { floats.part(r * k..(r + 1) * k) };
                // SAFETY: as above.
                let row_scale = unsafe { row_scales.part(r..r + 1) };
                row_scale[0] = op.activations.round(&x[r * k..][..k], floats);
            }
            worker.wait();
            // SAFETY: each worker takes its own stretch of the worker scratch.
            let w = unsafe { w_floats.part(worker.index * k..(worker.index + 1) * k) };
            let row_bytes = op.weights.bytes(k);
            for j in worker.share(n, 1) {
                let weight = outputs.start + j;
                op.weights.dequantize(&stored[weight * row_bytes..][..row_bytes], 1.0, w);
                for r in 0..rows {
                    // SAFETY: behind the barrier the activations are only read.
                    let a = unsafe { floats.read(r * k..(r + 1) * k) };
                    // SAFETY: output (r, j) belongs to the worker whose share holds j.
                    let out = unsafe { y.part(r * n + j..r * n + j + 1) };
                    // SAFETY: behind the barrier the scales are only read.
                    let row_scale = unsafe { row_scales.read(r..r + 1) }[0];
                    out[0] = dot(a, w) * row_scale * channels[weight] + bias[weight];
                }
            }
        });
    }
}

/// Independent sums that run side by side: the order is fixed, and any machine may use its vectors for it.
const LANES: usize = 16;

fn dot(a: &[f32], w: &[f32]) -> f32 {
    let mut total = 0.0;
    for (a, w) in a.chunks(CHUNK).zip(w.chunks(CHUNK)) {
        let mut lanes = [0.0_f32; LANES];
        let (a, a_tail) = a.as_chunks::<LANES>();
        let (w, w_tail) = w.as_chunks::<LANES>();
        for (a, w) in a.iter().zip(w) {
            for i in 0..LANES {
                lanes[i] += a[i] * w[i];
            }
        }
        for (lane, (a, w)) in lanes.iter_mut().zip(a_tail.iter().zip(w_tail)) {
            *lane += a * w;
        }
        let mut width = LANES / 2;
        while width > 0 {
            for i in 0..width {
                lanes[i] += lanes[i + width];
            }
            width /= 2;
        }
        total += lanes[0];
    }
    total
}

/// One row of blocks as integers and the f32 scale of each block: value = code · scale (· the tensor's scale).
fn codes_of(format: Format, bytes: &[u8], codes: &mut [i8], scales: &mut [f32]) {
    let blocks = bytes.chunks_exact(format.block_bytes()).zip(codes.chunks_exact_mut(format.block()));
    for ((block, codes), scale) in blocks.zip(scales) {
        let half = || f16::decode(u16::from_le_bytes([block[0], block[1]]));
        match format {
            Format::Mxfp4 | Format::Nvfp4 => {
                // Twice each value, so half the scale: exact.
                *scale = 0.5 * if format == Format::Mxfp4 { e8m0::decode(block[0]) } else { e4m3::decode(block[0]) };
                for (pair, byte) in codes.as_chunks_mut::<2>().0.iter_mut().zip(&block[1..]) {
                    *pair = [byte & 15, byte >> 4].map(|code| e2m1::E2M1_TWICE[usize::from(code)]);
                }
            }
            Format::Q8_0 => {
                *scale = half();
                codes.iter_mut().zip(&block[2..]).for_each(|(code, byte)| *code = byte.cast_signed());
            }
            Format::Q4_0 => {
                *scale = half();
                let (low, high) = codes.split_at_mut(16);
                for ((low, high), byte) in low.iter_mut().zip(high).zip(&block[2..]) {
                    (*low, *high) = ((byte & 15) as i8 - 8, (byte >> 4) as i8 - 8);
                }
            }
            _ => unreachable!("{format} is not multiplied in integers"),
        }
    }
}
