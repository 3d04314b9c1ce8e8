//! The gemm in f64: activations rounded as the op defines, then every product and sum in double precision.

use super::{Activations, Gemm};
use crate::{Example, Expected, Host, Index, Op};
use std::collections::BTreeMap;

/// The elements at `indices`, with Σ|a·b| + |bias| as their scale.
///
/// bf16 dot-product instructions (`vdpbf16ps`, `bfmmla`) take what is below the smallest normal f32 for 0, whatever the mode: each
/// product and each sum may lose 2⁻¹²⁶ beside its relative error, and the product of a subnormal operand all it has. The scale is
/// never so small that the tolerance forbids that.
pub(super) fn reference(op: &Gemm, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let x = example.inputs[0].slice::<f32>();
    let (mut rows, mut outputs) = (BTreeMap::new(), BTreeMap::new());
    let (flushes, smallest) = (op.activations == Activations::Bf16, f64::from(f32::MIN_POSITIVE));
    indices
        .iter()
        .map(|index| {
            let (row, output) = (index.at / op.n, index.at % op.n);
            let a = rows.entry(row).or_insert_with(|| rounded(op, &x[row * op.k..][..op.k]));
            let w = outputs.entry(output).or_insert_with(|| weights(op, example, output));
            let bias = if op.bias { example.weights.last().map_or(0.0, |bias| bias.value(output)) } else { 0.0 };
            let (mut value, mut scale) = (0.0, 0.0);
            let mut lost = 2.0 * op.k as f64 * smallest;
            for (a, w) in a.iter().zip(w.iter()) {
                value += a * w;
                scale += (a * w).abs();
                if a.abs().min(w.abs()) < smallest {
                    lost += (a * w).abs();
                }
            }
            if flushes {
                scale += lost / op.tolerance();
            }
            Expected { value: value + bias, scale: scale + bias.abs() }
        })
        .collect()
}

/// One row of activations after rounding, exactly.
fn rounded(op: &Gemm, x: &[f32]) -> Vec<f64> {
    if !op.integer() {
        let mut out = vec![0.0; x.len()];
        let scale = op.activations.round(x, &mut out);
        return out.into_iter().map(|value| f64::from(value) * f64::from(scale)).collect();
    }
    let block = op.block();
    let (mut codes, mut scales, mut bytes) = (vec![0; op.k], vec![1.0; op.k / block], vec![0; op.k]);
    let row = op.activations.quantize(x, block, &mut codes, &mut scales, &mut bytes);
    let value = |(i, code): (usize, &i8)| f64::from(*code) * f64::from(scales[i / block]) * f64::from(row);
    codes.iter().enumerate().map(value).collect()
}

/// The weights of one output, exactly.
fn weights(op: &Gemm, example: &Example, output: usize) -> Vec<f64> {
    let at = output * op.k..(output + 1) * op.k;
    match &example.weights[0] {
        Host::U8(bytes) => {
            let scales = if op.weights.scales(op.n) > 0 { example.weights[1].slice::<f32>() } else { &[] };
            let scale = op.weights.scale_of(scales, output);
            at.map(|i| op.weights.decode(bytes, scale, i)).collect()
        }
        stored => at.map(|i| stored.value(i)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Live;
    use crate::format::Format;

    #[test]
    fn a_product_done_by_hand() {
        // Two rows of E2M1 codes 2 (= 1.0) and 7 (= 6.0), scales 2^0 and 2^1; x = 1, 2, 0, … so that int8 codes are exact.
        let op = Gemm { m: 1, n: 2, k: 32, weights: Format::Mxfp4, activations: Activations::Int8, bias: true };
        let block = |scale: u8, pair: u8| [vec![scale], vec![pair; 16]].concat();
        let mut x = vec![0.0_f32; 32];
        (x[0], x[1], x[31]) = (127.0, -2.0, 1.0);
        let example = Example {
            weights: vec![[block(127, 0x22), block(128, 0x7a)].concat().into(), vec![0.5_f32, -1.0].into()],
            inputs: vec![x.into()],
            outputs: vec![vec![0.0_f32; 2].into()],
            live: Live::one(1, 0),
        };
        let got = op.reference(&example, &[Index { output: 0, at: 0 }, Index { output: 0, at: 1 }]);
        assert_eq!(got[0], Expected { value: 126.5, scale: 130.5 });
        // Low nibble a = -1, high nibble 7 = 6, both doubled: -2·127 + 12·(-2) + 12·1 - 1.
        assert_eq!(got[1], Expected { value: -254.0 - 24.0 + 12.0 - 1.0, scale: 254.0 + 24.0 + 12.0 + 1.0 });
    }
}
