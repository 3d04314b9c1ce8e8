//! Attention in plain Rust: one fixed order of f32 operations, bit for bit the same on every machine and thread count.
#![expect(unsafe_code, reason = "workers write disjoint parts of scratch and output")]

use super::append::Caches;
use super::check::{operands, sinks};
use super::layout::LANES;
use super::reference::query;
use super::stored::Stored;
use super::{Attention, KvType};
use crate::cpu::Cpu;
use crate::cpu::pool::Pool;
use crate::cpu::split::Split;
use crate::math::exp_f32;
use crate::{Backend, Buffer, Device, E4m3, Fault, Implementation, Io, Op, Placement, Prepared, Type, Unsupported};
use half::bf16;
use std::marker::PhantomData;
use std::sync::Arc;

/// Plain Rust.
#[derive(Debug)]
pub(super) struct Scalar;

impl Implementation<Attention> for Scalar {
    fn name(&self) -> &'static str {
        "scalar"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Attention, device: &dyn Device) -> Result<(), Unsupported> {
        op.validate().map_err(|invalid| Unsupported(invalid.0))?;
        Cpu::of(device).map(drop)
    }
    fn prepare(&self, op: &Attention, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        let pool = Cpu::of(device)?.pool().clone();
        let scores = Buffer::host(Type::F32, pool.threads() * op.layout().slots(), Placement::Fast)?;
        let (op, sinks) = (*op, sinks(op, weights)?.to_vec());
        Ok(match op.kv {
            KvType::F32 => Box::new(Ready::<f32> { op, pool, scores, sinks, kv: PhantomData }),
            KvType::Bf16 => Box::new(Ready::<bf16> { op, pool, scores, sinks, kv: PhantomData }),
            KvType::Int8 => Box::new(Ready::<u8> { op, pool, scores, sinks, kv: PhantomData }),
            KvType::Fp8 => Box::new(Ready::<E4m3> { op, pool, scores, sinks, kv: PhantomData }),
        })
    }
}

#[derive(Debug)]
struct Ready<T> {
    op: Attention,
    pool: Arc<Pool>,
    /// One row of scores a worker, as long as a region has slots.
    scores: Buffer,
    /// A score a head; empty without sinks.
    sinks: Vec<f32>,
    kv: PhantomData<T>,
}

impl<T: Stored> Prepared for Ready<T> {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let (op, spans) = (self.op, io.live.spans.as_slice());
        let operands = operands(&op, io)?;
        let caches = Caches::<T>::new(op.layout(), operands.keys, operands.values);
        let (qkv, out, slots) = (operands.qkv, Split::new(operands.out), op.layout().slots());
        let sinks = self.sinks.as_slice();
        let scores = Split::new(self.scores.slice_mut::<f32>());
        self.pool.run(&|worker| {
            caches.append(&op, &worker, qkv, spans);
            worker.wait();
            // SAFETY: one row a worker.
            let scores = unsafe { scores.part(worker.index * slots..(worker.index + 1) * slots) };
            let mut pair = 0;
            for (row, (sequence, seen)) in rows(spans).enumerate() {
                for head in 0..op.heads {
                    pair += 1;
                    if pair % worker.count != worker.index {
                        continue;
                    }
                    // SAFETY: past the barrier nobody writes to the caches.
                    let (keys, values) = unsafe { caches.region(sequence, head / op.group()) };
                    let q = &qkv[row * op.input_row() + head * op.head_dim..][..op.head_dim];
                    let at = (row * op.heads + head) * op.head_dim;
                    // SAFETY: each (row, head) belongs to one worker.
                    let out = unsafe { out.part(at..at + op.head_dim) };
                    let sink = sinks.get(head).copied();
                    attend(&op, q, keys, values, &mut scores[..seen.next_multiple_of(LANES)], seen, sink, out);
                }
            }
        });
        Ok(())
    }
    fn resident(&self) -> u64 {
        0
    }
}

/// (sequence, tokens seen) of every live row.
fn rows(spans: &[crate::Span]) -> impl Iterator<Item = (usize, usize)> + '_ {
    spans.iter().enumerate().flat_map(|(sequence, span)| (0..span.rows).map(move |r| (sequence, span.past + r + 1)))
}

/// One query head of one row.
#[expect(clippy::too_many_arguments, reason = "the operands of attention")]
fn attend<T: Stored>(
    op: &Attention,
    q: &[f32],
    keys: &[T],
    values: &[T],
    scores: &mut [f32],
    seen: usize,
    sink: Option<f32>,
    out: &mut [f32],
) {
    let (dim, scale) = (q.len(), op.scale());
    let first = seen.saturating_sub(op.window.unwrap_or(usize::MAX));
    let blocks = scores.as_chunks_mut::<LANES>().0.iter_mut().zip(keys.chunks_exact(T::block(dim)));
    for (scores, keys) in blocks.skip(first / LANES) {
        let mut sums = [0.0_f32; LANES];
        for (d, q) in q.iter().enumerate() {
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum += query(op, *q) * T::key(keys, dim, lane, d);
            }
        }
        for (score, sum) in scores.iter_mut().zip(sums) {
            *score = softcapped(sum * scale, op.softcap);
        }
    }
    let scores = &mut scores[first..seen];
    let max = scores.iter().copied().fold(sink.unwrap_or(f32::NEG_INFINITY), f32::max);
    let mut total = sink.map_or(0.0, |sink| exp_f32(sink - max));
    for score in &mut *scores {
        *score = exp_f32(*score - max);
        total += *score;
    }
    out.fill(0.0);
    for (p, slot) in scores.iter().zip(first..) {
        let block = &values[slot / LANES * T::block(dim)..][..T::block(dim)];
        for (d, out) in out.iter_mut().enumerate() {
            *out += p * T::value(block, dim, slot % LANES, d);
        }
    }
    for out in out {
        *out /= total;
    }
}

/// cap·tanh(score/cap), with tanh = (1 − t)/(1 + t), t = e^(−2·|score|/cap).
fn softcapped(score: f32, cap: Option<f32>) -> f32 {
    let Some(cap) = cap else { return score };
    let t = exp_f32(-2.0 * (score / cap).abs());
    cap * ((1.0 - t) / (1.0 + t)).copysign(score)
}
