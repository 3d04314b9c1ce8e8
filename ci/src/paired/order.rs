//! Who runs next: quads of ABBA or BAAB, by a fair coin that the seed names.

use spark_results::stats::Random;

/// One of the two builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A: what stood before.
    Baseline,
    /// B: what is judged.
    Candidate,
}

impl Side {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Side::Baseline => Side::Candidate,
            Side::Candidate => Side::Baseline,
        }
    }
}

/// The order of executions. Inside a quad a linear drift, and what the first of two gains or loses, cancel exactly; the coin
/// makes the labels random, which is what the test of significance rests on.
#[derive(Clone, Debug)]
pub struct Order(Random);

impl Order {
    /// The order that `seed` names.
    pub const fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }
    /// Who of the two comes first, by the coin.
    fn first(&mut self) -> Side {
        if self.0.coin() { Side::Baseline } else { Side::Candidate }
    }
    /// The next four executions.
    pub fn quad(&mut self) -> [Side; 4] {
        let first = self.first();
        [first, first.other(), first.other(), first]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quads_are_balanced_and_both_kinds_come_about_equally_often() {
        let mut order = Order::new(1);
        let starts = (0..1000)
            .filter(|_| {
                let quad = order.quad();
                assert_eq!(quad.iter().filter(|s| **s == Side::Baseline).count(), 2);
                assert!(quad[0] == quad[3] && quad[1] == quad[2]);
                quad[0] == Side::Baseline
            })
            .count();
        assert!((430..=570).contains(&starts), "{starts} of 1000");
        let [mut a, mut b] = [Order::new(9), Order::new(9)];
        assert!((0..50).all(|_| a.quad() == b.quad()));
    }
}
