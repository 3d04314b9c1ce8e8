//! The crate's front page is its README.

pub mod detect;
pub mod doctor;
pub mod os;
pub mod telemetry;
