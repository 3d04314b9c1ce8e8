//! A number that a result comes to, by which two results are found to be the same bit for bit.

/// A sum over bytes that every one of them and its place moves. It finds accidents, not forgeries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Digest(u64);

impl Default for Digest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Digest {
    /// Takes in `bytes`, eight at a time: a result of megabytes is to be read in a moment.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            // As long as the chunks say.
            let mut eight = [0; 8];
            eight.copy_from_slice(word);
            self.mix(u64::from_le_bytes(eight));
        }
        for byte in words.remainder() {
            self.mix(u64::from(*byte));
        }
    }
    /// The number so far.
    pub(crate) fn value(self) -> u64 {
        self.0
    }
    /// The multiplier is odd, so no two words come to the same from one sum; the rotation lets high bits reach low ones.
    fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> u64 {
        let mut sum = Digest::default();
        sum.add(bytes);
        sum.value()
    }

    #[test]
    fn every_bit_of_every_byte_counts_and_so_does_its_place() {
        let bytes: Vec<u8> = (0..21).map(|i| i * 7).collect();
        let whole = of(&bytes);
        assert_eq!(whole, of(&bytes));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut other = bytes.clone();
                other[at] ^= 1 << bit;
                assert_ne!(of(&other), whole, "bit {bit} of byte {at}");
            }
        }
        assert_ne!(of(&[1, 0, 0, 0, 0, 0, 0, 0, 2]), of(&[2, 0, 0, 0, 0, 0, 0, 0, 1]));
    }
}
