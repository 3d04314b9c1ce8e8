#![doc = include_str!("../README.md")]

pub mod calls;
pub mod format;
pub mod product;
