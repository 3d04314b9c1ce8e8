//! A scale for each output, which stands outside the sums: y · scale + bias over what a kernel has stored.
//!
//! A pass of its own over y, in L1 after few rows and a hundredth of the time after many, so that the kernels of all formats end alike.
#![expect(unsafe_code, reason = "workers write disjoint parts of the output")]

use super::Gemm;
use super::canonical::{Canonical, scratch};
use crate::cpu::split::Split;
use crate::format::Format;
use crate::{Buffer, Fault};
use std::ops::Range;

/// The scales of the outputs, and their biases.
#[derive(Debug)]
pub(super) struct Channels {
    /// n.
    scales: Buffer,
    /// n, zeros where the op has none.
    bias: Buffer,
}

impl Channels {
    /// Those of `given`, if its format has any; the kernels are then given no bias. Errors: no memory left.
    pub(super) fn of(op: &Gemm, given: &Canonical<'_>) -> Result<Option<Self>, Fault> {
        let Some(channels) = given.channels else { return Ok(None) };
        let (mut scales, mut bias) = (scratch::<f32>(op.n)?, scratch::<f32>(op.n)?);
        for (row, (scale, given_scale)) in scales.slice_mut::<f32>().iter_mut().zip(channels).enumerate() {
            // An output with one weight that is NaN is NaN, whatever is multiplied: kernels need not know the code.
            let lost = op.weights == Format::Fp8 && given.blocks(row).iter().any(|code| code & 0x7f == 0x7f);
            *scale = if lost { f32::NAN } else { *given_scale };
        }
        if let Some(given) = given.bias {
            bias.slice_mut::<f32>().copy_from_slice(given);
        }
        Ok(Some(Self { scales, bias }))
    }
    /// Scales and biases outputs `outputs` of y, which has `rows` rows of `n`, as those from `first` on.
    pub(super) fn apply(&self, y: &Split<'_, f32>, rows: usize, n: usize, outputs: Range<usize>, first: usize) {
        let at = first + outputs.start..first + outputs.end;
        let (scales, bias) = (&self.scales.slice::<f32>()[at.clone()], &self.bias.slice::<f32>()[at]);
        for row in 0..rows {
            // SAFETY: `outputs` are those of tiles in one worker's share only.
            let y = unsafe { y.part(row * n + outputs.start..row * n + outputs.end) };
            for ((y, scale), bias) in y.iter_mut().zip(scales).zip(bias) {
                *y = *y * scale + bias;
            }
        }
    }
}
