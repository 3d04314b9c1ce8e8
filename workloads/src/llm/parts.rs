//! Where the time of a pass goes: each kind of op timed by itself, over all layers, in passes of their own beside the measured ones.
//!
//! An op is timed from the end of the one before it to its own, waited for where the device works on its own. What a pass measured as a
//! whole saves by not being looked at (a recorded step on a GPU, above all) is not in these times: their sum is the longer one.

use crate::llm::blocks::{Blocks, Settings};
use crate::llm::choose::choose;
use crate::llm::forward::{Stage, Watch};
use crate::llm::state::RunState;
use crate::llm::weights::{Part, Tensor};
use crate::llm::{Config, Model, Weights};
use spark_kernels::gemm::Gemm;
use spark_kernels::moe::Experts;
use spark_kernels::rmsnorm::RmsNorm;
use spark_kernels::{Arithmetic, Device, Fault, Live, Op};
use spark_results::Work;
use spark_results::record::OpTime;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// What one op is: its name and place among the others, and whether it reads weights or cached keys and values.
const fn kind(stage: Stage) -> (u8, &'static str, bool) {
    match stage {
        Stage::Embed => (0, "embed", false),
        Stage::AttentionNorm(_) | Stage::FeedForwardNorm(_) | Stage::FinalNorm => (1, "rmsnorm", false),
        Stage::Qkv(_) => (2, "gemm qkv", true),
        Stage::Rope(_) => (3, "rope", false),
        Stage::Attention(_) => (4, "attention", true),
        Stage::Output(_) => (5, "gemm output", true),
        Stage::Router(_) => (6, "gemm router", true),
        Stage::Route(_) => (7, "route", false),
        Stage::GateUp(_) => (8, "gemm gate and up", true),
        Stage::SwiGlu(_) => (9, "swiglu", false),
        Stage::Down(_) => (10, "gemm down", true),
        Stage::Gather => (11, "gather", false),
        Stage::Head => (12, "gemm head", true),
        Stage::Softcap => (13, "softcap", false),
        Stage::Sample => (14, "sample", false),
    }
}

/// What an op of a pass has come to.
#[derive(Debug, Default)]
struct Tally {
    calls: u64,
    work: Work,
    arithmetic: Option<Arithmetic>,
    ns: u64,
}

/// Times a pass, op by op.
struct Stopwatch<'a> {
    blocks: Blocks<'a>,
    config: &'a Config,
    settings: &'a Settings,
    weights: &'a Weights,
    device: &'a dyn Device,
    last: Instant,
    tallies: BTreeMap<(u8, &'static str, bool), Tally>,
}

impl Stopwatch<'_> {
    /// Operations and bytes of what `stage` has just done, and the arithmetic of its products.
    fn work(&self, stage: Stage, s: &RunState) -> (Work, Option<Arithmetic>) {
        let live = &s.live;
        let of = |layer, part| Tensor::Layer(layer, part);
        match stage {
            Stage::Embed => plain(&self.blocks.embed(), live),
            Stage::AttentionNorm(0) => plain(&self.blocks.norm(false), live),
            Stage::AttentionNorm(_) | Stage::FeedForwardNorm(_) => plain(&self.blocks.norm(true), live),
            Stage::FinalNorm => plain(&RmsNorm { rows: self.settings.logit_rows(), ..self.blocks.norm(true) }, live),
            Stage::Qkv(l) => self.product(&self.blocks.qkv(), of(l, Part::Qkv), live),
            Stage::Rope(l) => plain(&self.blocks.rope(self.config.windowed[l]), live),
            Stage::Attention(l) => {
                let op = self.blocks.attention(self.config.windowed[l]);
                (plain(&op, live).0, Some(op.arithmetic()))
            }
            Stage::Output(l) => self.product(&self.blocks.output(), of(l, Part::Output), live),
            Stage::Router(l) => match self.blocks.mixture(l) {
                Some(ops) => self.product(&ops.router, of(l, Part::Router), live),
                None => Default::default(),
            },
            Stage::Route(l) => self.blocks.mixture(l).map(|ops| plain(&ops.route, live)).unwrap_or_default(),
            Stage::GateUp(l) => match self.blocks.mixture(l) {
                Some(ops) => self.experts(&ops.gate_up, of(l, Part::ExpertGateUp), live),
                None => self.product(&self.blocks.gate_up(), of(l, Part::GateUp), live),
            },
            Stage::SwiGlu(_) => {
                plain(&self.blocks.swiglu(), &Live::one(live.rows() * self.config.blocks().1 as usize, 0))
            }
            Stage::Down(l) => match self.blocks.mixture(l) {
                Some(ops) => self.experts(&ops.down, of(l, Part::ExpertDown), live),
                None => self.product(&self.blocks.down(), of(l, Part::Down), live),
            },
            Stage::Gather => plain(&self.blocks.gather(), live),
            Stage::Head => self.product(&self.blocks.head(), Tensor::Head, live),
            Stage::Softcap => self.blocks.softcap().map(|op| plain(&op, live)).unwrap_or_default(),
            Stage::Sample => plain(&self.blocks.sample(), &s.last),
        }
    }
    /// Of a product, piece by piece as its weights are stored; the widest piece's arithmetic stands for all.
    fn product(&self, op: &Gemm, tensor: Tensor, live: &Live) -> (Work, Option<Arithmetic>) {
        let pieces: Vec<Gemm> =
            self.weights.pieces(tensor).into_iter().map(|(format, n, _)| Blocks::piece(op, format, n)).collect();
        let arithmetic = pieces.iter().max_by_key(|piece| piece.n).map(|piece| {
            let how = choose(piece, self.device, &self.settings.implementation);
            how.map_or_else(|_| piece.arithmetic(), |how| how.arithmetic(piece))
        });
        let works = pieces.iter().map(|piece| plain(piece, live).0);
        (works.fold(Work::default(), |sum, work| added(&sum, &work)), arithmetic)
    }
    fn experts(&self, op: &Experts, tensor: Tensor, live: &Live) -> (Work, Option<Arithmetic>) {
        let op = match self.weights.pieces(tensor).first() {
            Some((format, ..)) => Blocks::experts(op, *format),
            None => op.clone(),
        };
        let how = choose(&op, self.device, &self.settings.implementation);
        (plain(&op, live).0, Some(how.map_or_else(|_| op.arithmetic(), |how| how.arithmetic(&op))))
    }
}

