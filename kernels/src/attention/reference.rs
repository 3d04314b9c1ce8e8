//! Attention in f64, from the keys and values as they are stored, and the bound on what f32 may lose.

use super::layout::LANES;
use super::{Attention, KvType};
use crate::{Example, Expected, Host, Index};
use half::bf16;

/// The unit roundoff of f32.
const U: f64 = 1.0 / 16_777_216.0;

/// Roundings that the sums over n tokens (Σp and Σp·v, any order) may come to, relative to Σ p·|v|.
///
/// The worst case, n·u each, never happens: n independent roundings stay within λ·√n·u with probability 1 − 2·exp(−λ²/2)
/// (Higham and Mary, SIAM J. Sci. Comput. 41, 2019); λ = 6 leaves 3e-8 for each of the two sums. To that come the
/// exponential (4 u in numerator and denominator each), up to 3 roundings for each rescaling that a merge brings, the division.
fn summing(op: &Attention) -> f64 {
    2.0 * 6.0 * (op.capacity() as f64).sqrt() + 24.0
}

/// Roundings of a score, relative to the largest Σ|q·k|·scale: a dot product of d terms in any order (worst case), the scale, the
/// subtraction of the maximum and the reduction in the exponential; an error e of a score multiplies p by 1 + e, in
/// numerator and denominator.
fn scoring(op: &Attention) -> f64 {
    2.0 * (op.head_dim as f64 + 8.0)
}

/// Roundings that a softcap adds to a score, relative to the cap: tanh is no steeper than 1, so errors of its argument do not
/// grow; its own, of an exponential within 4 u, a difference, a sum and a quotient, is below 8 u; the product with the cap and
/// its base are 2 more. Twice, in numerator and denominator.
const CAPPING: f64 = 2.0 * 10.0;

/// Powers below it may be lost, beside the largest score's, 1: a sink that takes all weight leaves values no larger ones.
const UNDERFLOW: f64 = f32::MIN_POSITIVE as f64;

/// Relative to the scale [`expected`] gives, Σ p·|v| · (1 + A · scoring/summing) with A the largest Σ|q·k|·scale over the tokens
/// seen: so that the whole bound is (summing + A·scoring) · u · Σ p·|v|, and what underflows. A sink's score counts among them; a softcap adds its own.
pub(super) fn tolerance(op: &Attention) -> f64 {
    summing(op) * U
}

/// The elements at `indices` after one call on `example`.
pub(super) fn expected(op: &Attention, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let qkv = example.inputs[0].slice::<f32>();
    let mut order: Vec<_> = (0..indices.len()).collect();
    // Elements of one (row, head) share its probabilities: take them together.
    order.sort_by_key(|&i| (indices[i].output, indices[i].at));
    let mut found = vec![Expected { value: 0.0, scale: 0.0 }; indices.len()];
    let mut last: Option<(usize, Probabilities)> = None;
    for i in order {
        let Index { output, at } = indices[i];
        found[i] = if output > 0 {
            let value = cached(op, example, qkv, output, at);
            Expected { value, scale: value.abs() }
        } else {
            let pair = at / op.head_dim;
            if last.as_ref().is_none_or(|(of, _)| *of != pair) {
                last = Some((pair, Probabilities::of(op, example, qkv, pair)));
            }
            let probabilities = last.as_ref().map(|(_, p)| p);
            probabilities.map_or(found[i], |p| p.weigh(op, example, qkv, at % op.head_dim))
        };
    }
    found
}

/// (span, row in the span) of a row, or `None` if it is not live.
fn span_of(example: &Example, row: usize) -> Option<(usize, usize)> {
    let mut first = 0;
    for (i, span) in example.live.spans.iter().enumerate() {
        if row < first + span.rows {
            return Some((i, row - first));
        }
        first += span.rows;
    }
    None
}

/// An element of a cache after the call: what was there, or the new token's, rounded as stored.
fn cached(op: &Attention, example: &Example, qkv: &[f32], output: usize, at: usize) -> f64 {
    let (sequence, kv_head, slot, d) = op.layout().place(output == 1, at);
    Token::of(op, example, qkv, output, (sequence, kv_head, slot)).element(d)
}

