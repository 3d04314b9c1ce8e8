#![doc = include_str!("../README.md")]

pub mod cli;
pub mod detect;
pub mod devices;
pub mod doctor;
pub mod energy;
pub mod measure;
pub mod os;
pub mod plan;
pub mod roofs;
pub mod run;
pub mod session;
pub mod task;
pub mod telemetry;
pub mod verify;
pub mod watch;
