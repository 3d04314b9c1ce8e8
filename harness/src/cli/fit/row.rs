//! One row of `fit`: a model in one format on one machine, with a reason for each number that is not there.

use super::room::Offer;
use serde::Serialize;
use spark_kernels::attention::KvType;
use spark_kernels::format::Format;
use spark_results::cost::{Band, Cost, Inputs};
use spark_workloads::llm::fit::{Fit, Shape, Weights};
use std::collections::BTreeMap;

/// A row, as `--json` prints it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) model: String,
    pub(super) parameters: u64,
    pub(super) format: String,
    pub(super) bits_per_weight: f64,
    pub(super) kv: &'static str,
    pub(super) context: u64,
    pub(super) weights_bytes: u64,
    pub(super) kv_bytes_per_token: Option<u64>,
    pub(super) kv_bytes: Option<u64>,
    pub(super) activation_bytes: Option<u64>,
    /// What the engine of this program holds: a tied table twice, whole caches in layers with a window.
    pub(super) engine_bytes: Option<u64>,
    pub(super) max_context: Option<u64>,
    pub(super) memory_context: Option<u64>,
    pub(super) decode_tok_s_bound: Option<f64>,
    pub(super) ttft_s_bound: Option<f64>,
    pub(super) fits: Option<bool>,
    pub(super) machine: String,
    pub(super) memory_bytes: Option<f64>,
    pub(super) memory_from: String,
    pub(super) bandwidth_bytes_per_s: Option<f64>,
    pub(super) bandwidth_from: String,
    pub(super) peak_ops_per_s: Option<f64>,
    pub(super) peak_from: String,
    pub(super) cost: Option<Priced>,
    /// Why a number above is null, by its name.
    pub(super) unavailable: BTreeMap<&'static str, String>,
}

/// What a million tokens cost, with everything that went in.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Priced {
    pub(super) inputs: Inputs,
    pub(super) joules_from: String,
    pub(super) speed_from: String,
    #[serde(flatten)]
    pub(super) cost: Cost,
    pub(super) sensitivity: Vec<Band>,
}

impl Row {
    #[expect(clippy::too_many_arguments, reason = "a row is its parts, and is made in one place")]
    pub(super) fn new(
        name: &str,
        shape: &Shape,
        format: &str,
        weights: Weights,
        kv: KvType,
        context: u64,
        fit: Fit,
        offer: &Offer,
    ) -> Self {
        let peak = offer.peak(Format::ALL.into_iter().find(|of| of.name() == format));
        let mut unavailable = BTreeMap::new();
        let mut missing = |missing: bool, name, why: String| {
            if missing {
                unavailable.insert(name, why);
            }
        };
        let counted = matches!(shape, Shape::Parameters(_));
        let no_shape = "a number of parameters has no shape; give a preset or a config.json with -m";
        for name in ["kv_bytes_per_token", "kv_bytes", "activation_bytes"] {
            missing(counted, name, no_shape.to_owned());
        }
        let no_engine = if counted { no_shape } else { "the engine has no format of so many bits" };
        missing(fit.engine.is_none(), "engine_bytes", no_engine.to_owned());
        for (name, none) in
            [("max_context", fit.max_context.is_none()), ("memory_context", fit.memory_context.is_none())]
        {
            missing(none, name, if counted { no_shape.to_owned() } else { offer.memory.from.clone() });
        }
        missing(fit.fits.is_none(), "fits", offer.memory.from.clone());
        missing(fit.decode_per_s.is_none(), "decode_tok_s_bound", offer.bandwidth.from.clone());
        let no_first = if fit.decode_per_s.is_none() { &offer.bandwidth.from } else { &peak.from };
        missing(fit.ttft_s.is_none(), "ttft_s_bound", no_first.clone());
        Self {
            model: name.to_owned(),
            parameters: shape.parameters(),
            format: format.to_owned(),
            bits_per_weight: weights.bits(),
            kv: kv.name(),
            context,
            weights_bytes: fit.weights,
            kv_bytes_per_token: fit.kv_per_token,
            kv_bytes: fit.kv,
            activation_bytes: fit.activations,
            engine_bytes: fit.engine,
            max_context: fit.max_context,
            memory_context: fit.memory_context,
            decode_tok_s_bound: fit.decode_per_s,
            ttft_s_bound: fit.ttft_s,
            fits: fit.fits,
            machine: offer.machine.clone(),
            memory_bytes: offer.memory.value,
            memory_from: offer.memory.from.clone(),
            bandwidth_bytes_per_s: offer.bandwidth.value,
            bandwidth_from: offer.bandwidth.from.clone(),
            peak_ops_per_s: peak.value,
            peak_from: peak.from,
            cost: None,
            unavailable,
        }
    }
}
