//! Frequencies and the table of their cosines and sines, in f64 on + − × ÷ only and rounded once to f32.

use super::Rope;
use crate::cpu::pool::Pool;
use crate::cpu::share::{nothing, share};
use crate::{Buffer, Fault, Invalid, Placement, Type, math};
use std::f64::consts::TAU;
use std::fmt;

/// How the frequencies are changed for a context longer than the one they were trained for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scaling {
    /// Not at all.
    None,
    /// `rope_type: llama3`: long waves slowed by `factor`, short ones kept, those in between blended.
    Llama3 {
        /// `factor`.
        factor: f64,
        /// `low_freq_factor`: waves longer than `original / low` are slowed.
        low: f64,
        /// `high_freq_factor`: waves shorter than `original / high` are kept.
        high: f64,
        /// `original_max_position_embeddings`.
        original: f64,
    },
    /// Every frequency divided by this.
    Linear(f64),
}

impl Scaling {
    pub(super) fn validate(self) -> Result<(), Invalid> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let holds = match self {
            Self::None => true,
            Self::Linear(factor) => positive(factor),
            Self::Llama3 { factor, low, high, original } => {
                positive(factor) && positive(low) && positive(original) && high.is_finite() && high > low
            }
        };
        if holds {
            return Ok(());
        }
        Err(Invalid(format!(
            "rope: scaling {self} needs positive finite numbers and high_freq_factor > low_freq_factor"
        )))
    }
    /// The changed frequency, in radians a position.
    pub(super) fn apply(self, frequency: f64) -> f64 {
        match self {
            Self::None => frequency,
            Self::Linear(factor) => frequency / factor,
            Self::Llama3 { factor, low, high, original } => {
                let waves = original * frequency / TAU;
                if waves > high {
                    frequency
                } else if waves < low {
                    frequency / factor
                } else {
                    let kept = (waves - low) / (high - low);
                    (1.0 - kept) * (frequency / factor) + kept * frequency
                }
            }
        }
    }
}

impl fmt::Display for Scaling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Linear(factor) => write!(f, "linear:{factor}"),
            Self::Llama3 { factor, low, high, original } => write!(f, "llama3:{factor}:{low}:{high}:{original}"),
        }
    }
}

/// capacity × (head_dim/2 cosines, then head_dim/2 sines).
pub(super) fn table(op: &Rope, pool: &Pool) -> Result<Buffer, Fault> {
    let (half, log) = (op.head_dim / 2, math::ln(op.theta));
    let frequencies: Vec<f64> =
        (0..half).map(|i| op.scaling.apply(math::exp(-(i as f64 / half as f64) * log))).collect();
    let mut table = Buffer::host(Type::F32, op.capacity * op.head_dim, Placement::Fast)?;
    share(pool, (op.capacity, 16), (table.slice_mut::<f32>(), nothing()), (op.head_dim, 0), &|positions, rows, _| {
        for (position, row) in positions.zip(rows.chunks_exact_mut(op.head_dim)) {
            let (cos, sin) = row.split_at_mut(half);
            for ((cos, sin), frequency) in cos.iter_mut().zip(sin).zip(&frequencies) {
                let exact = math::sin_cos(position as f64 * frequency);
                (*sin, *cos) = (exact.0 as f32, exact.1 as f32);
            }
        }
    });
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llama3_keeps_short_waves_slows_long_ones_and_blends_between() {
        let scaling = Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192.0 };
        let of_wave = |length: f64| TAU / length;
        assert_eq!(scaling.apply(of_wave(100.0)), of_wave(100.0));
        assert_eq!(scaling.apply(of_wave(20_000.0)), of_wave(20_000.0) / 8.0);
        let (at_high, at_low) = (of_wave(2048.0), of_wave(8192.0));
        assert!((scaling.apply(at_high) / at_high - 1.0).abs() < 1e-12);
        assert!((scaling.apply(at_low) / at_low - 0.125).abs() < 1e-12);
        // 8192/3276.8 = 2.5 waves, half way from 1 to 4: (1/8 + 1)/2.
        assert!((scaling.apply(of_wave(3276.8)) / of_wave(3276.8) - 0.5625).abs() < 1e-12);
    }

    #[test]
    fn scalings_that_divide_by_zero_are_invalid() {
        assert!(Scaling::Linear(0.0).validate().is_err());
        assert!(Scaling::Llama3 { factor: 8.0, low: 4.0, high: 4.0, original: 8192.0 }.validate().is_err());
        assert!(Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192.0 }.validate().is_ok());
    }
}
