//! The choice of experts: the largest of a router's logits, and the weight that each chosen expert's word has.
//!
//! | operand | type | shape |
//! |---|---|---|
//! | inputs\[0\] logits | f32 | rows × experts; with `shared` one more a row, the gate's |
//! | outputs\[0\] ids, the largest logit first, of equals the lower id | u32 | rows × (active + shared) |
//! | outputs\[1\] weights | f32 | rows × (active + shared) |
//!
//! The weights are the softmax over the chosen logits where `normalised` (gpt-oss; the same as Qwen3's softmax over all with
//! `norm_topk_prob`), else the chosen ones' parts of the softmax over all. With a [`Routing`] other than the router's the ids
//! are drawn by `seed`, span and position instead, and the logits give the weights alone.
//!
//! `shared` experts, numbered from `experts` on, follow the chosen ones of every token, each with the weight sigmoid(gate) (Qwen2).

use super::routing::{Draw, Routing};
use crate::cpu::Cpu;
use crate::cpu::pool::Pool;
use crate::cpu::share::share;
use crate::cpu::variant::{fits, operands, rows_in_use};
use crate::format::splitmix::derive;
use crate::format::synth::synth_f32;
use crate::math::exp_f32;
use crate::{
    Arithmetic, AxisValue, Backend, Buffer, Device, Example, Expected, Fault, Implementation, Index, Invalid, Io, Live,
    Op, Prepared, Shape, Span, Type, Unsupported,
};
use std::sync::Arc;

/// The operation at one shape; see the module for its operands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Tokens at most.
    pub rows: usize,
    /// Experts there are.
    pub experts: usize,
    /// Experts a token is given to.
    pub active: usize,
    /// Experts beside those that every token is given to.
    pub shared: usize,
    /// Whether the weights of a token sum to 1.
    pub normalised: bool,
    /// Where the ids come from.
    pub routing: Routing,
    /// Of the draw.
    pub seed: u64,
}

static IMPLEMENTATIONS: &[&dyn Implementation<Route>] = &[&Scalar, &super::cuda::NAIVE];

impl Op for Route {
    const NAME: &'static str = "route";

