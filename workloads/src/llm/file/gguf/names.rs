//! Where the engine's tensors stand in a GGUF file.

use super::super::pieces::{Piece, push};
use super::super::refused::Refused;
use super::super::shelf::Shelf;
use super::super::source::{Order, Source};
use crate::llm::weights::{Part, Tensor};
use crate::llm::{Config, Family};
use spark_kernels::format::Format;
use std::sync::Arc;

/// Metadata in the shape of tensors, and what is read with the metadata.
const BESIDE: [&str; 3] = ["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"];

/// Lets go what stands among the tensors and is no weight.
pub(crate) fn ignore_what_is_no_weight(shelf: &mut Shelf) {
    BESIDE.iter().for_each(|name| shelf.ignore(name));
}

/// The pieces of `tensor`. Errors: a tensor that is missing, of another shape, or of a type that is not computed.
pub(crate) fn pieces(shelf: &mut Shelf, config: &Config, tensor: Tensor) -> Result<Vec<Piece>, Refused> {
    let c = config;
    let mut at = Names { shelf, prefix: String::new() };
    let (layer, part) = match tensor {
        Tensor::Embedding => return at.matrix(&[("token_embd", c.vocab, Order::Same)], c.hidden),
        Tensor::Head if c.tied => return at.matrix(&[("token_embd", c.vocab, Order::Same)], c.hidden),
        Tensor::Head => return at.matrix(&[("output", c.vocab, Order::Same)], c.hidden),
        Tensor::FinalNorm => return at.vector(&[("output_norm.weight", c.hidden, Order::Same)]),
        Tensor::Layer(layer, part) => (layer, part),
    };
    at.prefix = format!("blk.{layer}.");
    let [(qkv, _), ..] = c.projections();
    let (q, kv) = (c.attention_width(), c.kv_heads * c.head_dim);
    // The families whose positions turn neighbours in llama.cpp have their rows in that order.
    let turned = match c.family {
        Family::Llama | Family::Granite => Order::Pairs { head: c.head_dim },
        _ => Order::Same,
    };
    let experts = c.mixture.map_or(0, |mixture| mixture.all());
    let all = |rows: usize| experts * rows;
    let same = Order::Same;
    match part {
        Part::AttentionNorm => at.vector(&[("attn_norm.weight", c.hidden, same)]),
        Part::Qkv if at.has("attn_qkv.weight") => at.matrix(&[("attn_qkv", qkv, same)], c.hidden),
        Part::Qkv => at.matrix(&[("attn_q", q, turned), ("attn_k", kv, turned), ("attn_v", kv, same)], c.hidden),
        Part::QkvBias if at.has("attn_qkv.bias") => at.vector(&[("attn_qkv.bias", qkv, same)]),
        Part::QkvBias => {
            at.vector(&[("attn_q.bias", q, turned), ("attn_k.bias", kv, turned), ("attn_v.bias", kv, same)])
        }
        Part::QueryNorm => at.vector(&[("attn_q_norm.weight", c.head_dim, same)]),
        Part::KeyNorm => at.vector(&[("attn_k_norm.weight", c.head_dim, same)]),
        Part::Output => at.matrix(&[("attn_output", c.hidden, same)], q),
        Part::OutputBias => at.vector(&[("attn_output.bias", c.hidden, same)]),
        Part::Sinks => at.vector(&[("attn_sinks.weight", c.heads, same)]),
        Part::PostAttentionNorm => at.vector(&[("post_attention_norm.weight", c.hidden, same)]),
        // The norm before the experts has this name there.
        Part::FeedForwardNorm if c.family == Family::GptOss => {
            at.vector(&[("post_attention_norm.weight", c.hidden, same)])
        }
        Part::FeedForwardNorm => at.vector(&[("ffn_norm.weight", c.hidden, same)]),
        Part::PostFeedForwardNorm => at.vector(&[("post_ffw_norm.weight", c.hidden, same)]),
        Part::GateUp if !at.has("ffn_gate.weight") => at.matrix(&[("ffn_up", 2 * c.intermediate, same)], c.hidden),
        Part::GateUp => at.matrix(&[("ffn_gate", c.intermediate, same), ("ffn_up", c.intermediate, same)], c.hidden),
        Part::Down => at.matrix(&[("ffn_down", c.hidden, same)], c.intermediate),
        Part::Router => at.matrix(&[("ffn_gate_inp", experts, same)], c.hidden),
        Part::RouterBias => at.vector(&[("ffn_gate_inp.bias", experts, same)]),
        Part::ExpertGateUp => {
            let gate = at.each("ffn_gate_exps", experts, (c.intermediate, c.hidden))?;
            let up = at.each("ffn_up_exps", experts, (c.intermediate, c.hidden))?;
            let mut pieces = Vec::new();
            for (expert, (gate, up)) in gate.iter().zip(&up).enumerate() {
                let rows = expert * c.intermediate..(expert + 1) * c.intermediate;
                push(&mut pieces, gate, rows.clone());
                push(&mut pieces, up, rows);
            }
            Ok(pieces)
        }
        Part::ExpertGateUpBias => {
            let gate = at.values("ffn_gate_exps.bias", all(c.intermediate))?;
            let up = at.values("ffn_up_exps.bias", all(c.intermediate))?;
            Ok(in_turn(&gate, &up, experts, c.intermediate))
        }
        Part::ExpertDown => {
            let mut pieces = Vec::new();
            for (expert, down) in at.each("ffn_down_exps", experts, (c.hidden, c.intermediate))?.iter().enumerate() {
                push(&mut pieces, down, expert * c.hidden..(expert + 1) * c.hidden);
            }
            Ok(pieces)
        }
        Part::ExpertDownBias => at.vector(&[("ffn_down_exps.bias", all(c.hidden), same)]),
    }
}

