//! SplitMix64 (Steele, Lea, Flood 2014): a counter and a bijective mix, so any stream can start anywhere.

/// A stream of 64-bit numbers: `mix(state + γ)`, `mix(state + 2γ)`, …
#[derive(Clone, Debug)]
pub struct SplitMix64 {
    state: u64,
}

/// 2⁶⁴ / golden ratio, odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    /// The stream of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The stream number `index` of `seed`, independent of the others for all practical purposes.
    pub const fn stream(seed: u64, index: u64) -> Self {
        Self { state: derive(seed, index) }
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }
}

/// A new seed from a seed and a number: for the tensors of a model, the rows of a tensor.
pub const fn derive(seed: u64, index: u64) -> u64 {
    mix(mix(seed.wrapping_add(GAMMA)) ^ index.wrapping_mul(0xd6e8_feb8_6659_fd93))
}

const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
