//! The shape that a GGUF file's metadata give, said as a `config.json` would say it, and read by the same reader.

use super::super::refused::{ANOTHER, Refused, WHOLE, shown};
use super::{Gguf, Info, Value};
use crate::llm::Config;
use serde_json::{Map, Value as Json, json};
use spark_kernels::format::Format;
use spark_kernels::rope::Scaling;

/// The architectures computed here, and the family of each.
const ARCHITECTURES: [(&str, &str); 8] = [
    ("llama", "llama"),
    ("qwen2", "qwen2"),
    ("qwen3", "qwen3"),
    ("qwen3moe", "qwen3_moe"),
    ("gemma3", "gemma3_text"),
    ("granite", "granite"),
    ("phi3", "phi3"),
    ("gpt-oss", "gpt_oss"),
];

/// Metadata of one architecture.
struct Keys<'g, 'a> {
    gguf: &'g Gguf<'a>,
    bytes: &'a [u8],
    prefix: &'a str,
}

/// The shape of the model in `bytes`, whose header is `gguf`. Errors: an architecture that is not computed, a key that is missing or
/// of another type, sizes that cannot be.
pub(crate) fn config(gguf: &Gguf<'_>, bytes: &[u8]) -> Result<Config, Refused> {
    let Some(Value::Text(architecture)) = gguf.fields.get("general.architecture") else {
        return Err(Refused::new("does not say its general.architecture", ANOTHER));
    };
    let Some((_, family)) = ARCHITECTURES.iter().find(|(name, _)| name == architecture) else {
        let names: Vec<_> = ARCHITECTURES.iter().map(|(name, _)| *name).collect();
        let what = format!("has the architecture '{}', which is not computed", shown(architecture));
        return Err(Refused::new(what, &format!("choose one of {}", names.join(", "))));
    };
    let keys = Keys { gguf, bytes, prefix: architecture };
    let json = keys.json(family)?;
    let mut config = Config::parse(&Json::Object(json).to_string()).map_err(|e| {
        let field = if e.field.is_empty() { String::new() } else { format!("{} ", e.field) };
        Refused::new(format!("its metadata give no model: {field}{}", e.what), &e.mend)
    })?;
    // Files of Gemma hold what is multiplied with: 1 was added when they were made.
    config.unit_offset = false;
    if let Some(factors) = keys.factors("rope_freqs.weight")? {
        if factors.len() * 2 != config.rotary {
            let (has, heads) = (factors.len(), config.rotary);
            return Err(Refused::broken(format!("rope_freqs.weight has {has} entries for heads that turn {heads}")));
        }
        config.scaling = Scaling::Long { factors: factors.into(), magnitude: 1.0 };
    }
    Ok(config)
}

