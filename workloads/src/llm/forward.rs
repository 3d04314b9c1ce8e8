//! The forward pass: tokens to logits of the last token of each sequence.

use crate::llm::Config;
use crate::llm::state::RunState;
use spark_kernels::{Buffer, Fault, Io, Live, Prepared};

/// The prepared ops of a model. What has no weights is shared by all layers: its scratch is, not its data.
#[derive(Debug)]
pub struct Ops {
    pub(crate) embed: Box<dyn Prepared>,
    pub(crate) layers: Vec<LayerOps>,
    pub(crate) rope: Box<dyn Prepared>,
    pub(crate) attention: Box<dyn Prepared>,
    pub(crate) swiglu: Box<dyn Prepared>,
    pub(crate) final_norm: Box<dyn Prepared>,
    pub(crate) head: Box<dyn Prepared>,
    pub(crate) sample: Box<dyn Prepared>,
}

/// The prepared ops of one layer.
#[derive(Debug)]
pub struct LayerOps {
    pub(crate) attention_norm: Box<dyn Prepared>,
    pub(crate) qkv: Box<dyn Prepared>,
    /// Gains of the norms of query and key heads, where there are such.
    pub(crate) head_gains: Option<[Buffer; 2]>,
    pub(crate) output: Box<dyn Prepared>,
    pub(crate) feed_forward_norm: Box<dyn Prepared>,
    pub(crate) gate_up: Box<dyn Prepared>,
    pub(crate) down: Box<dyn Prepared>,
}

impl Ops {
    /// The ops whose weights a pass reads.
    pub(crate) fn weighty(&self) -> impl Iterator<Item = &dyn Prepared> {
        let layers = self.layers.iter().flat_map(|l| [&l.qkv, &l.output, &l.gate_up, &l.down]);
        layers.chain([&self.embed, &self.head]).map(|op| &**op)
    }
}

/// What a pass has just computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// tokens → x.
    Embed,
    /// x (+ delta) → x, h.
    AttentionNorm(usize),
    /// h → qkv.
    Qkv(usize),
    /// qkv turned in place.
    Rope(usize),
    /// qkv → attended, caches.
    Attention(usize),
    /// attended → delta.
    Output(usize),
    /// The last tokens' x and delta → last_x, last_delta.
    Gather,
    /// x + delta → x, h; in the last layer last_x and last_delta.
    FeedForwardNorm(usize),
    /// h → gate_up.
    GateUp(usize),
    /// gate_up → activated.
    SwiGlu(usize),
    /// activated → delta; in the last layer last_delta.
    Down(usize),
    /// last_x + last_delta → last_x, h.
    FinalNorm,
    /// h → logits.
    Head,
    /// logits → tokens.
    Sample,
}

/// Whoever looks on while a pass runs: nobody in a timed one.
pub(crate) trait Watch {
    fn saw(&mut self, stage: Stage, state: &RunState) -> Result<(), Fault>;
}

/// Nobody.
pub(crate) struct Unwatched;

impl Watch for Unwatched {
    #[inline]
    fn saw(&mut self, _: Stage, _: &RunState) -> Result<(), Fault> {
        Ok(())
    }
}

fn run<'a>(
    op: &mut Box<dyn Prepared>,
    inputs: &'a [&'a Buffer],
    outputs: &'a mut [&'a mut Buffer],
    live: &'a Live,
) -> Result<(), Fault> {
    op.run(&mut Io { inputs, outputs, live })
}

