//! Where the experts of a token come from: the router, or a seeded draw that has a known skew.

use crate::format::splitmix::{SplitMix64, derive};
use std::fmt;
use std::str::FromStr;

/// Which experts a token is given to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Routing {
    /// Those with the largest logits.
    Router,
    /// Drawn, all experts alike.
    Uniform,
    /// Drawn, expert of rank r (from 1, in a seeded order) with a probability in proportion to 1/r.
    Zipf,
}

impl Routing {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Router, Self::Uniform, Self::Zipf];
    /// Its name in ids.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Router => "router",
            Self::Uniform => "uniform",
            Self::Zipf => "zipf",
        }
    }
}

impl fmt::Display for Routing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no routing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no routing '{0}' is known; choose router, uniform or zipf")]
pub struct UnknownRouting(pub String);

impl FromStr for Routing {
    type Err = UnknownRouting;

    fn from_str(name: &str) -> Result<Self, UnknownRouting> {
        Self::ALL.into_iter().find(|routing| routing.name() == name).ok_or_else(|| UnknownRouting(name.to_owned()))
    }
}

/// A seeded draw of distinct experts for each position of each sequence: the same on every machine, in every order of calls.
#[derive(Clone, Debug)]
pub struct Draw {
    seed: u64,
    /// Experts by rank.
    ranked: Vec<u32>,
    /// Sum of the weights of the ranks up to each: 1 + 1/2 + … for Zipf, as many for uniform.
    sums: Vec<f64>,
}

impl Draw {
    /// Of `experts` experts; [`Routing::Router`] draws nothing and is taken as uniform.
    pub fn new(routing: Routing, experts: usize, seed: u64) -> Self {
        let mut ranked: Vec<u32> = (0..experts as u32).collect();
        let mut random = SplitMix64::stream(seed, 0);
        for last in (1..experts).rev() {
            ranked.swap(last, (random.next() % (last as u64 + 1)) as usize);
        }
        let weight = |rank: usize| if routing == Routing::Zipf { 1.0 / (rank + 1) as f64 } else { 1.0 };
        let sums = (0..experts).scan(0.0, |sum, rank| {
            *sum += weight(rank);
            Some(*sum)
        });
        Self { seed, ranked, sums: sums.collect() }
    }
    /// Experts by rank.
    pub(super) fn ranked(&self) -> &[u32] {
        &self.ranked
    }
    /// Sum of the weights of the ranks up to each.
    pub(super) fn sums(&self) -> &[f64] {
        &self.sums
    }
    /// Fills `chosen` with distinct experts for the token at `position` of `sequence`. There are at least as many.
    pub fn experts(&self, sequence: usize, position: usize, chosen: &mut [u32]) {
        let mut random = SplitMix64::stream(derive(self.seed, 1 + sequence as u64), position as u64);
        let whole = self.sums.last().copied().unwrap_or_default();
        let mut found = 0;
        // Drawn again where it was drawn before: what is left keeps its proportions.
        while found < chosen.len() {
            let at = (random.next() >> 11) as f64 / (1_u64 << 53) as f64 * whole;
            let rank = self.sums.partition_point(|sum| *sum <= at).min(self.ranked.len() - 1);
            let expert = self.ranked[rank];
            if !chosen[..found].contains(&expert) {
                chosen[found] = expert;
                found += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each expert is taken by 4096 tokens, the busiest first.
    fn load(routing: Routing) -> Vec<usize> {
        let draw = Draw::new(routing, 32, 5);
        let mut load = vec![0; 32];
        for position in 0..4096 {
            let mut chosen = [0; 4];
            draw.experts(0, position, &mut chosen);
            for (i, expert) in chosen.iter().enumerate() {
                assert!(!chosen[..i].contains(expert), "{chosen:?}");
                load[*expert as usize] += 1;
            }
        }
        load.sort_unstable_by(|a, b| b.cmp(a));
        load
    }

    #[test]
    fn uniform_is_level_and_zipf_is_not() {
        let (uniform, zipf) = (load(Routing::Uniform), load(Routing::Zipf));
        assert_eq!((uniform.iter().sum::<usize>(), zipf.iter().sum::<usize>()), (4 * 4096, 4 * 4096));
        // 512 expected of each; four deviations of a binomial count are about 90.
        assert!(uniform[0] < 610 && uniform[31] > 420, "{uniform:?}");
        assert!(zipf[0] > 2500 && zipf[31] < 250 && zipf[31] > 20, "{zipf:?}");
    }

    #[test]
    fn a_draw_depends_on_seed_sequence_and_position_alone() {
        let at = |seed, sequence, position| {
            let mut chosen = [0; 4];
            Draw::new(Routing::Zipf, 64, seed).experts(sequence, position, &mut chosen);
            chosen
        };
        assert_eq!(at(1, 2, 3), at(1, 2, 3));
        assert!(at(1, 2, 3) != at(2, 2, 3) && at(1, 2, 3) != at(1, 3, 3) && at(1, 2, 3) != at(1, 2, 4));
        let mut all = [0; 8];
        Draw::new(Routing::Zipf, 8, 1).experts(0, 0, &mut all);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
