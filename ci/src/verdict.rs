//! What can be said of one benchmark against its baseline.

use std::fmt;

/// What can be said of one benchmark against its baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A slowdown that matters has been ruled out.
    Pass,
    /// Slower by more than the floor, proven and confirmed.
    Regression,
    /// Faster by more than the floor, proven and confirmed.
    Improvement,
    /// Nothing can be said, and why.
    Inconclusive(String),
    /// The baseline has no such benchmark.
    New,
    /// The baseline has it, this run has not.
    Missing,
    /// It was measured in the baseline and failed in this run, and how.
    Broken(String),
}

impl Verdict {
    /// The word alone.
    pub const fn name(&self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Regression => "REGRESSION",
            Verdict::Improvement => "IMPROVEMENT",
            Verdict::Inconclusive(_) => "INCONCLUSIVE",
            Verdict::New => "NEW",
            Verdict::Missing => "MISSING",
            Verdict::Broken(_) => "BROKEN",
        }
    }
    /// The words that go with it.
    pub fn why(&self) -> Option<&str> {
        match self {
            Verdict::Inconclusive(why) | Verdict::Broken(why) => Some(why),
            _ => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why() {
            Some(why) => write!(f, "{}: {why}", self.name()),
            None => f.write_str(self.name()),
        }
    }
}
