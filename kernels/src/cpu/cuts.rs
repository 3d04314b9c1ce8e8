//! Where work is cut into shares for workers of equal or unequal speed.

/// How work is cut among workers.
#[derive(Debug)]
pub(crate) struct Shares {
    /// Σ of the weights before each worker, and of all; empty if they are equal.
    before: Vec<u64>,
}

impl Shares {
    pub(crate) fn new(weights: &[u32]) -> Self {
        if weights.iter().all(|weight| *weight == weights[0]) {
            return Self { before: Vec::new() };
        }
        let mut sum = 0;
        let sums = weights.iter().map(|weight| {
            sum += u64::from(*weight);
            sum
        });
        Self { before: std::iter::once(0).chain(sums).collect() }
    }
    /// Where the part of worker `i` of the first `count` begins in `0 .. items`; `items` for `i` = `count`.
    pub(crate) fn cut(&self, items: usize, i: usize, count: usize) -> usize {
        match self.before.get(count) {
            None => items * i / count,
            Some(&all) => (items as u128 * u128::from(self.before[i]) / u128::from(all)) as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_workers_have_the_cuts_they_always_had() {
        for weights in [[1; 3], [32; 3]] {
            let shares = Shares::new(&weights);
            assert_eq!([0, 1, 2, 3].map(|i| shares.cut(100, i, 3)), [0, 33, 66, 100]);
        }
    }
}
