//! The number formats: every code of every element, bounds and odd inputs of every block, pinned synthetic bytes.
#![allow(clippy::unwrap_used)]

mod activations;
mod blocks;
mod codecs;
mod names;
mod odd_inputs;
mod synth;

/// The E2M1 code nearest to `x` by trying all, ties to the even code, NaN excluded.
fn nearest_e2m1(x: f64) -> u8 {
    const MAGNITUDES: [f64; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
    let error = |code: u8| (MAGNITUDES[usize::from(code)] - x.abs().min(6.0)).abs();
    let best = (0..8).map(error).fold(f64::INFINITY, f64::min);
    let ties: Vec<u8> = (0..8).filter(|code| error(*code) == best).collect();
    let code = *ties.iter().find(|code| ties.len() == 1 || *code % 2 == 0).unwrap();
    code | u8::from(x.is_sign_negative()) << 3
}
