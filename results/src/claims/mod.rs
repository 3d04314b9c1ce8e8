//! The claims ledger: what was said of these machines, and the arithmetic that tests it on every machine anew.

pub mod expression;
mod judge;
mod ledger;
#[cfg(test)]
mod tests;

pub use judge::{Judged, JudgedPart, judge};
pub use ledger::{
    Claim, FILES, Input, Part, Probe, Reading, Readings, Refused, Speaker, Step, Test, Verdict, all, read, speakers,
};
