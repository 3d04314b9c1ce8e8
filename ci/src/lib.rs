#![doc = include_str!("../README.md")]

pub mod gate;
mod judge;
pub mod paired;
pub mod policy;
pub mod statistics;
pub mod told;
mod verdict;

pub use gate::Gate;
pub use judge::{Judgement, judge};
pub use policy::Policy;
pub use verdict::Verdict;