impl Keys<'_, '_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }
    fn get(&self, name: &str) -> Option<Value<'_>> {
        self.gguf.fields.get(self.key(name).as_str()).copied()
    }
    fn wrong(&self, name: &str, mend: &str) -> Refused {
        Refused::new(format!("{} is not what it should be", shown(&self.key(name))), mend)
    }
    /// A whole number; of a list with one a layer, the one that all have.
    fn whole(&self, name: &str) -> Result<Option<u64>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Whole(number)) => Ok(Some(number)),
            Some(Value::List(list)) => {
                let mut values = list.values();
                match values.next() {
                    Some(Value::Whole(first)) if values.all(|value| value == Value::Whole(first)) => Ok(Some(first)),
                    _ => Err(self.wrong(name, "layers that differ in it are not computed: choose another model")),
                }
            }
            Some(_) => Err(self.wrong(name, "it has to be a whole number")),
        }
    }
    fn number(&self, name: &str) -> Result<Option<f64>, Refused> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) if number.is_finite() => Ok(Some(shortest(number))),
            Some(Value::Whole(number)) => Ok(Some(number as f64)),
            Some(_) => Err(self.wrong(name, "it has to be a finite number")),
        }
    }
    fn needed(&self, name: &str) -> Result<u64, Refused> {
        self.whole(name)?.ok_or_else(|| Refused::new(format!("has no {}", shown(&self.key(name))), WHOLE))
    }
    /// The values of a tensor that belongs to the metadata.
    fn factors(&self, name: &str) -> Result<Option<Vec<f64>>, Refused> {
        let Some(Info { shape, kind, range }) = self.gguf.tensors.get(name) else { return Ok(None) };
        if shape.len() != 1 || kind.layout.map(super::super::source::Layout::format) != Some(Format::F32) {
            return Err(Refused::broken(format!("{name} is no list of f32 values")));
        }
        let values = self.bytes[range.clone()].as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b)));
        let values: Vec<f64> = values.collect();
        if values.iter().any(|value| !(f64::from(f32::MIN_POSITIVE)..=1e12).contains(value)) {
            return Err(Refused::broken(format!("{name} holds what is not above 0 and finite")));
        }
        Ok(Some(values))
    }

    /// As a `config.json` says it.
    fn json(&self, family: &str) -> Result<Map<String, Json>, Refused> {
        let mut json = Map::new();
        let mut put = |name: &str, value: Json| {
            json.insert(name.to_owned(), value);
        };
        let (hidden, heads) = (self.needed("embedding_length")?, self.needed("attention.head_count")?);
        put("model_type", json!(family));
        put("hidden_size", json!(hidden));
        put("num_attention_heads", json!(heads));
        put("num_key_value_heads", json!(self.whole("attention.head_count_kv")?.unwrap_or(heads)));
        put("num_hidden_layers", json!(self.needed("block_count")?));
        put("vocab_size", json!(self.vocab()?));
        put("tie_word_embeddings", json!(!self.gguf.tensors.contains_key("output.weight")));
        put("rms_norm_eps", json!(self.number("attention.layer_norm_rms_epsilon")?));
        put("max_position_embeddings", json!(self.needed("context_length")?));
        put("rope_theta", json!(self.number("rope.freq_base")?.unwrap_or(10_000.0)));
        let head_dim = match self.whole("attention.key_length")? {
            Some(length) => length,
            None => hidden.checked_div(heads).unwrap_or_default(),
        };
        put("head_dim", json!(head_dim));
        if self.whole("attention.value_length")?.is_some_and(|length| length != head_dim) {
            return Err(self.wrong("attention.value_length", "keys and values have to be as long as each other"));
        }
        if let Some(turned) = self.whole("rope.dimension_count")?.filter(|turned| *turned != head_dim) {
            // A share that comes out whole again when it is multiplied with the length of a head and cut.
            put("partial_rotary_factor", json!((turned as f64 + 0.25) / head_dim as f64));
        }
        match family {
            "qwen3_moe" => {
                put("moe_intermediate_size", json!(self.needed("expert_feed_forward_length")?));
                put("num_experts", json!(self.needed("expert_count")?));
                put("num_experts_per_tok", json!(self.needed("expert_used_count")?));
                put("norm_topk_prob", json!(true));
            }
            "gpt_oss" => {
                put("intermediate_size", json!(self.needed("expert_feed_forward_length")?));
                put("num_local_experts", json!(self.needed("expert_count")?));
                put("num_experts_per_tok", json!(self.needed("expert_used_count")?));
            }
            _ => {
                if self.whole("expert_count")?.is_some_and(|experts| experts > 0) {
                    return Err(self.wrong("expert_count", "experts of this architecture are not computed"));
                }
                put("intermediate_size", json!(self.needed("feed_forward_length")?));
            }
        }
        let biased = ["attn_q.bias", "attn_qkv.bias"].iter().any(|name| {
            let name = format!("blk.0.{name}");
            self.gguf.tensors.contains_key(name.as_str())
        });
        put("attention_bias", json!(biased));
        self.windows(family, head_dim, &mut put)?;
        if family == "granite" {
            for (key, field) in [
                ("attention.scale", "attention_multiplier"),
                ("embedding_scale", "embedding_multiplier"),
                ("residual_scale", "residual_multiplier"),
                ("logit_scale", "logits_scaling"),
            ] {
                put(field, json!(self.number(key)?));
            }
        }
        if let Some(scaling) = self.scaling(family)? {
            put("rope_scaling", scaling);
        }
        Ok(json)
    }

    /// Rows of the embedding.
    fn vocab(&self) -> Result<u64, Refused> {
        match self.gguf.tensors.get("token_embd.weight").map(|info| &info.shape[..]) {
            Some([_, vocab]) => Ok(*vocab),
            Some(_) => Err(Refused::broken("token_embd.weight is no matrix")),
            None => Err(Refused::new("has no tensor token_embd.weight", ANOTHER)),
        }
    }

    /// What attention sees, and how scores are scaled, of the families where that differs.
    fn windows(&self, family: &str, head_dim: u64, put: &mut impl FnMut(&str, Json)) -> Result<(), Refused> {
        let window = self.whole("attention.sliding_window")?.filter(|window| *window > 0);
        if let (Some(window), "gemma3_text" | "gpt_oss" | "phi3") = (window, family) {
            put("sliding_window", json!(window));
        }
        if family != "gemma3_text" {
            return Ok(());
        }
        let layers = self.needed("block_count")?;
        match self.get("attention.sliding_window_pattern") {
            Some(Value::Whole(period)) => put("sliding_window_pattern", json!(period)),
            Some(Value::List(list)) => {
                let kinds = list.values().map(|value| match value {
                    Value::Flag(true) => "sliding_attention",
                    _ => "full_attention",
                });
                put("layer_types", json!(kinds.collect::<Vec<_>>()));
            }
            // Without a window none of them has one; the count was read as a number, and is doubted below.
            _ if window.is_none() => put("sliding_window_pattern", json!(1)),
            _ => {}
        }
        put("rope_local_base_freq", json!(self.number("rope.freq_base_swa")?.unwrap_or(10_000.0)));
        put("final_logit_softcapping", json!(self.number("final_logit_softcapping")?));
        // Of the one with 62 layers, scores are scaled by the width a head would have if heads made up the stream.
        let (hidden, heads) = (self.needed("embedding_length")?, self.needed("attention.head_count")?);
        let scalar = if layers == 62 { hidden.checked_div(heads).unwrap_or_default() } else { head_dim };
        put("query_pre_attn_scalar", json!(scalar));
        Ok(())
    }

    /// How positions are stretched.
    fn scaling(&self, family: &str) -> Result<Option<Json>, Refused> {
        let factor = self.number("rope.scaling.factor")?;
        let original = self.whole("rope.scaling.original_context_length")?;
        let (short, long) = (self.factors("rope_factors_short.weight")?, self.factors("rope_factors_long.weight")?);
        if let (Some(short), Some(long)) = (short, long) {
            let mut object = json!({ "rope_type": "longrope", "short_factor": short, "long_factor": long });
            object["original_max_position_embeddings"] = json!(original.unwrap_or(4096));
            object["attention_factor"] = json!(self.number("rope.scaling.attn_factor")?);
            return Ok(Some(object));
        }
        match self.get("rope.scaling.type") {
            None | Some(Value::Text("none")) => Ok(None),
            Some(Value::Text("linear")) => Ok(Some(json!({ "rope_type": "linear", "factor": factor }))),
            Some(Value::Text("yarn")) => {
                let number = |name| self.number(&format!("rope.scaling.{name}"));
                let mut object = json!({ "rope_type": "yarn", "factor": factor });
                object["original_max_position_embeddings"] = json!(original);
                object["beta_fast"] = json!(number("yarn_beta_fast")?);
                object["beta_slow"] = json!(number("yarn_beta_slow")?);
                object["truncate"] = json!(family != "gpt_oss");
                Ok(Some(object))
            }
            Some(_) => Err(self.wrong("rope.scaling.type", "none, linear, yarn and longrope are computed")),
        }
    }
}

/// The number that was meant where an f32 was stored: 1e-6, and not 0.0000009999999974752427.
fn shortest(number: f64) -> f64 {
    let narrow = number as f32;
    if f64::from(narrow) == number { narrow.to_string().parse().unwrap_or(number) } else { number }
}
