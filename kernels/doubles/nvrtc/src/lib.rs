#![doc = include_str!("../README.md")]

pub mod architecture;
pub mod calls;
pub mod compile;
pub mod entries;
pub mod options;
pub mod shim;
