#![doc = include_str!("../README.md")]

mod judge;
mod verdict;

pub use judge::{Judgement, judge};
pub use verdict::Verdict;
