#![doc = include_str!("../README.md")]

pub mod calibration;
pub mod explained;
pub mod gate;
pub mod history;
pub mod paired;
pub mod policy;
pub mod statistics;
pub mod stored;
pub mod told;
mod verdict;

pub use gate::Gate;
pub use policy::Policy;
pub use verdict::Verdict;
