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
    /// Of layers with a window, where their frequencies are others.
    pub(crate) local_rope: Option<Box<dyn Prepared>>,
    pub(crate) attention: Box<dyn Prepared>,
    /// Of layers with a window.
    pub(crate) local_attention: Option<Box<dyn Prepared>>,
    pub(crate) swiglu: Box<dyn Prepared>,
    pub(crate) final_norm: Box<dyn Prepared>,
    pub(crate) head: Box<dyn Prepared>,
    /// Where logits are bent.
    pub(crate) softcap: Option<Box<dyn Prepared>>,
    pub(crate) sample: Box<dyn Prepared>,
    /// x → last_x, and delta → last_delta.
    pub(crate) gather: Box<dyn Prepared>,
}

/// The prepared ops of one layer.
#[derive(Debug)]
pub struct LayerOps {
    pub(crate) attention_norm: Box<dyn Prepared>,
    pub(crate) qkv: Box<dyn Prepared>,
    /// Gains of the norms of query and key heads, where there are such.
    pub(crate) head_gains: Option<[Buffer; 2]>,
    /// Attention of this layer alone, where it has sinks of its own.
    pub(crate) attention: Option<Box<dyn Prepared>>,
    pub(crate) output: Box<dyn Prepared>,
    pub(crate) feed_forward_norm: Box<dyn Prepared>,
    pub(crate) feed_forward: FeedForward,
}

/// The projections of a feed-forward block.
#[derive(Debug)]
pub enum FeedForward {
    /// One for all tokens.
    Dense {
        /// h → gate_up.
        gate_up: Box<dyn Prepared>,
        /// activated → delta.
        down: Box<dyn Prepared>,
    },
    /// A few of many for each token.
    Mixture {
        /// h → routed.logits.
        router: Box<dyn Prepared>,
        /// routed.logits → routed.ids, routed.weights.
        route: Box<dyn Prepared>,
        /// routed.ids → routed.touched.
        touched: Box<dyn Prepared>,
        /// h → gate_up.
        gate_up: Box<dyn Prepared>,
        /// activated → delta.
        down: Box<dyn Prepared>,
    },
}

impl Ops {
    /// The ops whose weights a pass reads.
    pub(crate) fn weighty(&self) -> impl Iterator<Item = &dyn Prepared> {
        let layers = self.layers.iter().flat_map(|l| {
            let block = match &l.feed_forward {
                FeedForward::Dense { gate_up, down } => [Some(gate_up), Some(down), None],
                FeedForward::Mixture { router, gate_up, down, .. } => [Some(gate_up), Some(down), Some(router)],
            };
            [&l.qkv, &l.output].into_iter().chain(block.into_iter().flatten())
        });
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
    /// x + delta → x, h. From here on in the last layer, x and delta are the last tokens' alone, and `live` their places.
    FeedForwardNorm(usize),
    /// h → routed.logits.
    Router(usize),
    /// routed.logits → routed.ids, routed.weights.
    Route(usize),
    /// h → gate_up.
    GateUp(usize),
    /// gate_up → activated.
    SwiGlu(usize),
    /// activated → delta.
    Down(usize),
    /// x + delta → x, h.
    FinalNorm,
    /// h → logits.
    Head,
    /// logits bent in place.
    Softcap,
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
        let local = c.windowed[layer];
        let rope = if local { ops.local_rope.as_mut() } else { None }.unwrap_or(&mut ops.rope);
        match &own.head_gains {
            Some([q, k]) => run(rope, &[q, k], &mut [&mut s.qkv], &s.live)?,
            None => run(rope, &[], &mut [&mut s.qkv], &s.live)?,
        }
        watch.saw(Stage::Rope(layer), s)?;
        let shared = if local { ops.local_attention.as_mut() } else { None }.unwrap_or(&mut ops.attention);
        let attention = own.attention.as_mut().unwrap_or(shared);
        let [keys, values] = &mut s.caches[layer];
        run(attention, &[&s.qkv], &mut [&mut s.attended, keys, values], &s.live)?;
        watch.saw(Stage::Attention(layer), s)?;
        run(&mut own.output, &[&s.attended], &mut [&mut s.delta], &s.live)?;
        watch.saw(Stage::Output(layer), s)?;
        if layer + 1 < c.layers {
            feed_forward(layer, own, &mut ops.swiglu, s, watch)?;
        }
    }
    run(&mut ops.gather, &[&s.x], &mut [&mut s.last_x], &s.live)?;
    run(&mut ops.gather, &[&s.delta], &mut [&mut s.last_delta], &s.live)?;
    s.place_last();
    watch.saw(Stage::Gather, s)
}

