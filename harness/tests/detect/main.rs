//! Detection, doctor and telemetry over the files of other machines, and over this one.
#![allow(clippy::unwrap_used)]

mod findings;
mod fixture;
mod machines;
mod sensors;
