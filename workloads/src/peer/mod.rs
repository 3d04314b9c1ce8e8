//! Other people's engines, run and watched from outside.

pub mod endpoint;
pub mod engine;
