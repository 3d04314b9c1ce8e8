#![doc = include_str!("../README.md")]

pub mod calls;
pub mod code;
pub mod fault;
mod graph;
mod launch;
pub mod memory;
mod module;
pub mod profile;
mod state;
mod stream;
pub mod tensor_map;
