//! The experts of a `config.json`.

use super::Family;
use crate::llm::json::{ConfigError, Fields, Largest};

/// Experts in place of a feed-forward block, in every layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mixture {
    /// Experts a layer.
    pub experts: usize,
    /// Experts a token is given to.
    pub active: usize,
    /// Whether the router's weights are a softmax over the chosen experts, and not over all.
    pub normalised: bool,
    /// Whether router and experts have biases (gpt-oss).
    pub bias: bool,
    /// Experts beside those, which every token is given to with the weight that a gate says, one logit more of the router's. One that
    /// is so many times as wide as the others is so many of their width: its outputs are a sum over its width.
    pub shared: usize,
}

/// More experts a layer than any model has.
const MOST_EXPERTS: usize = 1 << 12;

impl Mixture {
    /// Logits of the router, the gate's among them.
    pub fn logits(&self) -> usize {
        self.experts + usize::from(self.shared > 0)
    }
    /// Experts whose weights there are.
    pub fn all(&self) -> usize {
        self.experts + self.shared
    }
    /// Experts a token goes through.
    pub fn taken(&self) -> usize {
        self.active + self.shared
    }
    pub(super) fn read(family: Family, fields: &Fields<'_>, width: usize) -> Result<Option<Self>, ConfigError> {
        let (experts, normalised, bias) = match family {
            // Published code names both; the first is what its own class calls it.
            Family::GptOss => ("num_local_experts", true, true),
            Family::Qwen2Moe | Family::Qwen3Moe => {
                ("num_experts", fields.flag("norm_topk_prob")?.unwrap_or(false), false)
            }
            _ => return Ok(None),
        };
        if fields.optional_size("decoder_sparse_step", Largest(1 << 12))?.is_some_and(|step| step != 1) {
            return Err(fields.error("decoder_sparse_step", "is not 1", "every layer has to have experts"));
        }
        if fields.list("mlp_only_layers")? > 0 {
            return Err(fields.error("mlp_only_layers", "is not empty", "every layer has to have experts"));
        }
        let (experts, name) = (fields.size(experts, Largest(MOST_EXPERTS))?, "num_experts_per_tok");
        let active = match fields.optional_size("experts_per_token", Largest(MOST_EXPERTS))? {
            Some(active) if family == Family::GptOss => active,
            _ => fields.size(name, Largest(MOST_EXPERTS))?,
        };
        if active > experts {
            let what = format!("{active} is more than the {experts} experts there are");
            return Err(fields.error(name, &what, "choose at most as many"));
        }
        let name = "shared_expert_intermediate_size";
        let shared = match family {
            // Its own class has one of 5632 where the file says nothing.
            Family::Qwen2Moe => fields.optional_size(name, Largest(1 << 20))?.unwrap_or(5632),
            _ => 0,
        };
        if !shared.is_multiple_of(width) {
            let what = format!("{shared} is no multiple of moe_intermediate_size {width}");
            return Err(fields.error(name, &what, "shared experts are computed as experts of that width"));
        }
        Ok(Some(Self { experts, active, normalised, bias, shared: shared / width }))
    }
}
