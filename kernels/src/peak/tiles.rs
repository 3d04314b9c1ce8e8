//! `peak` on tiles of 16 × 8 sums: their operands, and what they must hold in the end.

use super::{Form, Peak, digit};
use crate::cuda::Gpu;
use crate::format::{bf16, e2m1, e4m3, e8m0};
use crate::working_set::noise;
use crate::{Arithmetic, Device, Example, Expected, Host, Index, Op};

/// Tiles of an SM: 128 KiB of sums, half of its registers.
pub(super) const TILES: usize = 256;
/// Sums of a tile.
pub(super) const SUMS: usize = ROWS * COLUMNS;
const ROWS: usize = 16;
const COLUMNS: usize = 8;
/// So many steps of ±1 or ±2 (FP4: ±1 … ±4, exact in quarters of 2^14) keep sums exact; 1 to 2 ms on an SM of 1024 FLOP a cycle.
pub(super) const ITERATIONS: usize = 1 << 12;
/// On a test double a product takes a thousand times as long.
const SIMULATED_ITERATIONS: usize = 4;

pub(super) fn iterations_on(device: &dyn Device) -> usize {
    if Gpu::of(device).is_ok_and(Gpu::simulated) { SIMULATED_ITERATIONS } else { ITERATIONS }
}

/// Bits of an element.
const fn bits(of: Arithmetic) -> usize {
    match of {
        Arithmetic::F32 => 32,
        Arithmetic::Bf16 => 16,
        Arithmetic::Int8 | Arithmetic::Fp8 => 8,
        Arithmetic::Mxfp4 | Arithmetic::Nvfp4 => 4,
    }
}

/// Elements of a row of A that are stored.
const fn stored(of: Arithmetic) -> usize {
    if matches!(of, Arithmetic::F32) { 1 } else { 256 / bits(of) }
}

/// Products added to each sum in an iteration; those with zeros that are not stored count.
pub(super) const fn depth(of: Arithmetic, sparse: bool) -> usize {
    stored(of) * if sparse { 2 } else { 1 }
}

/// Where the element of B stands that element `i` of a row of A meets. Sparse: elements 0 and 1 of every four, of FP4 0 … 3 of every eight.
fn partner(op: &Peak, i: usize) -> usize {
    let group = if bits(op.of) == 4 { 4 } else { 2 };
    if op.sparse { i / group * 2 * group + i % group } else { i }
}

/// `values` of one row or column as they are stored.
fn encode(of: Arithmetic, values: &[f32], bytes: &mut Vec<u8>) {
    match of {
        Arithmetic::F32 => values.iter().for_each(|x| bytes.extend(x.to_le_bytes())),
        Arithmetic::Bf16 => values.iter().for_each(|x| bytes.extend(bf16::encode(*x).to_le_bytes())),
        Arithmetic::Int8 => bytes.extend(values.iter().map(|x| (*x as i8).cast_unsigned())),
        Arithmetic::Fp8 => bytes.extend(values.iter().map(|x| e4m3::encode(*x))),
        Arithmetic::Mxfp4 | Arithmetic::Nvfp4 => {
            bytes.extend(
                values.as_chunks::<2>().0.iter().map(|[low, high]| e2m1::encode(*low) | e2m1::encode(*high) << 4),
            );
        }
    }
}

/// Element `i` of `bytes`.
fn decode(of: Arithmetic, bytes: &[u8], i: usize) -> f64 {
    f64::from(match of {
        Arithmetic::F32 => f32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]]),
        Arithmetic::Bf16 => bf16::decode(u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]])),
        Arithmetic::Int8 => f32::from(bytes[i].cast_signed()),
        Arithmetic::Fp8 => e4m3::decode(bytes[i]),
        Arithmetic::Mxfp4 | Arithmetic::Nvfp4 => e2m1::decode(bytes[i / 2] >> (4 * (i % 2))),
    })
}

/// The scale of element `i` of those stored of a row or column with this word of them.
fn scale(of: Arithmetic, word: u32, i: usize) -> f64 {
    let bytes = word.to_le_bytes();
    f64::from(match of {
        Arithmetic::Mxfp4 => e8m0::decode(bytes[i / 32]),
        Arithmetic::Nvfp4 => e4m3::decode(bytes[i / 16]),
        _ => 1.0,
    })
}

