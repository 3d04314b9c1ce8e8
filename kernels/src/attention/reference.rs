//! Attention in f64, from the keys and values as they are stored, and the bound on what f32 may lose.

use super::layout::{Element, LANES, Place};
use super::stored::{code, scales_of};
use super::{Attention, KvType};
use crate::format::e4m3;
use crate::gemm::Activations;
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

/// Roundings of a score, relative to the largest Σ|q·k|·scale: a dot product of d terms in any order (worst case), the scales, the
/// subtraction of the maximum and the reduction in the exponential; an error e of a score multiplies p by 1 + e, in
/// numerator and denominator.
fn scoring(op: &Attention) -> f64 {
    2.0 * (op.head_dim as f64 + 10.0)
}

/// Roundings that a softcap adds to a score, relative to the cap: tanh is no steeper than 1, so errors of its argument do not
/// grow; its own, of an exponential within 4 u, a difference, a sum and a quotient, is below 8 u; the product with the cap and
/// its base are 2 more. Twice, in numerator and denominator.
const CAPPING: f64 = 2.0 * 10.0;

/// Over int8 a query may be rounded to this part of its largest element, so that integer dot products take it: 15 bits and the
/// sign, half a step of max ÷ 32512.
const QUERY_STEP: f64 = 0.5 / 32512.0;
/// Over int8 a probability times its value's scale may be rounded to this part of the largest of [`NEIGHBOURS`]: 16 bits, half a step.
const WEIGHT_STEP: f64 = 0.5 / 65535.0;
/// Such a weight below it, beside the largest probability, 1, may be taken for 0: 65535 over less overflows.
pub(super) const LEAST_WEIGHT: f32 = 1e-33;
/// Tokens whose weights are rounded together: 64, from a multiple of 64 on.
const NEIGHBOURS: usize = 64;

/// What rounding to bf16 may change an element by, relative to it.
const U_BF16: f64 = 1.0 / 256.0;
/// Roundings of probabilities to bf16, independent and without a bias, sum to at most λ · U_BF16 · √Σ(p·v)² with probability
/// 1 − 2·exp(−λ²/2) (Hoeffding), and to U_BF16 · Σ p·|v| however they fall.
const LAMBDA: f64 = 6.0;

/// A query element as it is multiplied.
pub(super) fn query(op: &Attention, q: f32) -> f32 {
    if op.activations == Activations::Bf16 { bf16::from_f32(q).to_f32() } else { q }
}

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
    let Place { sequence, kv_head, slot, part } = op.layout().place(output == 1, at);
    match (Token::of(op, example, qkv, output, (sequence, kv_head, slot)), part) {
        (Token::New { row, kv: KvType::Int8, scale, inverse }, part) => match part {
            Element::At(d) if output == 1 => f64::from(code(row[d], inverse).wrapping_add(-128) as u8),
            Element::At(d) => f64::from(code(row[d], inverse) as u8),
            Element::Scale(byte) => f64::from(scale.to_ne_bytes()[byte]),
        },
        (Token::New { row, kv: KvType::Fp8, .. }, Element::At(d)) => f64::from(e4m3::encode(row[d])),
        (token @ Token::New { .. }, Element::At(d)) => token.element(d),
        _ => example.outputs[output].value(at),
    }
}

