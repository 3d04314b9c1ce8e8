//! The one check that every implementation passes before it is timed: its outputs against the f64 reference.

use crate::format::splitmix::SplitMix64;
use crate::{Device, Example, Expected, Fault, Host, Implementation, Index, Io, Op};
use std::cell::OnceCell;

/// The outcome of a comparison with the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Check {
    /// Largest |got − expected| ÷ scale over the compared elements; infinite if any value is NaN.
    pub max_error: f64,
    /// What is allowed.
    pub tolerance: f64,
    /// How many elements were compared.
    pub compared: usize,
}

impl Check {
    /// Whether the implementation may be timed.
    pub fn passed(&self) -> bool {
        self.compared > 0 && self.max_error <= self.tolerance
    }
}

/// Which elements of outputs of these lengths to compare: all where there are few, else corners and a seeded spread.
pub fn sample(lens: &[usize], at_most: usize, seed: u64) -> Vec<Index> {
    let share = (at_most / lens.len().max(1)).max(4);
    // The same elements for the same seed on every machine, and others than the synthetic data drew.
    let mut random = SplitMix64::new(seed ^ 0x9e37_79b9_7f4a_7c15);
    let mut picked = Vec::new();
    for (output, &len) in lens.iter().enumerate() {
        if len <= share {
            picked.extend((0..len).map(|at| Index { output, at }));
        } else {
            picked.extend([0, 1, len / 2, len - 2, len - 1].map(|at| Index { output, at }));
            picked.extend((5..share).map(|_| Index { output, at: (random.next() % len as u64) as usize }));
        }
    }
    picked
}

/// Largest relative error of `got` against `expected`. A NaN counts as infinite: `f64::max` alone would lose it.
pub fn max_error(got: impl IntoIterator<Item = f64>, expected: &[Expected]) -> f64 {
    got.into_iter().zip(expected).fold(0.0, |worst: f64, (got, want)| {
        let difference = (got - want.value).abs();
        let error = if difference == 0.0 { 0.0 } else { difference / want.scale };
        if error.is_nan() || worst.is_infinite() { f64::INFINITY } else { worst.max(error) }
    })
}

/// An op on its example, as it is put to any number of implementations: the reference computes what is compared once, for the first of them
/// that answers.
#[derive(Debug)]
pub struct Posed<O> {
    op: O,
    example: Example,
    seed: u64,
    at_most: usize,
    known: OnceCell<(Vec<Index>, Vec<Expected>)>,
}

impl<O: Op> Posed<O> {
    /// `op`, in the form of the device that it is put to ([`Op::on`]), on its example of that seed; at most about `at_most` elements are
    /// compared.
    pub fn new(op: O, seed: u64, at_most: usize) -> Self {
        let example = op.example(seed);
        Self { op, example, seed, at_most, known: OnceCell::new() }
    }

    /// Runs `implementation` once and compares.
    ///
    /// # Errors
    /// It does not support the op on `device`, or the device failed.
    pub fn answered_by(&self, implementation: &dyn Implementation<O>, device: &dyn Device) -> Result<Check, Fault> {
        let (op, example) = (&self.op, &self.example);
        implementation.supports(op, device)?;
        let upload =
            |hosts: &[Host]| hosts.iter().map(|h| device.upload_to(h, op.placement())).collect::<Result<Vec<_>, _>>();
        let weights = upload(&example.weights)?;
        let inputs = upload(&example.inputs)?;
        let mut outputs = upload(&example.outputs)?;
        let mut prepared = implementation.prepare(op, &weights, device)?;
        prepared.run(&mut Io {
            inputs: &inputs.iter().collect::<Vec<_>>(),
            outputs: &mut outputs.iter_mut().collect::<Vec<_>>(),
            live: &example.live,
        })?;
        let got = outputs.iter().map(|b| device.download(b)).collect::<Result<Vec<_>, _>>()?;
        let (indices, expected) = self.known.get_or_init(|| known(op, example, &got, self.seed, self.at_most));
        Ok(judged(op.tolerance() + implementation.rounding(op), &got, indices, expected))
    }
}

/// Runs `implementation` once on `op`'s example and compares at most about `at_most` elements.
pub fn check<O: Op>(
    op: &O,
    implementation: &dyn Implementation<O>,
    device: &dyn Device,
    seed: u64,
    at_most: usize,
) -> Result<Check, Fault> {
    let op = op.clone().on(device);
    // Before its example is made, which may be large.
    implementation.supports(&op, device)?;
    Posed::new(op, seed, at_most).answered_by(implementation, device)
}

/// Compares the outputs `got` of one call on `example` with the reference, at most about `at_most` elements of them. `rounding` is what
/// [`Implementation::rounding`] says of what computed them.
pub fn compare<O: Op>(op: &O, rounding: f64, example: &Example, got: &[Host], seed: u64, at_most: usize) -> Check {
    let (indices, expected) = known(op, example, got, seed, at_most);
    judged(op.tolerance() + rounding, got, &indices, &expected)
}

/// What the reference says of a sample of outputs as long as `got`.
fn known<O: Op>(op: &O, example: &Example, got: &[Host], seed: u64, at_most: usize) -> (Vec<Index>, Vec<Expected>) {
    let lens: Vec<_> = got.iter().map(Host::len).collect();
    let indices = sample(&lens, at_most, seed);
    let expected = op.reference(example, &indices);
    (indices, expected)
}

fn judged(tolerance: f64, got: &[Host], indices: &[Index], expected: &[Expected]) -> Check {
    let max_error = max_error(indices.iter().map(|i| got[i.output].value(i.at)), expected);
    Check { max_error, tolerance, compared: expected.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_is_an_infinite_error_wherever_it_stands() {
        let expected = [Expected { value: 1.0, scale: 1.0 }; 3];
        for at in 0..3 {
            let mut got = [1.0; 3];
            got[at] = f64::NAN;
            assert!(max_error(got, &expected).is_infinite(), "nan at {at}");
        }
        assert_eq!(max_error([1.0, 1.5, 1.0], &expected), 0.5);
    }

    #[test]
    fn a_wrong_zero_against_a_zero_scale_is_infinite() {
        assert!(max_error([0.1], &[Expected { value: 0.0, scale: 0.0 }]).is_infinite());
        assert_eq!(max_error([0.0], &[Expected { value: 0.0, scale: 0.0 }]), 0.0);
    }

    #[test]
    fn small_outputs_are_compared_whole_and_large_ones_at_their_ends() {
        assert_eq!(sample(&[3, 2], 100, 1).len(), 5);
        let picked = sample(&[1_000_000], 64, 1);
        assert!(picked.contains(&Index { output: 0, at: 0 }) && picked.contains(&Index { output: 0, at: 999_999 }));
        assert!(picked.iter().all(|i| i.at < 1_000_000));
    }
}
