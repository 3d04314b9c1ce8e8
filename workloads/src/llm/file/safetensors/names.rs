//! Where the engine's tensors stand in a Hugging Face checkpoint.

use super::super::gguf::names::in_turn;
use super::super::pieces::{Piece, push};
use super::super::refused::Refused;
use super::super::shelf::{Entry, Shelf};
use super::super::source::{Layout, Order, Source};
use super::quantised::{apart, matrix};
use crate::llm::weights::{Part, Tensor};
use crate::llm::{Config, Family};
use std::sync::Arc;

/// Where the decoder may stand in a model that does more.
const PREFIXES: [&str; 4] = ["model.", "language_model.model.", "model.language_model.", ""];
const HEADS: [&str; 3] = ["lm_head", "language_model.lm_head", "model.lm_head"];

/// The prefix of the decoder's tensors.
pub(crate) fn prefix(shelf: &Shelf) -> &'static str {
    let has = |prefix: &&&str| shelf.has(&format!("{prefix}embed_tokens.weight"));
    PREFIXES.iter().find(has).copied().unwrap_or("model.")
}

/// The name of the head, if it is there.
pub(crate) fn head(shelf: &Shelf) -> Option<&'static str> {
    let has = |name: &&&str| ["weight", "weight_packed"].iter().any(|part| shelf.has(&format!("{name}.{part}")));
    HEADS.iter().find(has).copied()
}

/// Lets go what old files hold of positions, and the scales of quantised caches, which are not used here.
pub(crate) fn ignore_what_is_no_weight(shelf: &mut Shelf, layer: usize) {
    let at = prefix(shelf);
    for name in ["rotary_emb.inv_freq", "k_scale", "v_scale", "k_proj.k_scale", "v_proj.v_scale"] {
        shelf.ignore(&format!("{at}layers.{layer}.self_attn.{name}"));
    }
}

/// The pieces of `tensor`. Errors: a tensor that is missing, of another shape, or of a type that is not computed.
pub(crate) fn pieces(shelf: &mut Shelf, c: &Config, tensor: Tensor) -> Result<Vec<Piece>, Refused> {
    let prefix = prefix(shelf);
    let mut at = Names { prefix: prefix.to_owned(), shelf };
    let table = (c.vocab, c.hidden);
    let (layer, part) = match tensor {
        Tensor::Embedding => return at.matrices(&[("embed_tokens", table.0)], c.hidden),
        Tensor::Head if c.tied => {
            // A copy beside the table is the table.
            HEADS.iter().for_each(|name| at.shelf.ignore(&format!("{name}.weight")));
            return at.matrices(&[("embed_tokens", table.0)], c.hidden);
        }
        Tensor::Head => {
            at.prefix = String::new();
            let name = head(at.shelf).unwrap_or(HEADS[0]);
            return at.matrices(&[(name, table.0)], c.hidden);
        }
        Tensor::FinalNorm => return at.vectors(&[("norm.weight", c.hidden)]),
        Tensor::Layer(layer, part) => (layer, part),
    };
    at.prefix = format!("{prefix}layers.{layer}.");
    let [(qkv, _), _, (both, _), _] = c.projections();
    let (q, kv) = (c.attention_width(), c.kv_heads * c.head_dim);
    let fused = c.family == Family::Phi3;
    let experts = c.mixture.map_or(0, |mixture| mixture.all());
    match part {
        Part::AttentionNorm => at.vectors(&[("input_layernorm.weight", c.hidden)]),
        Part::Qkv if fused => at.matrices(&[("self_attn.qkv_proj", qkv)], c.hidden),
        Part::Qkv => {
            at.matrices(&[("self_attn.q_proj", q), ("self_attn.k_proj", kv), ("self_attn.v_proj", kv)], c.hidden)
        }
        Part::QkvBias if fused => at.vectors(&[("self_attn.qkv_proj.bias", qkv)]),
        Part::QkvBias => {
            at.vectors(&[("self_attn.q_proj.bias", q), ("self_attn.k_proj.bias", kv), ("self_attn.v_proj.bias", kv)])
        }
        Part::QueryNorm => at.vectors(&[("self_attn.q_norm.weight", c.head_dim)]),
        Part::KeyNorm => at.vectors(&[("self_attn.k_norm.weight", c.head_dim)]),
        Part::Output => at.matrices(&[("self_attn.o_proj", c.hidden)], q),
        Part::OutputBias => at.vectors(&[("self_attn.o_proj.bias", c.hidden)]),
        Part::Sinks => at.vectors(&[("self_attn.sinks", c.heads)]),
        Part::PostAttentionNorm => at.vectors(&[("post_attention_layernorm.weight", c.hidden)]),
        Part::FeedForwardNorm if c.post_norms => at.vectors(&[("pre_feedforward_layernorm.weight", c.hidden)]),
        Part::FeedForwardNorm => at.vectors(&[("post_attention_layernorm.weight", c.hidden)]),
        Part::PostFeedForwardNorm => at.vectors(&[("post_feedforward_layernorm.weight", c.hidden)]),
        Part::GateUp if fused => at.matrices(&[("mlp.gate_up_proj", both)], c.hidden),
        Part::GateUp => at.matrices(&[("mlp.gate_proj", c.intermediate), ("mlp.up_proj", c.intermediate)], c.hidden),
        Part::Down => at.matrices(&[("mlp.down_proj", c.hidden)], c.intermediate),
        Part::Router if c.family == Family::GptOss => at.matrices(&[("mlp.router", experts)], c.hidden),
        Part::Router => at.matrices(&[("mlp.gate", experts)], c.hidden),
        Part::RouterBias => at.vectors(&[("mlp.router.bias", experts)]),
        Part::ExpertGateUp if c.family == Family::GptOss => {
            let source = at.all("gate_up_proj", (experts, both, c.hidden))?;
            let of = |from| Arc::new(Source { n: source.n / 2, order: second(c, from), ..(*source).clone() });
            Ok(in_turn(&of(0), &of(1), experts, c.intermediate))
        }
        Part::ExpertGateUp => {
            let mut pieces = Vec::new();
            for expert in 0..experts {
                for name in ["gate_proj", "up_proj"] {
                    let name = format!("mlp.experts.{expert}.{name}");
                    at.push(&mut pieces, &name, (c.intermediate, c.hidden))?;
                }
            }
            Ok(pieces)
        }
        Part::ExpertGateUpBias => {
            let name = format!("{}mlp.experts.gate_up_proj_bias", at.prefix);
            let source = at.shelf.values(&name, experts * both, Order::Same)?;
            let of = |from| Arc::new(Source { n: source.n / 2, order: second(c, from), ..(*source).clone() });
            Ok(in_turn(&of(0), &of(1), experts, c.intermediate))
        }
        Part::ExpertDown if c.family == Family::GptOss => {
            let source = at.all("down_proj", (experts, c.hidden, c.intermediate))?;
            let mut pieces = Vec::new();
            push(&mut pieces, &source, 0..source.n);
            Ok(pieces)
        }
        Part::ExpertDown => {
            let mut pieces = Vec::new();
            for expert in 0..experts {
                at.push(&mut pieces, &format!("mlp.experts.{expert}.down_proj"), (c.hidden, c.intermediate))?;
            }
            Ok(pieces)
        }
        Part::ExpertDownBias => at.vectors(&[("mlp.experts.down_proj_bias", experts * c.hidden)]),
    }
}