/// Work of one call, whose arithmetic is nobody's bound.
fn plain<O: Op>(op: &O, live: &Live) -> (Work, Option<Arithmetic>) {
    (Work { flops: op.flops(live), bytes: op.bytes(live), ..Work::default() }, None)
}

fn added(a: &Work, b: &Work) -> Work {
    let (flops, bytes) = (a.flops.saturating_add(b.flops), a.bytes.saturating_add(b.bytes));
    Work { flops, bytes, ..Work::default() }
}

impl Watch for Stopwatch<'_> {
    fn saw(&mut self, stage: Stage, s: &RunState) -> Result<(), Fault> {
        self.device.wait()?;
        let ns = u64::try_from(self.last.elapsed().as_nanos()).unwrap_or(u64::MAX);
        let (work, arithmetic) = self.work(stage, s);
        let tally = self.tallies.entry(kind(stage)).or_default();
        tally.calls += 1;
        tally.ns = tally.ns.saturating_add(ns);
        tally.work = added(&tally.work, &work);
        tally.arithmetic = tally.arithmetic.or(arithmetic);
        // Counting is not the next op's work.
        self.last = Instant::now();
        Ok(())
    }
}

/// A pass, op by op, so often. A pass is a decode step, whose cache grows by a token each time; or the whole of `prompts`, before each
/// of which the sequences hold what `lengths` says.
pub(crate) fn timed(
    model: &mut Model,
    passes: usize,
    prompts: Option<(&[&[u32]], &[usize])>,
) -> Result<Vec<OpTime>, Fault> {
    let (config, settings) = (model.config().clone(), model.settings().clone());
    let (weights, device): (Weights, Arc<dyn Device>) = model.made_of();
    let mut all: Vec<OpTime> = Vec::new();
    for pass in 0..passes {
        let blocks = Blocks::new(&config, &settings).on(device.backend());
        let (last, tallies) = (Instant::now(), BTreeMap::new());
        let mut watch = Stopwatch {
            blocks,
            config: &config,
            settings: &settings,
            weights: &weights,
            device: &*device,
            last,
            tallies,
        };
        match prompts {
            Some((prompts, lengths)) => {
                model.rewind_each(lengths);
                watch.last = Instant::now();
                model.prefill_watched(prompts, &mut watch)?;
            }
            None => model.decode_watched(&mut watch)?,
        }
        for (at, ((_, name, streams), tally)) in watch.tallies.into_iter().enumerate() {
            if pass == 0 {
                let arithmetic = tally.arithmetic.map(|of| of.name().to_owned());
                let (name, calls, work) = (name.to_owned(), tally.calls, tally.work);
                all.push(OpTime { name, calls, work, arithmetic, streams, samples_ns: Vec::new() });
            }
            // Every pass goes through the same ops.
            if let Some(op) = all.get_mut(at) {
                op.samples_ns.push(tally.ns);
            }
        }
    }
    Ok(all)
}
