//! The longrope scaling of a `config.json` (Phi-3, Phi-4-mini): a divisor for each frequency, of short sequences and of long ones.

use crate::llm::json::{ConfigError, Fields, Largest};
use crate::llm::position::LARGEST_THETA;
use spark_kernels::rope::Scaling;

/// What it is up to the trained context, and beyond it, each with the tokens up to which and from which on it counts.
///
/// `outer` is the decoder's own object, `inner` that of the scaling, `sizes` the context and the elements of a head that turn.
/// Errors: lists that do not fit them, magnitudes of another model, a trained context that is missing.
pub(super) fn read(
    outer: &Fields<'_>,
    inner: &Fields<'_>,
    (context, rotary): (usize, usize),
) -> Result<[(usize, Scaling); 2], ConfigError> {
    // Phi-3-small's, which stand in place of the one that is formed below.
    for name in ["short_mscale", "long_mscale"] {
        if inner.number(name)?.is_some() {
            return Err(inner.error(name, "is given", "magnitudes of their own are not computed: leave it out"));
        }
    }
    let (name, most) = ("original_max_position_embeddings", Largest(1 << 40));
    let original = match inner.optional_size(name, most)? {
        Some(original) => original,
        None => outer.size(name, most)?,
    };
    if original < 2 {
        return Err(outer.error(name, "is 1", "give the trained context, such as 4096"));
    }
    let factor = inner.positive("factor", LARGEST_THETA)?.unwrap_or(context as f64 / original as f64);
    let magnitude = match inner.positive("attention_factor", LARGEST_THETA)? {
        Some(magnitude) => magnitude,
        None if factor <= 1.0 => 1.0,
        None => (1.0 + spark_kernels::math::ln(factor) / spark_kernels::math::ln(original as f64)).sqrt(),
    };
    let scaling = |name| {
        let factors = inner.positives(name, LARGEST_THETA)?;
        if factors.len() != rotary / 2 {
            let what = format!("has {} entries for {rotary} elements of a head that turn", factors.len());
            return Err(inner.error(name, &what, "give one for each two"));
        }
        Ok((original, Scaling::Long { factors: factors.into(), magnitude }))
    };
    Ok([scaling("short_factor")?, scaling("long_factor")?])
}