/// Of each expert the rows of gate, then those of up.
pub(crate) fn in_turn(gate: &Arc<Source>, up: &Arc<Source>, experts: usize, rows: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for expert in 0..experts {
        let rows = expert * rows..(expert + 1) * rows;
        push(&mut pieces, gate, rows.clone());
        push(&mut pieces, up, rows);
    }
    pieces
}

/// The tensors of a layer, or those of none.
struct Names<'s> {
    shelf: &'s mut Shelf,
    prefix: String,
}

impl Names<'_> {
    fn has(&self, name: &str) -> bool {
        self.shelf.has(&format!("{}{name}", self.prefix))
    }
    /// A matrix with its scale, if it has one.
    fn one(&mut self, name: &str, size: (usize, usize), order: Order) -> Result<Arc<Source>, Refused> {
        let source = self.shelf.rows(&format!("{}{name}.weight", self.prefix), size, order)?;
        match self.scales(name, 1, source.format())?.first() {
            None => Ok(source),
            Some(scale) => Ok(Arc::new(Source { scale: Some(*scale), ..(*source).clone() })),
        }
    }
    /// The matrices of all experts, n × k each, one after another: the same source for each, with the scale of its own if it has one.
    fn each(&mut self, name: &str, experts: usize, (n, k): (usize, usize)) -> Result<Vec<Arc<Source>>, Refused> {
        let source = self.shelf.rows(&format!("{}{name}.weight", self.prefix), (experts * n, k), Order::Same)?;
        let scales = self.scales(name, experts, source.format())?;
        if scales.is_empty() {
            return Ok(vec![source; experts]);
        }
        Ok(scales.into_iter().map(|scale| Arc::new(Source { scale: Some(scale), ..(*source).clone() })).collect())
    }
    /// The `n` f32 scales of a matrix, or none. Errors: others, or scales of what is not NVFP4.
    fn scales(&mut self, name: &str, n: usize, of: Format) -> Result<Vec<f32>, Refused> {
        let scale = format!("{}{name}.scale", self.prefix);
        // What quantised activations would be scaled with.
        self.shelf.ignore(&format!("{}{name}.input_scale", self.prefix));
        if !self.shelf.has(&scale) {
            return Ok(Vec::new());
        }
        let given = self.shelf.values(&scale, n, Order::Same)?;
        if given.format() != Format::F32 {
            return Err(Refused::broken(format!("tensor {scale} is no f32")));
        }
        let mut bytes = vec![0; 4 * n];
        given.rows(0..n, &mut bytes);
        let scales: Vec<f32> = bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
        if scales.iter().any(|scale| !scale.is_finite() || *scale == 0.0) {
            return Err(Refused::broken(format!("tensor {scale} holds what is no scale")));
        }
        if of != Format::Nvfp4 && scales.iter().any(|scale| *scale != 1.0) {
            let what = format!("tensor {scale} scales what is not NVFP4");
            return Err(Refused::new(what, super::super::refused::ANOTHER));
        }
        Ok(scales)
    }
    fn values(&mut self, name: &str, n: usize) -> Result<Arc<Source>, Refused> {
        self.shelf.values(&format!("{}{name}", self.prefix), n, Order::Same)
    }
    fn matrix(&mut self, names: &[(&str, usize, Order)], k: usize) -> Result<Vec<Piece>, Refused> {
        let mut pieces = Vec::new();
        for (name, n, order) in names {
            push(&mut pieces, &self.one(name, (*n, k), *order)?, 0..*n);
        }
        Ok(pieces)
    }
    fn vector(&mut self, names: &[(&str, usize, Order)]) -> Result<Vec<Piece>, Refused> {
        let mut pieces = Vec::new();
        for (name, n, order) in names {
            push(&mut pieces, &self.shelf.values(&format!("{}{name}", self.prefix), *n, *order)?, 0..*n);
        }
        Ok(pieces)
    }
}
