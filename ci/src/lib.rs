#![doc = include_str!("../README.md")]

mod judge;
pub mod paired;
pub mod statistics;
mod verdict;

pub use judge::{Judgement, judge};
pub use verdict::Verdict;