/// All layers for the tokens in `s.tokens`, spans as in `s.live`, up to the last layer's feed-forward block, and x and delta of
/// the last row of each span that has rows into `s.last_x`, `s.last_delta` at its sequence's place.
pub(crate) fn body(c: &Config, ops: &mut Ops, s: &mut RunState, watch: &mut impl Watch) -> Result<(), Fault> {
    run(&mut ops.embed, &[&s.tokens], &mut [&mut s.x], &s.live)?;
    watch.saw(Stage::Embed, s)?;
    for layer in 0..c.layers {
        let own = &mut ops.layers[layer];
        if layer == 0 {
            run(&mut own.attention_norm, &[&s.x], &mut [&mut s.h], &s.live)?;
        } else {
            run(&mut own.attention_norm, &[&s.delta], &mut [&mut s.h, &mut s.x], &s.live)?;
        }
        watch.saw(Stage::AttentionNorm(layer), s)?;
        run(&mut own.qkv, &[&s.h], &mut [&mut s.qkv], &s.live)?;
        watch.saw(Stage::Qkv(layer), s)?;
        match &own.head_gains {
            Some([q, k]) => run(&mut ops.rope, &[q, k], &mut [&mut s.qkv], &s.live)?,
            None => run(&mut ops.rope, &[], &mut [&mut s.qkv], &s.live)?,
        }
        watch.saw(Stage::Rope(layer), s)?;
        let [keys, values] = &mut s.caches[layer];
        run(&mut ops.attention, &[&s.qkv], &mut [&mut s.attended, keys, values], &s.live)?;
        watch.saw(Stage::Attention(layer), s)?;
        run(&mut own.output, &[&s.attended], &mut [&mut s.delta], &s.live)?;
        watch.saw(Stage::Output(layer), s)?;
        if layer + 1 < c.layers {
            run(&mut own.feed_forward_norm, &[&s.delta], &mut [&mut s.h, &mut s.x], &s.live)?;
            watch.saw(Stage::FeedForwardNorm(layer), s)?;
            run(&mut own.gate_up, &[&s.h], &mut [&mut s.gate_up], &s.live)?;
            watch.saw(Stage::GateUp(layer), s)?;
            run(&mut ops.swiglu, &[&s.gate_up], &mut [&mut s.activated], &s.live)?;
            watch.saw(Stage::SwiGlu(layer), s)?;
            run(&mut own.down, &[&s.activated], &mut [&mut s.delta], &s.live)?;
            watch.saw(Stage::Down(layer), s)?;
        }
    }
    gather(c.hidden, s);
    watch.saw(Stage::Gather, s)
}

/// Copies the last row of each span that has rows. On a later row the same place is written over.
fn gather(hidden: usize, s: &mut RunState) {
    let mut end = 0;
    for (sequence, span) in s.live.spans.iter().enumerate().filter(|(_, span)| span.rows > 0) {
        end += span.rows;
        let (from, to) = ((end - 1) * hidden..end * hidden, sequence * hidden..(sequence + 1) * hidden);
        s.last_x.slice_mut::<f32>()[to.clone()].copy_from_slice(&s.x.slice::<f32>()[from.clone()]);
        s.last_delta.slice_mut::<f32>()[to].copy_from_slice(&s.delta.slice::<f32>()[from]);
    }
}

/// The last layer's feed-forward block and the head, for the last token of every sequence: what a token is chosen from needs no
/// more, and llama.cpp leaves out the rest too.
pub(crate) fn tail(c: &Config, ops: &mut Ops, s: &mut RunState, watch: &mut impl Watch) -> Result<(), Fault> {
    let layer = c.layers - 1;
    let own = &mut ops.layers[layer];
    run(&mut own.feed_forward_norm, &[&s.last_delta], &mut [&mut s.h, &mut s.last_x], &s.last)?;
    watch.saw(Stage::FeedForwardNorm(layer), s)?;
    run(&mut own.gate_up, &[&s.h], &mut [&mut s.gate_up], &s.last)?;
    watch.saw(Stage::GateUp(layer), s)?;
    run(&mut ops.swiglu, &[&s.gate_up], &mut [&mut s.activated], &s.last)?;
    watch.saw(Stage::SwiGlu(layer), s)?;
    run(&mut own.down, &[&s.activated], &mut [&mut s.last_delta], &s.last)?;
    watch.saw(Stage::Down(layer), s)?;
    run(&mut ops.final_norm, &[&s.last_delta], &mut [&mut s.h, &mut s.last_x], &s.last)?;
    watch.saw(Stage::FinalNorm, s)?;
    run(&mut ops.head, &[&s.h], &mut [&mut s.logits], &s.last)?;
    watch.saw(Stage::Head, s)
}

/// The largest logit of each sequence into `s.tokens`: where the next pass reads it.
pub(crate) fn sample(ops: &mut Ops, s: &mut RunState, watch: &mut impl Watch) -> Result<(), Fault> {
    run(&mut ops.sample, &[&s.logits], &mut [&mut s.tokens], &s.last)?;
    watch.saw(Stage::Sample, s)
}