    fn implementations() -> &'static [&'static dyn Implementation<Self>] {
        IMPLEMENTATIONS
    }
    fn validate(&self) -> Result<(), Invalid> {
        let Self { rows, experts, active, shared, .. } = *self;
        if rows == 0 || active == 0 {
            return Err(Invalid(format!("route: rows {rows} and active {active} have to be at least 1")));
        }
        if active > experts {
            return Err(Invalid(format!("route: active {active} has to be at most {experts}, the experts there are")));
        }
        if experts > 1 << 20 || shared > 1 << 20 {
            return Err(Invalid(format!("route: experts {experts} and shared {shared} have to be at most 2^20")));
        }
        fits(Self::NAME, &[rows, experts + shared])
    }
    fn axes(&self) -> Vec<(&'static str, AxisValue)> {
        let mut axes =
            vec![("active", self.active.into()), ("experts", self.experts.into()), ("rows", self.rows.into())];
        if self.shared > 0 {
            axes.push(("shared", self.shared.into()));
        }
        if !self.normalised {
            axes.push(("normalised", "no".into()));
        }
        if self.routing != Routing::Router {
            axes.push(("routing", self.routing.name().into()));
        }
        axes
    }
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::F32
    }
    /// Subtraction, exponential, sum and quotient of each weight that is formed; comparisons are not counted.
    fn flops(&self, live: &Live) -> u64 {
        // Negation, exponential, sum and quotient of the gate.
        let gate = if self.shared > 0 { 4 } else { 0 };
        (live.rows() * (2 * self.active + 2 * self.weighed() + gate)) as u64
    }
    fn bytes(&self, live: &Live) -> u64 {
        (live.rows() * (self.logits() + 2 * self.taken()) * 4) as u64
    }
    fn outputs(&self) -> Vec<Shape> {
        let len = self.rows * self.taken();
        vec![Shape { of: Type::U32, len }, Shape { of: Type::F32, len }]
    }
    fn operand_bytes(&self) -> u64 {
        (self.rows * self.logits() * 4) as u64
    }
    fn live(&self) -> Live {
        // Two sequences, of which the second has come some way.
        let first = self.rows.div_ceil(2);
        let spans = [Span { rows: first, past: 0 }, Span { rows: self.rows - first, past: 7 }];
        Live { spans: spans.into_iter().filter(|span| span.rows > 0).collect() }
    }
    fn example(&self, seed: u64) -> Example {
        let logits = synth_f32(self.rows * self.logits(), derive(seed, 0), 1.3);
        let len = self.rows * self.taken();
        let outputs = vec![vec![0_u32; len].into(), vec![0.0_f32; len].into()];
        Example { weights: vec![], inputs: vec![logits.into()], outputs, live: self.live() }
    }
    fn reference(&self, example: &Example, indices: &[Index]) -> Vec<Expected> {
        super::reference::route(self, example, indices)
    }
    /// In units of u = 2⁻²⁴, relative to the weight times 1 + |logit − largest|: the difference 1 in the exponent, which the
    /// second part of the scale makes relative; the exponential 4, in numerator and denominator; the sum as many as it has
    /// terms, the errors of their exponents Σ p·|x| ≤ ln n + 1; the quotient 1.
    fn tolerance(&self) -> f64 {
        let terms = self.weighed() as f64;
        (4.0 + 4.0 + terms + terms.ln() + 3.0) * 2f64.powi(-24)
    }
    fn nasty() -> Vec<Self> {
        let mut all = Vec::new();
        for (rows, experts, active) in [(1, 1, 1), (1, 32, 4), (3, 128, 8), (5, 8, 8), (70, 60, 6), (33, 300, 3)] {
            for normalised in [true, false] {
                for routing in Routing::ALL {
                    let shared = if rows % 2 == 0 || experts == 32 { rows % 4 + 1 } else { 0 };
                    all.push(Self { rows, experts, active, shared, normalised, routing, seed: 3 });
                }
            }
        }
        all
    }
}

impl Route {
    /// Logits a row.
    pub fn logits(&self) -> usize {
        self.experts + usize::from(self.shared > 0)
    }
    /// Experts a token is given to, shared ones among them.
    pub fn taken(&self) -> usize {
        self.active + self.shared
    }
    /// Logits that the softmax is over.
    fn weighed(&self) -> usize {
        if self.normalised { self.active } else { self.experts }
    }
}

/// The largest of `logits`, the largest first, of equals the lower index. `chosen` is at most as long. Errors: a NaN.
fn largest(logits: &[f32], chosen: &mut [u32]) -> Result<(), ()> {
    let mut found = 0;
    for (expert, logit) in logits.iter().enumerate() {
        if logit.is_nan() {
            return Err(());
        }
        let mut at = found;
        while at > 0 && logits[chosen[at - 1] as usize] < *logit {
            at -= 1;
        }
        if at < chosen.len() {
            let end = found.min(chosen.len() - 1);
            chosen.copy_within(at..end, at + 1);
            chosen[at] = expert as u32;
            found = end + 1;
        }
    }
    Ok(())
}

/// Plain f32, the same on every machine.
#[derive(Debug)]
struct Scalar;

impl Implementation<Route> for Scalar {
    fn name(&self) -> &'static str {
        "scalar"
    }
    fn backend(&self) -> Backend {
        Backend::Cpu
    }
    fn supports(&self, op: &Route, device: &dyn Device) -> Result<(), Unsupported> {
        Cpu::of(device)?;
        op.validate().map_err(|invalid| Unsupported(invalid.0))
    }
    fn prepare(&self, op: &Route, weights: &[Buffer], device: &dyn Device) -> Result<Box<dyn Prepared>, Fault> {
        self.supports(op, device)?;
        if !weights.is_empty() {
            return Err(operands(Route::NAME, "no weights"));
        }
        let draw = (op.routing != Routing::Router).then(|| Draw::new(op.routing, op.experts, op.seed));
        Ok(Box::new(Ready { op: op.clone(), draw, pool: Cpu::of(device)?.pool().clone() }))
    }
}

