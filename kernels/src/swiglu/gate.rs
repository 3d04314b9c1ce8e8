//! How the gate of a feed-forward block turns its two halves into one: all kinds are `g / (1 + e^-t) · u`.

use crate::Invalid;
use std::fmt;
use std::str::FromStr;

/// The steepness of [`Gate::Clamped`]: `g · sigmoid(1.702 g)` stays near the exact GELU.
pub const CLAMPED_ALPHA: f32 = 1.702;
/// 2·√(2/π): twice the factor inside the tanh of [`Gate::GeluTanh`], for `0.5·(1 + tanh z) = 1 / (1 + e^(-2z))`.
pub(super) const GELU_LINEAR: f32 = 1.595_769;
/// 0.044715 · 2·√(2/π).
pub(super) const GELU_CUBIC: f32 = 0.071_354_82;

/// What the gate does to its half before the other is multiplied with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gate {
    /// `silu(g) · u`: t = g.
    Silu,
    /// `gelu(g) · u` in the tanh form: t = 2·√(2/π) · (g + 0.044715 g³).
    GeluTanh,
    /// gpt-oss: g at most `limit`, u within ± `limit`, then `g · sigmoid(1.702 g) · (u + 1)`.
    Clamped {
        /// `swiglu_limit`.
        limit: f32,
    },
}

impl Gate {
    pub(super) fn validate(self) -> Result<(), Invalid> {
        match self {
            Self::Clamped { limit } if !(limit.is_finite() && limit > 0.0) => {
                Err(Invalid(format!("swiglu: limit {limit} has to be positive and finite, such as 7")))
            }
            _ => Ok(()),
        }
    }
    /// The value, and how far it errs relative to itself for an error of 1 in every rounding of t.
    pub(super) fn exact(self, gate: f64, up: f64) -> (f64, f64) {
        let (gate, up, t) = match self {
            Self::Silu => (gate, up, gate),
            Self::GeluTanh => {
                let linear = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
                (gate, up, linear * (gate + 0.044715 * gate * gate * gate))
            }
            Self::Clamped { limit } => {
                let (gate, limit) = (gate.min(f64::from(limit)), f64::from(limit));
                (gate, up.clamp(-limit, limit) + 1.0, f64::from(CLAMPED_ALPHA) * gate)
            }
        };
        // d ln(1/(1 + e^-t)) = dt / (1 + e^t).
        let steep = if self == Self::Silu { 0.0 } else { t.abs() / (1.0 + t.exp()) };
        (gate / (1.0 + (-t).exp()) * up, 1.0 + steep)
    }
    /// Operations an element, a comparison not counted.
    pub(super) const fn flops(self) -> usize {
        match self {
            // Negation, exponential, sum, quotient, product; four for GELU's polynomial; α·g and u + 1.
            Self::Silu => 5,
            Self::GeluTanh => 9,
            Self::Clamped { .. } => 7,
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silu => f.write_str("silu"),
            Self::GeluTanh => f.write_str("gelu"),
            Self::Clamped { limit } => write!(f, "clamped:{limit}"),
        }
    }
}

/// A text that names no gate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no gate '{0}' is known; choose silu, gelu, or clamped:7 with any limit above 0")]
pub struct UnknownGate(pub String);

impl FromStr for Gate {
    type Err = UnknownGate;

    fn from_str(text: &str) -> Result<Self, UnknownGate> {
        let unknown = || UnknownGate(text.to_owned());
        match text.split_once(':') {
            None if text == "silu" => Ok(Self::Silu),
            None if text == "gelu" => Ok(Self::GeluTanh),
            Some(("clamped", limit)) => {
                let gate = Self::Clamped { limit: limit.parse().map_err(|_| unknown())? };
                gate.validate().map_err(|_| unknown())?;
                Ok(gate)
            }
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_read_back_from_its_name() {
        for gate in [Gate::Silu, Gate::GeluTanh, Gate::Clamped { limit: 6.5 }] {
            assert_eq!(gate.to_string().parse(), Ok(gate));
        }
        for wrong in ["", "relu", "clamped", "clamped:0", "clamped:x", "clamped:inf", "silu:1"] {
            assert!(wrong.parse::<Gate>().is_err(), "{wrong}");
        }
    }
}