/// Gate and up of gpt-oss, row by row in turn.
const fn second(c: &Config, from: usize) -> Order {
    Order::Second { rows: c.intermediate, from }
}

/// The tensors of a layer, or those of none.
struct Names<'s> {
    shelf: &'s mut Shelf,
    prefix: String,
}

impl Names<'_> {
    fn push(&mut self, pieces: &mut Vec<Piece>, name: &str, size: (usize, usize)) -> Result<(), Refused> {
        let source = matrix(self.shelf, &format!("{}{name}", self.prefix), size)?;
        push(pieces, &source, 0..size.0);
        Ok(())
    }
    fn matrices(&mut self, names: &[(&str, usize)], k: usize) -> Result<Vec<Piece>, Refused> {
        let mut pieces = Vec::new();
        for (name, n) in names {
            self.push(&mut pieces, name, (*n, k))?;
        }
        Ok(pieces)
    }
    fn vectors(&mut self, names: &[(&str, usize)]) -> Result<Vec<Piece>, Refused> {
        let mut pieces = Vec::new();
        for (name, n) in names {
            push(&mut pieces, &self.shelf.values(&format!("{}{name}", self.prefix), *n, Order::Same)?, 0..*n);
        }
        Ok(pieces)
    }
    /// The matrices of all experts of gpt-oss: in blocks, or as columns.
    fn all(&mut self, name: &str, (experts, n, k): (usize, usize, usize)) -> Result<Arc<Source>, Refused> {
        let name = format!("{}mlp.experts.{name}", self.prefix);
        let (blocks, scales) = (format!("{name}_blocks"), format!("{name}_scales"));
        if self.shelf.has(&blocks) {
            return apart(self.shelf, (&blocks, &scales), (experts * n, k), None);
        }
        let Entry { file, shape, layout, range } = self.shelf.find(&name)?;
        let format = self.shelf.computed(&name, layout)?.format();
        if shape != [experts as u64, k as u64, n as u64] {
            return Err(Refused::broken(format!(
                "tensor {name} is {shape:?}, and the model's sizes make it {experts} × {k} × {n}"
            )));
        }
        let layout = Layout::Columns { format, rows: n };
        let order = Order::Same;
        let source = Source { file, layout, order, n: experts * n, k, bytes: range, scales: None, scale: None };
        self.shelf.source(&name, source)
    }
}