pub(super) fn example(op: &Peak, seed: u64) -> Example {
    let (of, k) = (op.of, stored(op.of));
    let random = |stream: u64, at: usize| noise(seed ^ stream << 32, at);
    let digits = |stream: u64, row: usize, k: usize| -> Vec<f32> {
        (0..k).map(|i| digit(random(stream, row * k + i)).into()).collect()
    };
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for row in 0..ROWS {
        let mut values = digits(1, row, k);
        if of == Arithmetic::Int8 {
            values = (0..k).map(|i| f32::from(random(1, row * k + i) as i8 | 1)).collect();
        } else if of != Arithmetic::F32 {
            // The second half again as the first, and a step of ±1 in front of it.
            values[0] = values[0].signum();
            values.copy_within(..k / 2, k / 2);
        }
        encode(of, &values, &mut a);
    }
    for column in 0..COLUMNS {
        let mut values = digits(2, column, k);
        if of == Arithmetic::Int8 {
            values = (0..k).map(|i| f32::from(random(2, column * k + i) as i8 | 1)).collect();
        } else if of != Arithmetic::F32 {
            // The second half takes off again what the first adds, but for one step.
            let (first, second) = values.split_at_mut(k / 2);
            first.iter().zip(second.iter_mut()).for_each(|(first, second)| *second = -first);
            second[0] += f32::from(digit(random(5, column))).signum();
        }
        let mut all = vec![0.0; depth(of, op.sparse)];
        for (i, value) in values.iter().enumerate() {
            let at = partner(op, i);
            all[at] = *value;
            // What stands beside it is the same: so the result does not hang on which two of four the metadata name.
            if op.sparse {
                all[at + if bits(of) == 4 { 4 } else { 2 }] = *value;
            }
        }
        encode(of, &all, &mut b);
    }
    // Scales of 1 and 2, the same in both halves, so that they cancel too. The sparse product's cover other stretches: 1.
    let scales: Vec<u32> = (0..ROWS + COLUMNS)
        .map(|row| {
            let [one, two] = if of == Arithmetic::Mxfp4 { [127, 128] } else { [0x38, 0x40] };
            let pick = |i: usize| if !op.sparse && random(6, 2 * row + i) & 1 == 1 { two } else { one };
            if of == Arithmetic::Mxfp4 {
                u32::from_le_bytes([pick(0), pick(0), 0, 0])
            } else {
                u32::from_le_bytes([pick(0), pick(1), pick(0), pick(1)])
            }
        })
        .collect();
    let start = (0..SUMS).map(|at| (random(3, at) % 128) as i32 | 1);
    let all = TILES * SUMS * op.threads;
    let (start, sums): (Host, Host) = if of == Arithmetic::Int8 {
        (start.collect::<Vec<_>>().into(), vec![0i32; all].into())
    } else {
        (start.map(|x| x as f32).collect::<Vec<_>>().into(), vec![0f32; all].into())
    };
    Example {
        weights: Vec::new(),
        inputs: vec![a.into(), b.into(), scales.into(), start],
        outputs: vec![sums],
        live: op.live(),
    }
}

/// start + iterations · A·B, exact.
pub(super) fn expected(op: &Peak, example: &Example, indices: &[Index]) -> Vec<Expected> {
    let [a, b] = [0, 1].map(|i| example.inputs[i].slice::<u8>());
    let (scales, start) = (example.inputs[2].slice::<u32>(), &example.inputs[3]);
    let (a_row, b_row) = (a.len() / ROWS, b.len() / COLUMNS);
    let mut step = [0.0; SUMS];
    for (at, step) in step.iter_mut().enumerate() {
        let (row, column) = (at / COLUMNS, at % COLUMNS);
        for i in 0..stored(op.of) {
            let left = decode(op.of, &a[row * a_row..], i) * scale(op.of, scales[row], i);
            *step +=
                left * decode(op.of, &b[column * b_row..], partner(op, i)) * scale(op.of, scales[ROWS + column], i);
        }
    }
    let value = |index: &Index| {
        let at = index.at % SUMS;
        let sum = start.value(at) + op.iterations as f64 * step[at];
        let value = if op.of == Arithmetic::Int8 { f64::from(sum as i64 as i32) } else { sum };
        Expected { value, scale: value.abs().max(1.0) }
    };
    indices.iter().map(value).collect()
}

pub(super) fn nasty() -> Vec<Peak> {
    use Arithmetic as A;
    let mut all = Vec::new();
    for of in [A::F32, A::Bf16, A::Int8, A::Fp8, A::Mxfp4, A::Nvfp4] {
        for (threads, iterations) in [(1, 1), (2, 3)] {
            for sparse in [false, true] {
                let peak = Peak { threads, partial: true, iterations, form: Form::Tiles, sparse, ..Peak::new(of, 1) };
                all.extend(peak.validate().is_ok().then_some(peak));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_small_and_never_nothing() {
        for op in nasty().into_iter().filter(|op| !matches!(op.of, Arithmetic::Int8 | Arithmetic::F32)) {
            let once = Peak { iterations: 1, ..op };
            let example = once.example(7);
            let indices: Vec<_> = (0..SUMS).map(|at| Index { output: 0, at }).collect();
            for (index, sum) in indices.iter().zip(expected(&once, &example, &indices)) {
                let step = (sum.value - example.inputs[3].value(index.at)).abs();
                assert!((1.0..=4.0).contains(&step), "{op:?} at {}: {step}", index.at);
            }
        }
    }
}
