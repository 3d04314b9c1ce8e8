#![doc = include_str!("../README.md")]

mod behind;
pub mod calls;
pub mod code;
pub mod event;
pub mod fault;
mod graph;
mod launch;
pub mod memory;
mod module;
pub mod profile;
mod state;
mod stream;
pub mod tensor_map;
