//! The power that the double pretends to take: sines over a base, so that the joules up to any moment are known exactly.

use std::f64::consts::TAU;

/// Watts that never change.
pub const BASE_W: f64 = 45.0;
/// Watts and hertz of what swings about them: slowly as loads do, quickly as kernels do.
const SINES: [(f64, f64); 3] = [(3.0, 1.0 / 7.0), (4.0, 1.3), (1.0, 7.7)];
/// Watts that the rest of a GH200's module takes beside its GPU.
pub const REST_OF_MODULE_W: f64 = 110.0;

/// Watts at `t` seconds.
pub fn watts(t: f64) -> f64 {
    BASE_W + SINES.iter().map(|(w, hz)| w * (TAU * hz * t).sin()).sum::<f64>()
}

/// Joules from 0 to `t` seconds.
pub fn joules(t: f64) -> f64 {
    BASE_W * t + SINES.iter().map(|(w, hz)| w / (TAU * hz) * (1.0 - (TAU * hz * t).cos())).sum::<f64>()
}

/// The mean watts between two moments.
pub fn mean(from: f64, to: f64) -> f64 {
    (joules(to) - joules(from)) / (to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joules_are_the_integral_of_watts() {
        let steps = 200_000;
        let sum: f64 = (0..steps).map(|i| watts((f64::from(i) + 0.5) * 1e-4) * 1e-4).sum();
        assert!((sum - joules(20.0)).abs() < 1e-6, "{sum} {}", joules(20.0));
        assert!(watts(5.25) > 0.0 && (mean(3.0, 3.0001) - watts(3.0)).abs() < 0.1);
    }
}
