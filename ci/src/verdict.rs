//! What can be said of one benchmark against its baseline.

use std::fmt;

/// What can be said of one benchmark against its baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing can be said, and why.
    Inconclusive(String),
    /// The baseline has no such benchmark.
    New,
    /// The baseline has it, this run has not.
    Missing,
    /// It was measured in the baseline and failed in this run, and how.
    Broken(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Inconclusive(why) => write!(f, "INCONCLUSIVE: {why}"),
            Verdict::New => f.write_str("NEW"),
            Verdict::Missing => f.write_str("MISSING"),
            Verdict::Broken(how) => write!(f, "BROKEN: {how}"),
        }
    }
}
