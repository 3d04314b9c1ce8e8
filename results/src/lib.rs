//! The crate's front page is its README.

pub mod machine;
pub mod telemetry;

pub use machine::Machine;
