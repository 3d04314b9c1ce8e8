//! The rotary embedding's part of a `config.json`: its base and its scaling, in the old and the new spelling.

use crate::llm::json::{ConfigError, Fields, Largest};
use crate::llm::longrope;
use spark_kernels::rope::Scaling;

/// The largest base and the largest factor taken: f64 keeps every angle below them.
pub(crate) const LARGEST_THETA: f64 = 1e12;

/// What a config says of positions.
#[derive(Debug)]
pub(crate) struct Positions {
    /// Base of the frequencies.
    pub(crate) theta: f64,
    /// How they are stretched.
    pub(crate) scaling: Scaling,
    /// How they are stretched in place of that for more tokens than this.
    pub(crate) long: Option<(usize, Scaling)>,
}

/// `rope_theta` and `rope_scaling`, or `rope_parameters`, which holds both, perhaps for each `kind` of layer. The base is
/// `usual` where none is given; `sizes` are the model's context and the elements of a head that turn. Errors: a scaling that is not
/// computed, by name.
pub(crate) fn read(
    fields: &Fields<'_>,
    kind: &str,
    usual: f64,
    sizes: (usize, usize),
) -> Result<Positions, ConfigError> {
    let theta = Some(fields.positive("rope_theta", LARGEST_THETA)?.unwrap_or(usual));
    let (path, object) = match fields.object("rope_scaling")? {
        Some(object) => ("rope_scaling.", Some(object)),
        None => ("rope_parameters.", fields.object("rope_parameters")?),
    };
    let Some(object) = object else { return based(theta, usual, Scaling::None) };
    let path = fields.path_of(path);
    let outer = Fields::new(object, &path);
    let deeper = format!("{path}{kind}.");
    let (object, path) = match object.get(kind) {
        Some(_) => (outer.object(kind)?.unwrap_or(object), deeper),
        None => (object, path.clone()),
    };
    let inner = Fields::new(object, &path);
    let theta = match inner.positive("rope_theta", LARGEST_THETA)? {
        Some(inside) => Some(inside),
        None => theta,
    };
    let kind = match inner.text("rope_type")? {
        Some(kind) => Some(kind),
        None => inner.text("type")?,
    };
    let number = |name| -> Result<f64, ConfigError> {
        inner
            .positive(name, LARGEST_THETA)?
            .ok_or_else(|| ConfigError::field(&format!("{path}{name}"), "is missing", "give a number above 0"))
    };
    let mut long = None;
    let scaling = match kind {
        Some("default") => Scaling::None,
        None if inner.positive("factor", LARGEST_THETA)?.is_none() => Scaling::None,
        Some("linear") => Scaling::Linear(number("factor")?),
        Some("llama3") => {
            let (factor, low, high) = (number("factor")?, number("low_freq_factor")?, number("high_freq_factor")?);
            if high <= low {
                let what = format!("{high} is not above low_freq_factor {low}");
                return Err(ConfigError::field(&format!("{path}high_freq_factor"), &what, "swap them"));
            }
            let original = inner.size("original_max_position_embeddings", Largest(1 << 40))? as f64;
            Scaling::Llama3 { factor, low, high, original }
        }
        Some("yarn") => {
            let original = inner.size("original_max_position_embeddings", Largest(1 << 40))? as f64;
            let number = |name, usual| inner.positive(name, LARGEST_THETA).map(|number| number.unwrap_or(usual));
            let (fast, slow) = (number("beta_fast", 32.0)?, number("beta_slow", 1.0)?);
            if fast <= slow {
                let what = format!("{fast} is not above beta_slow {slow}");
                return Err(ConfigError::field(&format!("{path}beta_fast"), &what, "swap them"));
            }
            // DeepSeek's, which make another magnitude of them.
            for name in ["mscale", "mscale_all_dim"] {
                if inner.number(name)?.is_some() {
                    let mend = "magnitudes other than yarn's own are not computed: leave it out";
                    return Err(ConfigError::field(&format!("{path}{name}"), "is given", mend));
                }
            }
            let factor = inner
                .positive("factor", LARGEST_THETA)?
                .ok_or_else(|| ConfigError::field(&format!("{path}factor"), "is missing", "give a number above 0"))?;
            // The published magnitude, which counts for factors above 1 alone.
            let usual = if factor > 1.0 { 0.1 * spark_kernels::math::ln(factor) + 1.0 } else { 1.0 };
            let magnitude = number("attention_factor", usual)?;
            let truncate = inner.flag("truncate")?.unwrap_or(true);
            Scaling::Yarn { factor, fast, slow, original, truncate, magnitude }
        }
        // The name that Phi-3's files gave it first.
        Some("longrope" | "su") => {
            let [short, beyond] = longrope::read(fields, &inner, sizes)?;
            long = Some(beyond);
            short.1
        }
        other => {
            let what = match other {
                Some(name) => format!("'{}' is not computed here", spark_results::machine::clean(name)),
                None => "is missing beside a factor".to_owned(),
            };
            return Err(ConfigError::field(
                &format!("{path}rope_type"),
                &what,
                "choose null, default, linear, llama3, yarn or longrope",
            ));
        }
    };
    based(theta, usual, scaling).map(|positions| Positions { long, ..positions })
}

fn based(theta: Option<f64>, usual: f64, scaling: Scaling) -> Result<Positions, ConfigError> {
    let theta = theta.unwrap_or(usual);
    if theta < 1.0 {
        return Err(ConfigError::field(
            "rope_theta",
            &format!("is {theta}"),
            "give a base of at least 1, such as 10000",
        ));
    }
    Ok(Positions { theta, scaling, long: None })
}
