//! Speculative decoding: tokens are guessed cheaply, and one pass of the model says how many of them it says itself.
//!
//! Guesses g₁ … gₖ behind the last token are run as k + 1 rows of one sequence. Row i's largest logit is the token that the model says
//! after gᵢ: as long as it is the next guess, the guess was right, and the first one that differs is what the model says instead. So a pass
//! gives 1 to k + 1 tokens; what stands in the cache behind them is forgotten by its position. The tokens are those of greedy decoding, as
//! far as a pass of several rows rounds as one of a single row does: whoever measures compares them.

mod lookup;
mod trial;

pub use trial::SPECULATE;
pub(crate) use trial::{LOOKUP, same_words};

use crate::llm::Model;
use spark_kernels::Fault;

/// Where guesses come from.
#[derive(Debug)]
pub enum Draft {
    /// Nowhere: plain decoding.
    None,
    /// From the text so far: what followed the last few tokens where they stood before.
    Lookup,
    /// From a smaller model of the same vocabulary.
    Model(Box<Model>),
}

/// What a text took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passes of the model.
    pub passes: u64,
    /// Tokens guessed.
    pub guessed: u64,
    /// Guesses that were right.
    pub accepted: u64,
}

/// Reads `history` from the beginning and says one token behind it.
pub fn begin(model: &mut Model, history: &mut Vec<u32>) -> Result<(), Fault> {
    model.rewind(0);
    model.prefill(&[history.as_slice()])?;
    model.sample()?;
    history.push(model.next()?[0]);
    Ok(())
}

/// Says at most `n` tokens more, with at most `most` guesses a pass; fewer where `ends` holds for one, which is the last. Before, the model
/// has read all of `history` but its last token; after it, too.
pub fn go_on(
    model: &mut Model,
    draft: &mut Draft,
    history: &mut Vec<u32>,
    (n, most): (usize, usize),
    ends: &dyn Fn(u32) -> bool,
) -> Result<Counts, Fault> {
    let (mut counts, end, mut guesses) = (Counts::default(), history.len() + n, Vec::with_capacity(most));
    if let Draft::Model(small) = draft {
        small.rewind(0);
    }
    while history.len() < end {
        let last = history[history.len() - 1];
        // A pass says one token more than was guessed.
        let most = most.min(end - history.len() - 1);
        guesses.clear();
        match draft {
            Draft::None => {}
            Draft::Lookup => lookup::guess(history, most, &mut guesses),
            Draft::Model(small) => drafted(small, history, most, &mut guesses)?,
        }
        let read = history.len() - 1;
        counts.passes += 1;
        if guesses.is_empty() {
            model.set_next(&[last])?;
            model.decode()?;
            history.push(model.next()?[0]);
        } else {
            let rows: Vec<u32> = [last].into_iter().chain(guesses.iter().copied()).collect();
            let said = model.verify(&rows)?;
            let right = guesses.iter().zip(&said).take_while(|(guess, said)| guess == said).count();
            counts.guessed += guesses.len() as u64;
            counts.accepted += right as u64;
            history.extend_from_slice(&said[..=right]);
            model.rewind(read + 1 + right);
        }
        if let Draft::Model(small) = draft {
            // Of its guesses those that were right stay read.
            small.rewind(small.length(0).min(history.len() - 1));
        }
        if let Some(at) = history[read + 1..].iter().position(|token| ends(*token)) {
            history.truncate(read + 2 + at);
            model.rewind(history.len() - 1);
            break;
        }
    }
    Ok(counts)
}

/// What `small` says behind `history`, of which it first reads what it has not read.
fn drafted(small: &mut Model, history: &[u32], most: usize, out: &mut Vec<u32>) -> Result<(), Fault> {
    if most == 0 {
        return Ok(());
    }
    let read = small.length(0).min(history.len() - 1);
    small.rewind(read);
    small.prefill(&[&history[read..]])?;
    small.sample()?;
    out.push(small.next()?[0]);
    for _ in 1..most {
        small.decode()?;
        out.push(small.next()?[0]);
    }
    Ok(())
}