/// The stored key (output 1) or value (output 2) of one token: appended by this call, or standing in the cache before it.
enum Token<'a> {
    New { row: &'a [f32], kv: KvType, scale: f32, inverse: f32 },
    Old { cache: &'a Host, kv: KvType, at: usize, pair: usize, step: usize, scale: Option<f64>, keys: bool },
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
            let row = &qkv[row * op.input_row() + head * op.head_dim..][..op.head_dim];
            let (scale, inverse) = if op.kv == KvType::Int8 { scales_of(row) } else { (1.0, 1.0) };
            return Token::New { row, kv: op.kv, scale, inverse };
        }
        let (layout, cache, keys) = (op.layout(), &example.outputs[output], output == 1);
        let scale = layout.scale(sequence, kv_head, slot).map(|at| {
            let bytes = &cache.slice::<u8>()[at..at + 4];
            f64::from(f32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        });
        if !keys {
            let at = layout.value(sequence, kv_head, slot, 0);
            return Token::Old { cache, kv: op.kv, at, pair: 1, step: layout.tokens(), scale, keys };
        }
        let pair = layout.pair();
        let at = layout.key(sequence, kv_head, slot, 0);
        Token::Old { cache, kv: op.kv, at, pair, step: LANES * pair, scale, keys }
    }

    fn element(&self, d: usize) -> f64 {
        match self {
            Token::New { row, kv: KvType::F32, .. } => f64::from(row[d]),
            Token::New { row, kv: KvType::Bf16, .. } => f64::from(bf16::from_f32(row[d])),
            Token::New { row, kv: KvType::Fp8, .. } => f64::from(e4m3::nearest(row[d])),
            Token::New { row, kv: KvType::Int8, scale, inverse } => {
                f64::from(code(row[d], *inverse)) * f64::from(*scale)
            }
            Token::Old { cache, kv, at, pair, step, scale, keys } => {
                let stored = cache.value(at + d / pair * step + d % pair);
                match scale {
                    None if *kv == KvType::Fp8 => f64::from(e4m3::decode(stored as u8)),
                    None => stored,
                    Some(scale) if *keys => (stored - 128.0) * scale,
                    Some(scale) => f64::from(stored as u8 as i8) * scale,
                }
            }
        }
    }

    /// Of an int8 token, what one step of its codes is.
    fn step(&self) -> f64 {
        match self {
            Token::New { scale, .. } => f64::from(*scale),
            Token::Old { scale, .. } => scale.unwrap_or(0.0),
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
        let (mut p, mut largest, mut rounded) = (Vec::with_capacity(seen - first), 0.0_f64, 0.0_f64);
        let q: Vec<f32> = q.iter().map(|q| query(op, *q)).collect();
        let largest_query = q.iter().fold(0.0, |max: f64, q| max.max(f64::from(q.abs())));
        for slot in first..seen {
            let (mut score, mut magnitude) = (0.0, 0.0);
            let key = Token::of(op, example, qkv, 1, (sequence, kv_head, slot));
            for (d, &q) in q.iter().enumerate() {
                let product = f64::from(q) * key.element(d);
                score += product;
                magnitude += product.abs();
            }
            score *= scale;
            if op.kv == KvType::Int8 {
                let lost = QUERY_STEP * largest_query * (0..op.head_dim).map(|d| key.element(d).abs()).sum::<f64>();
                rounded = rounded.max(2.0 * lost * scale / U);
            }
            p.push(op.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh()));
            largest = largest.max(magnitude * scale);
        }
        let sink = op.sinks.then(|| f64::from(example.weights[0].slice::<f32>()[head]));
        let max = p.iter().copied().fold(sink.unwrap_or(f64::NEG_INFINITY), f64::max);
        p.iter_mut().for_each(|p| *p = (*p - max).exp());
        let sum = p.iter().sum::<f64>() + sink.map_or(0.0, |sink| (sink - max).exp());
        p.iter_mut().for_each(|p| *p /= sum);
        let largest = largest.max(sink.map_or(0.0, f64::abs));
        let roundings = largest * scoring(op) + rounded + op.softcap.map_or(0.0, |cap| f64::from(cap) * CAPPING);
        Self { live: Some((sequence, kv_head)), first, p, roundings }
    }

    /// Element `d` of the output; rows that are not live stay as they were, zero.
    fn weigh(&self, op: &Attention, example: &Example, qkv: &[f32], d: usize) -> Expected {
        let Some((sequence, kv_head)) = self.live else { return Expected { value: 0.0, scale: 0.0 } };
        let (mut value, mut magnitude, mut lost, mut squares) = (0.0, 0.0, 0.0, 0.0);
        // Of the present neighbours: the largest weight, and the codes it is a step of.
        let (mut weight, mut codes) = (0.0_f64, 0.0);
        for (slot, p) in (self.first..).zip(&self.p) {
            let token = Token::of(op, example, qkv, 2, (sequence, kv_head, slot));
            let element = token.element(d);
            value += p * element;
            magnitude += (p * element).abs();
            squares += (p * element).powi(2);
            lost += UNDERFLOW * element.abs();
            if op.kv == KvType::Int8 && token.step() > 0.0 {
                weight = weight.max(p * token.step());
                codes += (element / token.step()).abs();
                lost += f64::from(LEAST_WEIGHT) * (element / token.step()).abs();
            }
            if slot % NEIGHBOURS == NEIGHBOURS - 1 || slot == self.first + self.p.len() - 1 {
                lost += WEIGHT_STEP * weight * codes;
                (weight, codes) = (0.0, 0.0);
            }
        }
        if op.activations == Activations::Bf16 {
            lost += U_BF16 * magnitude.min(LAMBDA * squares.sqrt());
        }
        Expected { value, scale: magnitude * (1.0 + self.roundings / summing(op)) + lost / tolerance(op) }
    }
}
