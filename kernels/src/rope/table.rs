//! Frequencies and the table of their cosines and sines, in f64 on + − × ÷ only and rounded once to f32.

use super::Rope;
use crate::cpu::pool::Pool;
use crate::cpu::share::{nothing, share};
use crate::{Buffer, Fault, Invalid, Placement, Type, math};
use std::f64::consts::TAU;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// How the frequencies are changed for a context longer than the one they were trained for.
#[derive(Clone, Debug, PartialEq)]
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
    /// `rope_type: yarn`: frequencies that turn often in the trained context kept, seldom ones divided by `factor`, a ramp over
    /// the indices in between; and cosine and sine multiplied with `magnitude`.
    Yarn {
        /// `factor`.
        factor: f64,
        /// `beta_fast`: turns in the trained context from which on a frequency is kept.
        fast: f64,
        /// `beta_slow`: turns up to which it is divided.
        slow: f64,
        /// `original_max_position_embeddings`.
        original: f64,
        /// Whether the ends of the ramp are whole indices.
        truncate: bool,
        /// `attention_factor`, 0.1 · ln(factor) + 1 where the config gives none.
        magnitude: f64,
    },
    /// `rope_type: longrope`: every frequency divided by a number of its own, and cosine and sine multiplied with `magnitude`.
    Long {
        /// `short_factor` or `long_factor`: rotary/2.
        factors: Arc<[f64]>,
        /// `attention_factor`, √(1 + ln(factor) / ln(original)) where the config gives none.
        magnitude: f64,
    },
}

