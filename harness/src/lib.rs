#![doc = include_str!("../README.md")]

pub mod canary;
pub mod cli;
pub mod detect;
pub mod devices;
pub mod doctor;
pub mod duel;
pub mod energy;
pub mod gate;
pub mod handicap;
pub mod headroom;
pub mod import;
pub mod measure;
pub mod monitor;
pub mod os;
pub mod pace;
pub mod plan;
pub mod roofs;
pub mod run;
pub mod session;
pub mod task;
pub mod telemetry;
mod throttled;
pub mod trial;
pub mod verify;
pub mod watch;
