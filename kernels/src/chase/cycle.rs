//! One random cycle through all lines: Sattolo's algorithm, seeded.

use super::WORDS;
use crate::working_set::noise;

/// Links through `lines` lines, in the first word of each. The other words hold an index beyond every array, so that a walk
/// that reads one of them does not go on unnoticed.
pub(super) fn links(lines: usize, seed: u64) -> Vec<u64> {
    let mut next: Vec<u32> = (0..lines as u32).collect();
    for last in (1..lines).rev() {
        // Strictly below `last`: with `≤` this would be Fisher and Yates's shuffle, whose permutations fall into many cycles.
        next.swap(last, ((u128::from(noise(seed, last)) * last as u128) >> 64) as usize);
    }
    let mut links = vec![u64::MAX; lines * WORDS];
    for (link, next) in links.iter_mut().step_by(WORDS).zip(next) {
        *link = u64::from(next) * WORDS as u64;
    }
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cycle_visits_every_line_once() {
        for lines in [1, 2, 3, 64, 1009, 40_000] {
            for seed in 0..3 {
                let links = links(lines, seed);
                let (mut visited, mut line) = (vec![false; lines], 0);
                for _ in 0..lines {
                    assert!(!visited[line], "line {line} of {lines} twice");
                    visited[line] = true;
                    line = links[line * WORDS] as usize / WORDS;
                }
                assert_eq!(line, 0, "the walk over {lines} lines comes back");
            }
        }
    }

    #[test]
    fn seeds_give_different_cycles_and_each_the_same_again() {
        assert_ne!(links(1000, 1), links(1000, 2));
        assert_eq!(links(1000, 1), links(1000, 1));
    }
}