impl Scaling {
    pub(super) fn validate(&self, rotary: usize) -> Result<(), Invalid> {
        let positive = |x: f64| x.is_finite() && x > 0.0;
        let holds = match *self {
            Self::None => true,
            Self::Linear(factor) => positive(factor),
            Self::Llama3 { factor, low, high, original } => {
                positive(factor) && positive(low) && positive(original) && high.is_finite() && high > low
            }
            Self::Yarn { factor, fast, slow, original, magnitude, .. } => {
                [factor, slow, original, magnitude].into_iter().all(positive) && fast.is_finite() && fast > slow
            }
            Self::Long { ref factors, magnitude } => {
                if factors.len() != rotary / 2 {
                    let (len, half) = (factors.len(), rotary / 2);
                    return Err(Invalid(format!("rope: {len} longrope factors for {half} frequencies; give one each")));
                }
                factors.iter().chain([&magnitude]).all(|x| positive(*x))
            }
        };
        if holds {
            return Ok(());
        }
        Err(Invalid(format!(
            "rope: scaling {self} needs positive finite numbers, high_freq_factor > low_freq_factor and beta_fast > beta_slow"
        )))
    }
    /// What cosine and sine are multiplied with.
    pub(super) fn magnitude(&self) -> f64 {
        if let Self::Yarn { magnitude, .. } | Self::Long { magnitude, .. } = self { *magnitude } else { 1.0 }
    }
    /// Frequency `i` of `rotary`/2, in radians a position, changed; `power` is the power function to form it with.
    pub(super) fn frequency(&self, i: usize, rotary: usize, theta: f64, power: impl Fn(f64, f64) -> f64) -> f64 {
        let frequency = power(theta, -2.0 * i as f64 / rotary as f64);
        match *self {
            Self::None => frequency,
            Self::Linear(factor) => frequency / factor,
            Self::Long { ref factors, .. } => frequency / factors[i],
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
            Self::Yarn { factor, fast, slow, original, truncate, .. } => {
                let last = rotary as f64 - 1.0;
                // The index whose frequency makes so many turns in the trained context.
                let index = |turns: f64| rotary as f64 * math::ln(original / (turns * TAU)) / (2.0 * math::ln(theta));
                let (low, high) = (index(fast), index(slow));
                let (low, high) = if truncate { (low.floor(), high.ceil()) } else { (low, high) };
                let (low, high) = (low.max(0.0), high.min(last));
                // As in the published code, which keeps the ramp from being a step that way.
                let high = if low == high { high + 0.001 } else { high };
                let slowed = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                frequency / factor * slowed + frequency * (1.0 - slowed)
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
            Self::Yarn { factor, fast, slow, original, truncate, magnitude } => {
                let cut = if *truncate { ":truncated" } else { "" };
                write!(f, "yarn:{factor}:{fast}:{slow}:{original}:{magnitude}{cut}")
            }
            Self::Long { factors, magnitude } => {
                write!(f, "longrope:{magnitude}")?;
                factors.iter().try_for_each(|factor| write!(f, ":{factor}"))
            }
        }
    }
}

/// The frequencies of an op, and what cosine and sine are multiplied with.
pub(super) struct Waves {
    frequencies: Vec<f64>,
    magnitude: f64,
}

impl Waves {
    pub(super) fn of(op: &Rope) -> Self {
        let power = |base: f64, power: f64| math::exp(power * math::ln(base));
        let frequency = |i| op.scaling.frequency(i, op.rotary, op.theta, power);
        Self { frequencies: (0..op.rotary / 2).map(frequency).collect(), magnitude: op.scaling.magnitude() }
    }
    /// A row for each of `positions`: rotary/2 cosines, then rotary/2 sines.
    pub(super) fn fill(&self, positions: Range<usize>, rows: &mut [f32]) {
        let half = self.frequencies.len();
        for (position, row) in positions.zip(rows.chunks_exact_mut(2 * half)) {
            let (cos, sin) = row.split_at_mut(half);
            for ((cos, sin), frequency) in cos.iter_mut().zip(sin).zip(&self.frequencies) {
                let exact = math::sin_cos(position as f64 * frequency);
                (*sin, *cos) = ((exact.0 * self.magnitude) as f32, (exact.1 * self.magnitude) as f32);
            }
        }
    }
}

/// capacity × (rotary/2 cosines, then rotary/2 sines).
pub(super) fn table(op: &Rope, pool: &Pool) -> Result<Buffer, Fault> {
    let waves = Waves::of(op);
    let mut table = Buffer::host(Type::F32, op.capacity * op.rotary, Placement::Fast)?;
    share(pool, (op.capacity, 16), (table.slice_mut::<f32>(), nothing()), (op.rotary, 0), &|positions, rows, _| {
        waves.fill(positions, rows);
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
        // A power that is its base makes any number the frequency.
        let apply = |frequency: f64| scaling.frequency(1, 2, frequency, |base, _| base);
        assert_eq!(apply(of_wave(100.0)), of_wave(100.0));
        assert_eq!(apply(of_wave(20_000.0)), of_wave(20_000.0) / 8.0);
        let (at_high, at_low) = (of_wave(2048.0), of_wave(8192.0));
        assert!((apply(at_high) / at_high - 1.0).abs() < 1e-12);
        assert!((apply(at_low) / at_low - 0.125).abs() < 1e-12);
        // 8192/3276.8 = 2.5 waves, half way from 1 to 4: (1/8 + 1)/2.
        assert!((apply(of_wave(3276.8)) / of_wave(3276.8) - 0.5625).abs() < 1e-12);
    }

    #[test]
    fn yarn_keeps_the_fast_divides_the_slow_and_ramps_between() {
        // 64 elements, base 150000, 4096 trained positions: index(32) = 8.093, index(1) = 17.398, by hand from
        // 64·ln(4096/(32·2π))/(2·ln 150000) = 64·3.0141/23.8368 and 64·ln(4096/2π)/23.8368 = 64·6.4798/23.8368.
        let yarn = |truncate| Scaling::Yarn {
            factor: 32.0,
            fast: 32.0,
            slow: 1.0,
            original: 4096.0,
            truncate,
            magnitude: 1.25,
        };
        let ratio = |truncate, i: usize| {
            yarn(truncate).frequency(i, 64, 150_000.0, f64::powf) / 150_000_f64.powf(-(i as f64) / 32.0)
        };
        assert_eq!((ratio(false, 0), ratio(false, 8)), (1.0, 1.0));
        assert!((ratio(false, 18) - 1.0 / 32.0).abs() < 1e-12 && (ratio(false, 31) - 1.0 / 32.0).abs() < 1e-12);
        let slowed = (12.0 - 8.0927) / (17.3977 - 8.0927);
        assert!((ratio(false, 12) - (slowed / 32.0 + 1.0 - slowed)).abs() < 1e-4, "{}", ratio(false, 12));
        // Cut to 8 and 18: 12 is four tenths of the way.
        assert!((ratio(true, 12) - (0.4 / 32.0 + 0.6)).abs() < 1e-12);
        assert_eq!(yarn(true).magnitude(), 1.25);
    }

    #[test]
    fn scalings_that_divide_by_zero_are_invalid() {
        assert!(Scaling::Linear(0.0).validate(64).is_err());
        assert!(Scaling::Llama3 { factor: 8.0, low: 4.0, high: 4.0, original: 8192.0 }.validate(64).is_err());
        assert!(Scaling::Llama3 { factor: 8.0, low: 1.0, high: 4.0, original: 8192.0 }.validate(64).is_ok());
        let long = |factors: &[f64]| Scaling::Long { factors: factors.into(), magnitude: 1.2 };
        assert!(long(&[1.0, 2.0]).validate(4).is_ok() && long(&[1.0, 0.0]).validate(4).is_err());
        assert!(long(&[1.0, 2.0, 3.0]).validate(4).unwrap_err().to_string().contains("3 longrope factors for 2"));
    }
}
