//! Guesses from the text so far: where its last few tokens stood before, what followed them follows again.

/// The longest and the shortest run of last tokens that is looked for.
const LONGEST: usize = 4;
const SHORTEST: usize = 2;

/// At most `most` guesses behind `history`, into `out`: of the longest run that stood before, the last place.
pub(super) fn guess(history: &[u32], most: usize, out: &mut Vec<u32>) {
    for n in (SHORTEST..=LONGEST).rev().filter(|n| *n < history.len()) {
        let (before, run) = history.split_at(history.len() - n);
        // Places that begin before the run itself; they may reach into it.
        let place = (0..before.len()).rev().find(|at| history[*at..*at + n] == *run);
        if let Some(at) = place {
            out.extend(history[at + n..].iter().take(most));
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(history: &[u32], most: usize) -> Vec<u32> {
        let mut out = Vec::new();
        guess(history, most, &mut out);
        out
    }

    #[test]
    fn what_followed_before_follows_again() {
        assert_eq!(guessed(&[1, 2, 3, 4, 9, 1, 2], 2), [3, 4]);
        // The longer run decides, then the later place.
        assert_eq!(guessed(&[7, 1, 2, 5, 8, 1, 2, 6, 7, 1, 2], 1), [5]);
        assert_eq!(guessed(&[1, 2, 5, 1, 2, 6, 1, 2], 3), [6, 1, 2]);
        // A text that repeats itself goes on so.
        assert_eq!(guessed(&[4, 4, 4], 4), [4]);
        for none in [&[][..], &[1], &[1, 2], &[1, 2, 3, 4]] {
            assert!(guessed(none, 4).is_empty(), "{none:?}");
        }
        assert!(guessed(&[1, 2, 3, 1, 2], 0).is_empty());
    }
}
