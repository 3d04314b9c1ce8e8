//! What a `config.json` says of attention beside its sizes: windows, scores, and which part of a head turns.

use super::{Config, Family};
use crate::llm::json::{ConfigError, Fields, Largest};

/// Elements of a head that turn.
pub(super) fn rotary(family: Family, fields: &Fields<'_>, head_dim: usize) -> Result<usize, ConfigError> {
    let name = "partial_rotary_factor";
    let Some(factor) = fields.positive(name, 1e6)?.filter(|factor| *factor != 1.0) else { return Ok(head_dim) };
    if family != Family::Phi3 {
        let mend = format!("{} models turn whole heads: leave it out", family.name());
        return Err(fields.error(name, "is not 1", &mend));
    }
    // Cut to whole elements, as the published code does.
    let rotary = (head_dim as f64 * factor) as usize;
    if rotary < 2 || !rotary.is_multiple_of(2) || rotary > head_dim {
        let what = format!("{factor} of head_dim {head_dim} makes {rotary}");
        return Err(fields.error(name, &what, "positions turn pairs: make it even, from 2 to head_dim"));
    }
    Ok(rotary)
}

/// The base of the frequencies in layers with a window, where they have another than the rest.
pub(super) fn local_theta(
    family: Family,
    fields: &Fields<'_>,
    sizes: (usize, usize),
) -> Result<Option<f64>, ConfigError> {
    if family != Family::Gemma3 {
        return Ok(None);
    }
    let usual = fields.positive("rope_local_base_freq", 1e12)?.unwrap_or(10_000.0);
    match fields.object("rope_parameters")?.and_then(|both| both.get("sliding_attention")) {
        Some(_) => crate::llm::position::read(fields, "sliding_attention", usual, sizes).map(|read| Some(read.theta)),
        None => Ok(Some(usual)),
    }
}

/// (scale, softcap) of the scores.
pub(super) fn scores(
    family: Family,
    fields: &Fields<'_>,
    head_dim: usize,
) -> Result<(Option<f32>, Option<f32>), ConfigError> {
    let scale = match family {
        Family::Gemma2 | Family::Gemma3 => {
            let scalar = fields.positive("query_pre_attn_scalar", 1e9)?.unwrap_or(256.0);
            (scalar != head_dim as f64).then(|| (1.0 / scalar.sqrt()) as f32)
        }
        Family::Granite => Some(fields.positive("attention_multiplier", 1e9)?.unwrap_or(1.0) as f32),
        _ => None,
    };
    Ok((scale, softcap(family, fields, "attn_logit_softcapping", 50.0)?))
}

/// What the field of that name bends to; Gemma 2 has `usual` where the field is left out, and nothing where it is null.
pub(super) fn softcap(family: Family, fields: &Fields<'_>, name: &str, usual: f32) -> Result<Option<f32>, ConfigError> {
    let cap = fields.positive(name, 1e9)?.map(|cap| cap as f32);
    if cap.is_some() && !family.is_gemma() {
        let mend = format!("{} models have none: leave it out", family.name());
        return Err(fields.error(name, "is given", &mend));
    }
    Ok(if family == Family::Gemma2 && !fields.mentions(name) { Some(usual) } else { cap })
}

impl Config {
    /// Which layers have a sliding window, and how long it is.
    pub(super) fn read_window(&mut self, fields: &Fields<'_>) -> Result<(), ConfigError> {
        let usual = match self.family {
            Family::Gemma2 | Family::Gemma3 => Some(4096),
            Family::GptOss => Some(128),
            _ => None,
        };
        let Some(window) = fields.optional_size("sliding_window", Largest(1 << 40))?.or(usual) else { return Ok(()) };
        let layers = self.layers;
        let named = fields.texts("layer_types")?;
        if !named.is_empty() && named.len() != layers {
            let what = format!("has {} entries for {layers} layers", named.len());
            return Err(fields.error("layer_types", &what, "give one a layer"));
        }
        let pattern = |name: &str, usual| fields.optional_size(name, Largest(1 << 12)).map(|p| p.unwrap_or(usual));
        let windowed: Vec<bool> = if !named.is_empty() {
            named.iter().map(|kind| *kind == "sliding_attention").collect()
        } else {
            match self.family {
                Family::Llama | Family::Granite => {
                    self.notes
                        .push(format!("sliding_window {window} is nothing that {} models read", self.family.name()));
                    return Ok(());
                }
                Family::Mistral | Family::Phi3 => vec![true; layers],
                // Off unless it is switched on, and then from one layer on.
                Family::Qwen2 | Family::Qwen2Moe | Family::Qwen3 | Family::Qwen3Moe => {
                    if fields.flag("use_sliding_window")? != Some(true) {
                        self.notes.push(format!("sliding_window {window} is switched off by use_sliding_window"));
                        return Ok(());
                    }
                    let from = fields.number("max_window_layers")?.unwrap_or(28.0);
                    (0..layers).map(|layer| layer as f64 >= from).collect()
                }
                // Every so many layers one sees all.
                Family::Gemma3 => {
                    let period = pattern("sliding_window_pattern", 6)?;
                    (0..layers).map(|layer| (layer + 1) % period != 0).collect()
                }
                Family::Gemma2 | Family::GptOss => (0..layers).map(|layer| layer % 2 == 0).collect(),
            }
        };
        if window >= self.context {
            self.notes.push(format!("sliding_window {window} is not shorter than the context and changes nothing"));
        } else if windowed.contains(&true) {
            (self.window, self.windowed) = (Some(window), windowed);
            return Ok(());
        }
        // Layers that would have had the window keep their own base of frequencies.
        if self.local_theta.is_some() {
            self.windowed = windowed;
        }
        Ok(())
    }
}