#[derive(Debug)]
struct Ready {
    op: Route,
    draw: Option<Draw>,
    pool: Arc<Pool>,
}

impl Prepared for Ready {
    fn run(&mut self, io: &mut Io<'_>) -> Result<(), Fault> {
        let Self { op, draw, pool } = &*self;
        let rows = rows_in_use(Route::NAME, io.live, op.rows)?;
        let live = io.live;
        let ([logits], [ids, weights]) = (io.inputs, &mut *io.outputs) else {
            return Err(operands(Route::NAME, "the logits, and as outputs ids and weights"));
        };
        let (logits, k) = (&logits.slice::<f32>()[..rows * op.logits()], op.taken());
        // A row takes about as long as its logits are many; a hand-over about as long as some thousands.
        let grain = (8192 / op.experts).max(1);
        let failed = std::sync::atomic::AtomicUsize::new(usize::MAX);
        share(pool, (rows, grain), (ids.slice_mut(), weights.slice_mut()), (k, k), &|range, ids, weights| {
            let places =
                live.spans.iter().enumerate().flat_map(|(i, s)| (s.past..s.past + s.rows).map(move |p| (i, p)));
            let outputs = ids.chunks_exact_mut(k).zip(weights.chunks_exact_mut(k));
            for ((row, (ids, weights)), (sequence, position)) in
                range.clone().zip(outputs).zip(places.skip(range.start))
            {
                let (logits, gate) = logits[row * op.logits()..][..op.logits()].split_at(op.experts);
                let (ids, shared_ids) = ids.split_at_mut(op.active);
                let (weights, shared_weights) = weights.split_at_mut(op.active);
                if largest(logits, ids).is_err() || gate.iter().any(|gate| gate.is_nan()) {
                    failed.fetch_min(row, std::sync::atomic::Ordering::Relaxed);
                    continue;
                }
                let most = logits[ids[0] as usize];
                if let Some(draw) = draw {
                    draw.experts(sequence, position, ids);
                }
                weigh(op, logits, most, ids, weights);
                for (i, (id, weight)) in shared_ids.iter_mut().zip(shared_weights).enumerate() {
                    (*id, *weight) = ((op.experts + i) as u32, 1.0 / (1.0 + exp_f32(-gate[0])));
                }
            }
        });
        match failed.into_inner() {
            usize::MAX => Ok(()),
            row => Err(Fault::Device(format!("route: logits of row {row} are NaN; look for what made them so"))),
        }
    }
    fn resident(&self) -> u64 {
        0
    }
}

/// The softmax at the chosen ones, relative to the largest of all.
fn weigh(op: &Route, logits: &[f32], most: f32, ids: &[u32], weights: &mut [f32]) {
    // Relative to the largest chosen one where they are normalised, or a draw of small ones alone would underflow.
    let chosen = ids.iter().map(|id| logits[*id as usize]);
    let most = if op.normalised { chosen.fold(f32::NEG_INFINITY, f32::max) } else { most };
    let mut sum = 0.0;
    if !op.normalised {
        logits.iter().for_each(|logit| sum += exp_f32(logit - most));
    }
    for (weight, id) in weights.iter_mut().zip(ids) {
        *weight = exp_f32(logits[*id as usize] - most);
        if op.normalised {
            sum += *weight;
        }
    }
    weights.iter_mut().for_each(|weight| *weight /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_of_equals_the_lower() {
        let mut chosen = [9; 3];
        largest(&[1.0, 5.0, 5.0, -2.0, 7.0, 5.0], &mut chosen).unwrap();
        assert_eq!(chosen, [4, 1, 2]);
        largest(&[f32::NEG_INFINITY, f32::NEG_INFINITY, 0.0], &mut chosen).unwrap();
        assert_eq!(chosen, [2, 0, 1]);
        assert!(largest(&[0.0, f32::NAN, 1.0], &mut chosen).is_err());
    }
}
