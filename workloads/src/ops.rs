//! The rows: every op of the engine as a workload, one line of axes each.

mod launch;
mod memory;
mod peak;
mod softcap;

pub use launch::LAUNCH;
pub use memory::{CHASE, COPY, LINES, READ, TRIAD, WRITE};

use crate::axis::{Axis, BadRequest, count, name, size};
use crate::micro::Micro;
use spark_kernels::attention::{Attention, KvType};
use spark_kernels::embed::Embed;
use spark_kernels::format::Format;
use spark_kernels::gemm::{Activations, Gemm};
use spark_kernels::moe::{Experts, Route, Routing};
use spark_kernels::rmsnorm::RmsNorm;
use spark_kernels::rope::{Rope, Scaling};
use spark_kernels::sample::{Method, Sample};
use spark_kernels::swiglu::{Gate, SwiGlu};
use spark_results::Axes;

const fn axis(name: &'static str, about: &'static str, default: &'static str) -> Axis {
    Axis { name, about, default }
}

/// The axis value as a type that is read from its name. Errors: the type's own words.
fn named<T: std::str::FromStr>(axes: &Axes, axis: &str) -> Result<T, BadRequest>
where
    T::Err: std::fmt::Display,
{
    name(axes, axis)?.parse().map_err(|e: T::Err| BadRequest(format!("{axis}: {e}")))
}

/// The type of the KV cache on axis `kv`.
pub(crate) fn kv_type(axes: &Axes) -> Result<KvType, BadRequest> {
    let asked = name(axes, "kv")?;
    KvType::ALL.iter().copied().find(|kv| kv.name() == asked).ok_or_else(|| {
        let names: Vec<_> = KvType::ALL.iter().map(|kv| kv.name()).collect();
        BadRequest(format!("kv is '{}'; it is one of {}", spark_results::machine::clean(&asked), names.join(", ")))
    })
}

/// Whether `axis` says yes.
fn yes(axes: &Axes, axis: &str) -> Result<bool, BadRequest> {
    match name(axes, axis)?.as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        other => Err(BadRequest(format!("{axis} is '{}'; it is yes or no", spark_results::machine::clean(other)))),
    }
}

/// The number on `axis`, or `None` for 0.
fn factor(axes: &Axes, axis: &str) -> Result<Option<f32>, BadRequest> {
    let asked = name(axes, axis)?;
    match asked.parse::<f32>() {
        Ok(factor) => Ok(Some(factor).filter(|factor| *factor != 0.0)),
        Err(_) => {
            let asked = spark_results::machine::clean(&asked);
            Err(BadRequest(format!("{axis} is '{asked}'; it has to be a number, 0 for none")))
        }
    }
}

/// `gemm`.
pub static GEMM: Micro<Gemm> = Micro {
    about: "matrix multiplication with weights in the number formats of inference",
    axes: &[
        axis("format", "of the weights: mxfp4, nvfp4, q8_0, q4_0, fp8, bf16, f32", "mxfp4"),
        axis("activations", "f32, bf16, int8, int8g32, fp8, mxfp4, nvfp4", "int8"),
        axis("m", "rows of activations (tokens)", "1"),
        axis("n", "outputs", "4096"),
        axis("k", "the reduction", "4096"),
    ],
    parse: |axes, _| {
        Ok(Gemm {
            m: size(axes, "m")?,
            n: size(axes, "n")?,
            k: size(axes, "k")?,
            weights: named::<Format>(axes, "format")?,
            activations: named::<Activations>(axes, "activations")?,
            bias: false,
        })
    },
    cold: None,
    roof: false,
    instruction: None,
    items: None,
};

/// `attention`.
pub static ATTENTION: Micro<Attention> = Micro {
    about: "grouped-query causal attention over a KV cache: prefill (many rows) and decode (one row a sequence)",
    axes: &[
        axis("heads", "query heads", "32"),
        axis("kv_heads", "key and value heads", "8"),
        axis("head_dim", "elements a head", "128"),
        axis("depth", "tokens in the cache before the call", "4096"),
        axis("rows", "tokens the call adds", "1"),
        axis("kv", "type of the cache: f32, bf16, int8 or fp8", "bf16"),
        axis("sequences", "sequences in the batch", "1"),
        axis("window", "tokens a row sees at most; 0 for all", "0"),
        axis("sinks", "a learned score a head that no value belongs to: yes or no", "no"),
        axis("softcap", "what scores are bent to by a tanh; 0 for none", "0"),
        axis("scale", "what scores are multiplied by; 0 for 1/√head_dim", "0"),
        axis("activations", "what queries and probabilities are rounded to: f32 (not at all) or bf16", "f32"),
    ],
    parse: |axes, _| {
        let (rows, sequences) = (size(axes, "rows")?, size(axes, "sequences")?);
        if sequences > rows {
            let text = format!("sequences is {sequences} and rows is {rows}; each sequence adds at least one row");
            return Err(BadRequest(text));
        }
        Ok(Attention {
            rows,
            depth: count(axes, "depth")?,
            heads: size(axes, "heads")?,
            kv_heads: size(axes, "kv_heads")?,
            head_dim: size(axes, "head_dim")?,
            sequences,
            kv: kv_type(axes)?,
            window: Some(count(axes, "window")?).filter(|window| *window > 0),
            sinks: yes(axes, "sinks")?,
            softcap: factor(axes, "softcap")?,
            scale: factor(axes, "scale")?,
            activations: named::<Activations>(axes, "activations")?,
        })
    },
    cold: None,
    roof: false,
    instruction: None,
    items: None,
};

