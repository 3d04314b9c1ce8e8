//! The buffers that a pass writes: allocated once, written over by every layer.

use crate::llm::{Config, Settings};
use spark_kernels::{Buffer, Device, Fault, Live, Op, Placement, Shape, Type};

/// The buffers of one model's passes, and how far each sequence has come.
#[derive(Debug)]
pub struct RunState {
    /// rows: the tokens of the pass; after sampling, the next token of each sequence.
    pub tokens: Buffer,
    /// rows × hidden: the residual stream.
    pub x: Buffer,
    /// rows × hidden: what the last block adds to it.
    pub delta: Buffer,
    /// rows × hidden: normalised x.
    pub h: Buffer,
    /// rows × (heads + 2·kv_heads)·head_dim.
    pub qkv: Buffer,
    /// rows × heads·head_dim.
    pub attended: Buffer,
    /// rows × 2·intermediate: a row is gate, then up. With experts a row for each choice, in expert order.
    pub gate_up: Buffer,
    /// rows × intermediate; with experts a row for each choice.
    pub activated: Buffer,
    /// With experts: what the router says, who is chosen, and with what weight.
    pub routed: Option<Routed>,
    /// sequences × hidden: x of the last token of each sequence, from the last layer's feed-forward block on.
    pub last_x: Buffer,
    /// sequences × hidden: delta of it.
    pub last_delta: Buffer,
    /// sequences × vocab; as many rows as are verified, where there are more.
    pub logits: Buffer,
    /// Of each layer: keys and values in the op's own layout.
    pub caches: Vec<[Buffer; 2]>,
    /// sequences: tokens in the caches.
    pub lengths: Vec<usize>,
    /// The spans of the pass.
    pub live: Live,
    /// As many rows as there are choices of experts in the pass.
    pub choices: Live,
    /// One row a sequence, at its last position: what the head works on.
    pub last: Live,
}

/// The buffers of a mixture of experts, and how many experts the passes touched.
#[derive(Debug)]
pub struct Routed {
    /// rows × experts; one more a row where there are shared experts.
    pub logits: Buffer,
    /// rows × active.
    pub ids: Buffer,
    /// rows × active.
    pub weights: Buffer,
    /// Experts a token is given to, shared ones among them.
    pub active: usize,
    /// 1: experts whose weights were read, over all layers and passes since it was last set to 0.
    pub touched: Buffer,
}

impl RunState {
    /// Zeroed buffers for `config` run as `settings` say. Errors: the device has not that much memory.
    pub(crate) fn new(config: &Config, settings: &Settings, device: &dyn Device) -> Result<Self, Fault> {
        let (rows, sequences) = (settings.rows, settings.sequences);
        let f32s = |len: usize| device.alloc(Type::F32, len, Placement::Fast);
        let of = |shape: &Shape| device.alloc(shape.of, shape.len, Placement::Fast);
        let outputs = crate::llm::Blocks::new(config, settings).attention(false).outputs();
        let choices = rows.max(sequences) * config.blocks().1 as usize;
        let routed = match config.mixture {
            None => None,
            Some(mixture) => Some(Routed {
                logits: f32s(rows.max(sequences) * mixture.logits())?,
                ids: device.alloc(Type::U32, choices, Placement::Fast)?,
                weights: f32s(choices)?,
                active: mixture.taken(),
                touched: device.alloc(Type::U64, 1, Placement::Fast)?,
            }),
        };
        let cache = |_| Ok([of(&outputs[1])?, of(&outputs[2])?]);
        let mut last = Live::default();
        last.spans.resize(sequences, spark_kernels::Span { rows: 1, past: 0 });
        Ok(Self {
            tokens: device.alloc(Type::U32, rows.max(sequences), Placement::Fast)?,
            x: f32s(rows * config.hidden)?,
            delta: f32s(rows * config.hidden)?,
            h: f32s(rows.max(sequences) * config.hidden)?,
            qkv: f32s(rows * config.qkv_width())?,
            attended: of(&outputs[0])?,
            gate_up: f32s(choices * 2 * config.intermediate)?,
            activated: f32s(choices * config.intermediate)?,
            routed,
            last_x: f32s(sequences * config.hidden)?,
            last_delta: f32s(sequences * config.hidden)?,
            logits: f32s(settings.logit_rows() * config.vocab)?,
            caches: (0..config.layers).map(cache).collect::<Result<_, Fault>>()?,
            lengths: vec![0; sequences],
            live: Live { spans: Vec::with_capacity(sequences) },
            choices: Live::one(0, 0),
            last,
        })
    }
    /// Every buffer of it.
    pub(crate) fn buffers(&self) -> impl Iterator<Item = &Buffer> {
        let passes =
            [&self.tokens, &self.x, &self.delta, &self.h, &self.qkv, &self.attended, &self.gate_up, &self.activated];
        let last = [&self.last_x, &self.last_delta, &self.logits];
        let routed = self.routed.iter().flat_map(|routed| [&routed.logits, &routed.ids, &routed.weights]);
        passes.into_iter().chain(last).chain(routed).chain(self.caches.iter().flatten())
    }
    /// Notes where the last row of each sequence that has rows stands.
    pub(crate) fn place_last(&mut self) {
        for (last, span) in self.last.spans.iter_mut().zip(&self.live.spans).filter(|(_, span)| span.rows > 0) {
            last.past = span.past + span.rows - 1;
        }
    }
    /// Exchanges x, delta and spans of the pass with those of the last tokens: before the tail, and back after it.
    pub(crate) fn turn(&mut self) {
        std::mem::swap(&mut self.x, &mut self.last_x);
        std::mem::swap(&mut self.delta, &mut self.last_delta);
        std::mem::swap(&mut self.live, &mut self.last);
    }
}
