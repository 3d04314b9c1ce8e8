#![doc = include_str!("../README.md")]

pub mod calls;
pub mod curve;
pub mod fault;
pub mod profile;
mod state;