/// The feed-forward block of a layer, with the norm before it.
fn feed_forward(
    layer: usize,
    own: &mut LayerOps,
    swiglu: &mut Box<dyn Prepared>,
    s: &mut RunState,
    watch: &mut impl Watch,
) -> Result<(), Fault> {
    run(&mut own.feed_forward_norm, &[&s.delta], &mut [&mut s.h, &mut s.x], &s.live)?;
    watch.saw(Stage::FeedForwardNorm(layer), s)?;
    match (&mut own.feed_forward, &mut s.routed) {
        (FeedForward::Mixture { router, route, touched, gate_up, .. }, Some(routed)) => {
            run(router, &[&s.h], &mut [&mut routed.logits], &s.live)?;
            watch.saw(Stage::Router(layer), s)?;
            chosen(route, touched, s)?;
            watch.saw(Stage::Route(layer), s)?;
            if let Some(routed) = &s.routed {
                run(gate_up, &[&s.h, &routed.ids], &mut [&mut s.gate_up], &s.live)?;
            }
        }
        (FeedForward::Dense { gate_up, .. } | FeedForward::Mixture { gate_up, .. }, _) => {
            run(gate_up, &[&s.h], &mut [&mut s.gate_up], &s.live)?;
        }
    }
    watch.saw(Stage::GateUp(layer), s)?;
    match (&mut own.feed_forward, &s.routed) {
        (FeedForward::Mixture { down, .. }, Some(routed)) => {
            // A row for each choice; what is in use of them is counted like so many tokens.
            run(swiglu, &[&s.gate_up], &mut [&mut s.activated], &s.choices)?;
            watch.saw(Stage::SwiGlu(layer), s)?;
            run(down, &[&s.activated, &routed.ids, &routed.weights], &mut [&mut s.delta], &s.live)?;
        }
        (FeedForward::Dense { down, .. } | FeedForward::Mixture { down, .. }, _) => {
            run(swiglu, &[&s.gate_up], &mut [&mut s.activated], &s.live)?;
            watch.saw(Stage::SwiGlu(layer), s)?;
            run(down, &[&s.activated], &mut [&mut s.delta], &s.live)?;
        }
    }
    watch.saw(Stage::Down(layer), s)
}

/// Chooses experts, and counts how many different ones: their weights are what the pass reads.
fn chosen(route: &mut Box<dyn Prepared>, touched: &mut Box<dyn Prepared>, s: &mut RunState) -> Result<(), Fault> {
    let rows = s.live.rows();
    let Some(routed) = &mut s.routed else { return Ok(()) };
    run(route, &[&routed.logits], &mut [&mut routed.ids, &mut routed.weights], &s.live)?;
    run(touched, &[&routed.ids], &mut [&mut routed.touched], &s.live)?;
    s.choices.spans[0].rows = rows * routed.active;
    Ok(())
}

/// The last layer's feed-forward block and the head, for the last token of every sequence: what a token is chosen from needs no
/// more, and llama.cpp leaves out the rest too.
pub(crate) fn tail(c: &Config, ops: &mut Ops, s: &mut RunState, watch: &mut impl Watch) -> Result<(), Fault> {
    s.turn();
    let done = last_tokens(c, ops, s, watch);
    s.turn();
    done
}

fn last_tokens(c: &Config, ops: &mut Ops, s: &mut RunState, watch: &mut impl Watch) -> Result<(), Fault> {
    let layer = c.layers - 1;
    feed_forward(layer, &mut ops.layers[layer], &mut ops.swiglu, s, watch)?;
    run(&mut ops.final_norm, &[&s.delta], &mut [&mut s.h, &mut s.x], &s.live)?;
    watch.saw(Stage::FinalNorm, s)?;
    run(&mut ops.head, &[&s.h], &mut [&mut s.logits], &s.live)?;
    watch.saw(Stage::Head, s)?;
    let Some(softcap) = &mut ops.softcap else { return Ok(()) };
    run(softcap, &[], &mut [&mut s.logits], &s.live)?;
    watch.saw(Stage::Softcap, s)
}

/// The same for every row of a pass of one sequence, and the largest logit of each into `s.tokens`: what the model would say after each.
pub(crate) fn verify(c: &Config, ops: &mut Ops, s: &mut RunState) -> Result<(), Fault> {
    last_tokens(c, ops, s, &mut Unwatched)?;
    run(&mut ops.sample, &[&s.logits], &mut [&mut s.tokens], &s.live)
}

/// The largest logit of each sequence into `s.tokens`: where the next pass reads it.
pub(crate) fn sample(ops: &mut Ops, s: &mut RunState, watch: &mut impl Watch) -> Result<(), Fault> {
    run(&mut ops.sample, &[&s.logits], &mut [&mut s.tokens], &s.last)?;
    watch.saw(Stage::Sample, s)
}
