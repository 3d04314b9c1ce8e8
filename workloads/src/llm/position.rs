//! The rotary embedding's part of a `config.json`: its base and its scaling, in the old and the new spelling.

use crate::llm::json::{ConfigError, Fields, Largest};
use spark_kernels::rope::Scaling;

/// The largest base and the largest factor taken: f64 keeps every angle below them.
const LARGEST_THETA: f64 = 1e12;

/// `rope_theta` and `rope_scaling`, or `rope_parameters`, which holds both. Errors: a scaling that is not computed, by name.
pub(crate) fn read(fields: &Fields<'_>) -> Result<(f64, Scaling), ConfigError> {
    let theta = fields.positive("rope_theta", LARGEST_THETA)?;
    let (path, object) = match fields.object("rope_scaling")? {
        Some(object) => ("rope_scaling.", Some(object)),
        None => ("rope_parameters.", fields.object("rope_parameters")?),
    };
    let Some(object) = object else { return based(theta, Scaling::None) };
    let inner = Fields::new(object, path);
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
        other => {
            let what = match other {
                Some(name) => format!("'{}' is not computed here", spark_results::machine::clean(name)),
                None => "is missing beside a factor".to_owned(),
            };
            return Err(ConfigError::field(
                &format!("{path}rope_type"),
                &what,
                "choose null, default, linear or llama3",
            ));
        }
    };
    based(theta, scaling)
}

fn based(theta: Option<f64>, scaling: Scaling) -> Result<(f64, Scaling), ConfigError> {
    let theta = theta.unwrap_or(10_000.0);
    if theta < 1.0 {
        return Err(ConfigError::field(
            "rope_theta",
            &format!("is {theta}"),
            "give a base of at least 1, such as 10000",
        ));
    }
    Ok((theta, scaling))
}