const ROWS: Axis = axis("rows", "tokens", "1");

/// `rmsnorm`.
pub static RMSNORM: Micro<RmsNorm> = Micro {
    about: "residual addition and root-mean-square norm",
    axes: &[ROWS, axis("width", "elements a row", "4096")],
    parse: |axes, _| Ok(RmsNorm::plain(size(axes, "rows")?, size(axes, "width")?, true, 1e-5)),
    cold: Some(false),
    roof: false,
    instruction: None,
    items: None,
};

/// `rope`.
pub static ROPE: Micro<Rope> = Micro {
    about: "rotary position embedding of queries and keys",
    axes: &[
        ROWS,
        axis("heads", "query heads", "32"),
        axis("kv_heads", "key heads", "8"),
        axis("head_dim", "elements a head", "128"),
    ],
    parse: |axes, _| {
        let (rows, head_dim) = (size(axes, "rows")?, size(axes, "head_dim")?);
        Ok(Rope {
            rows,
            heads: size(axes, "heads")?,
            kv_heads: size(axes, "kv_heads")?,
            head_dim,
            rotary: head_dim,
            capacity: rows.max(4096),
            theta: 500_000.0,
            scaling: Scaling::None,
            qk_norm: false,
            eps: 1e-5,
        })
    },
    cold: Some(false),
    roof: false,
    instruction: None,
    items: None,
};

/// `swiglu`.
pub static SWIGLU: Micro<SwiGlu> = Micro {
    about: "the gated activation silu(gate)·up, or another gate",
    axes: &[
        axis("gate", "silu, gelu, or clamped:7 (gpt-oss)", "silu"),
        ROWS,
        axis("width", "elements a row of the output", "14336"),
    ],
    parse: |axes, _| {
        Ok(SwiGlu { rows: size(axes, "rows")?, width: size(axes, "width")?, gate: named::<Gate>(axes, "gate")? })
    },
    cold: Some(false),
    roof: false,
    instruction: None,
    items: None,
};

/// `route`.
pub static ROUTE: Micro<Route> = Micro {
    about: "the choice of experts from a router's logits",
    axes: &[
        axis("active", "experts a token is given to", "4"),
        axis("experts", "experts there are", "32"),
        ROWS,
        axis("normalised", "whether the weights of a token sum to 1: yes or no", "yes"),
        axis("routing", ROUTING, "router"),
    ],
    parse: |axes, _| {
        Ok(Route {
            rows: size(axes, "rows")?,
            experts: size(axes, "experts")?,
            active: size(axes, "active")?,
            shared: 0,
            normalised: yes(axes, "normalised")?,
            routing: named::<Routing>(axes, "routing")?,
            seed: 0,
        })
    },
    cold: Some(false),
    roof: false,
    instruction: None,
    items: None,
};

pub use peak::PEAK;
pub use softcap::SOFTCAP;

const ROUTING: &str = "which experts: router (here dealt out evenly), or drawn: uniform or zipf";

/// `experts`.
pub static EXPERTS: Micro<Experts> = Micro {
    about: "a projection of many experts, of which each token takes a few; one expert's weights are read once a call",
    axes: &[
        axis("activations", "f32, bf16, int8, int8g32, fp8, mxfp4, nvfp4", "int8"),
        axis("active", "experts a token is given to", "4"),
        axis("combine", "whether the choices of a token are summed: yes or no", "no"),
        axis("experts", "experts there are", "32"),
        axis("format", "of the weights: mxfp4, nvfp4, q8_0, q4_0, fp8, bf16, f32", "mxfp4"),
        axis("k", "the reduction", "2880"),
        axis("n", "outputs of an expert", "5760"),
        axis("routing", ROUTING, "router"),
        ROWS,
    ],
    parse: |axes, _| {
        Ok(Experts {
            rows: size(axes, "rows")?,
            experts: size(axes, "experts")?,
            active: size(axes, "active")?,
            n: size(axes, "n")?,
            k: size(axes, "k")?,
            weights: named::<Format>(axes, "format")?,
            activations: named::<Activations>(axes, "activations")?,
            bias: false,
            combine: yes(axes, "combine")?,
            routing: named::<Routing>(axes, "routing")?,
        })
    },
    cold: None,
    roof: false,
    instruction: None,
    items: None,
};

/// `embed`.
pub static EMBED: Micro<Embed> = Micro {
    about: "rows of the embedding table, decoded",
    axes: &[
        ROWS,
        axis("vocab", "rows of the table", "128256"),
        axis("width", "elements a row", "2048"),
        axis("format", "of the table", "q8_0"),
    ],
    parse: |axes, _| {
        Ok(Embed {
            rows: size(axes, "rows")?,
            vocab: size(axes, "vocab")?,
            width: size(axes, "width")?,
            format: named::<Format>(axes, "format")?,
            multiplier: 1.0,
        })
    },
    cold: Some(false),
    roof: false,
    instruction: None,
    items: None,
};

/// `sample`.
pub static SAMPLE: Micro<Sample> = Micro {
    about: "the next token from the logits",
    axes: &[ROWS, axis("vocab", "logits a row", "128256")],
    parse: |axes, _| Ok(Sample { rows: size(axes, "rows")?, vocab: size(axes, "vocab")?, method: Method::Greedy }),
    cold: Some(false),
    roof: false,
    instruction: None,
    items: None,
};
