//! The order in which a call works through its tokens' choices: expert by expert, so that each expert's weights are read once.

use crate::Fault;

/// The choices of one expert in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The expert.
    pub expert: usize,
    /// Its first place in the order.
    pub start: usize,
    /// Choices of it.
    pub rows: usize,
}

/// All choices of a call, sorted by expert; those of one expert stay in the order of the tokens.
#[derive(Clone, Debug, Default)]
pub struct Grouping {
    /// Experts that are chosen at all, ascending.
    pub segments: Vec<Segment>,
    /// The choice (token · active + which) at each place.
    pub choices: Vec<u32>,
    /// The place of each choice.
    pub places: Vec<u32>,
    /// The next free place of each expert.
    next: Vec<u32>,
}

impl Grouping {
    /// Room for this many choices among this many experts, so that [`sort`](Self::sort) allocates nothing.
    pub fn reserve(&mut self, choices: usize, experts: usize) {
        let grow = |vec: &mut Vec<u32>, to: usize| vec.reserve(to.saturating_sub(vec.len()));
        grow(&mut self.choices, choices);
        grow(&mut self.places, choices);
        grow(&mut self.next, experts);
        self.segments.reserve(experts.min(choices).saturating_sub(self.segments.len()));
    }
    /// Sorts `ids`, an expert below `experts` a choice. Errors: an id that is none.
    pub fn sort(&mut self, ids: &[u32], experts: usize) -> Result<(), Fault> {
        self.next.clear();
        self.next.resize(experts, 0);
        for (choice, id) in ids.iter().enumerate() {
            let Some(count) = self.next.get_mut(*id as usize) else {
                return Err(Fault::Device(format!(
                    "experts: choice {choice} is expert {id} of {experts}; give ids below the number of experts"
                )));
            };
            *count += 1;
        }
        self.segments.clear();
        let mut start = 0;
        for (expert, next) in self.next.iter_mut().enumerate() {
            let rows = *next as usize;
            *next = start as u32;
            if rows > 0 {
                self.segments.push(Segment { expert, start, rows });
            }
            start += rows;
        }
        self.choices.clear();
        self.choices.resize(ids.len(), 0);
        self.places.clear();
        for (choice, id) in ids.iter().enumerate() {
            let place = &mut self.next[*id as usize];
            self.choices[*place as usize] = choice as u32;
            self.places.push(*place);
            *place += 1;
        }
        Ok(())
    }
}

/// How many different experts `ids`, all below `experts`, name.
pub fn touched(ids: &[u32], experts: usize) -> usize {
    // Four words hold the flags of 256 experts, more than any model has; beyond that they are kept in memory.
    if experts <= 256 {
        let mut seen = [0_u64; 4];
        ids.iter().for_each(|id| seen[*id as usize / 64] |= 1 << (id % 64));
        return seen.iter().map(|word| word.count_ones() as usize).sum();
    }
    let mut seen = vec![false; experts];
    ids.iter().for_each(|id| seen[*id as usize] = true);
    seen.iter().filter(|seen| **seen).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_sorted_by_expert_and_then_by_token() {
        let mut grouping = Grouping::default();
        grouping.sort(&[3, 0, 3, 1, 0, 5], 6).unwrap();
        assert_eq!(grouping.choices, [1, 4, 3, 0, 2, 5]);
        assert_eq!(grouping.places, [3, 0, 4, 2, 1, 5]);
        let segment = |expert, start, rows| Segment { expert, start, rows };
        assert_eq!(grouping.segments, [segment(0, 0, 2), segment(1, 2, 1), segment(3, 3, 2), segment(5, 5, 1)]);
        assert!(grouping.sort(&[6], 6).unwrap_err().to_string().contains("expert 6 of 6"));
        grouping.sort(&[], 6).unwrap();
        assert!(grouping.segments.is_empty());
    }

    #[test]
    fn different_experts_are_counted_once() {
        assert_eq!(touched(&[3, 0, 3, 255, 0], 256), 3);
        assert_eq!(touched(&[3, 0, 3, 999, 0], 1000), 3);
    }
}