/// The stored key (output 1) or value (output 2) of one token: appended by this call, or standing in the cache before it.
enum Token<'a> {
    New { row: &'a [f32], kv: KvType },
    Old { cache: &'a Host, at: usize, pair: usize, step: usize },
}

impl<'a> Token<'a> {
    fn of(
        op: &Attention,
        example: &'a Example,
        qkv: &'a [f32],
        output: usize,
        (sequence, kv_head, slot): (usize, usize, usize),
    ) -> Self {
        let spans = &example.live.spans;
        let new = spans.get(sequence).and_then(|s| slot.checked_sub(s.past).filter(|r| *r < s.rows));
        if let Some(new) = new {
            let row = spans[..sequence].iter().map(|s| s.rows).sum::<usize>() + new;
            let head = op.heads + (output - 1) * op.kv_heads + kv_head;
            return Token::New { row: &qkv[row * op.input_row() + head * op.head_dim..][..op.head_dim], kv: op.kv };
        }
        let (layout, cache) = (op.layout(), &example.outputs[output]);
        if output == 2 {
            return Token::Old { cache, at: layout.value(sequence, kv_head, slot, 0), pair: 1, step: 1 };
        }
        let pair = layout.pair();
        Token::Old { cache, at: layout.key(sequence, kv_head, slot, 0), pair, step: LANES * pair }
    }

    fn element(&self, d: usize) -> f64 {
        match self {
            Token::New { row, kv: KvType::F32 } => f64::from(row[d]),
            Token::New { row, kv: KvType::Bf16 } => f64::from(bf16::from_f32(row[d])),
            Token::Old { cache, at, pair, step } => cache.value(at + d / pair * step + d % pair),
        }
    }
}

/// The softmax of one (row, head).
struct Probabilities {
    live: Option<(usize, usize)>,
    /// The first token that is seen.
    first: usize,
    /// Of the tokens from there on.
    p: Vec<f64>,
    /// Roundings of scores.
    roundings: f64,
}

impl Probabilities {
    fn of(op: &Attention, example: &Example, qkv: &[f32], pair: usize) -> Self {
        let (row, head) = (pair / op.heads, pair % op.heads);
        let Some((sequence, r)) = span_of(example, row) else {
            return Self { live: None, first: 0, p: Vec::new(), roundings: 0.0 };
        };
        let (kv_head, seen) = (head / op.group(), example.live.spans[sequence].past + r + 1);
        let first = seen.saturating_sub(op.window.unwrap_or(usize::MAX));
        let q = &qkv[row * op.input_row() + head * op.head_dim..][..op.head_dim];
        let scale = op.scale.map_or_else(|| 1.0 / (op.head_dim as f64).sqrt(), f64::from);
        let (mut p, mut largest) = (Vec::with_capacity(seen - first), 0.0_f64);
        for slot in first..seen {
            let (mut score, mut magnitude) = (0.0, 0.0);
            let key = Token::of(op, example, qkv, 1, (sequence, kv_head, slot));
            for (d, &q) in q.iter().enumerate() {
                let product = f64::from(q) * key.element(d);
                score += product;
                magnitude += product.abs();
            }
            score *= scale;
            p.push(op.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh()));
            largest = largest.max(magnitude * scale);
        }
        let sink = op.sinks.then(|| f64::from(example.weights[0].slice::<f32>()[head]));
        let max = p.iter().copied().fold(sink.unwrap_or(f64::NEG_INFINITY), f64::max);
        p.iter_mut().for_each(|p| *p = (*p - max).exp());
        let sum = p.iter().sum::<f64>() + sink.map_or(0.0, |sink| (sink - max).exp());
        p.iter_mut().for_each(|p| *p /= sum);
        let largest = largest.max(sink.map_or(0.0, f64::abs));
        let roundings = largest * scoring(op) + op.softcap.map_or(0.0, |cap| f64::from(cap) * CAPPING);
        Self { live: Some((sequence, kv_head)), first, p, roundings }
    }

    /// Element `d` of the output; rows that are not live stay as they were, zero.
    fn weigh(&self, op: &Attention, example: &Example, qkv: &[f32], d: usize) -> Expected {
        let Some((sequence, kv_head)) = self.live else { return Expected { value: 0.0, scale: 0.0 } };
        let (mut value, mut magnitude, mut lost) = (0.0, 0.0, 0.0);
        for (slot, p) in self.p.iter().enumerate() {
            let element = Token::of(op, example, qkv, 2, (sequence, kv_head, self.first + slot)).element(d);
            value += p * element;
            magnitude += (p * element).abs();
            lost += UNDERFLOW * element.abs();
        }
        Expected { value, scale: magnitude * (1.0 + self.roundings / summing(op)) + lost / tolerance(op) }
    }
}
