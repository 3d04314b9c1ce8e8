//! A decoder end to end: shapes, synthetic weights, the forward pass, and what of it is measured.

pub(crate) mod arguments;
pub mod blocks;
mod check;
pub mod choose;
pub mod config;
pub mod decode;
pub mod findings;
pub mod fit;
mod footprint;
pub mod forward;
mod json;
mod longrope;
pub mod model;
mod position;
pub mod prefill;
pub mod preset;
pub mod size;
pub mod source;
pub mod state;
mod touched;
pub mod weights;

pub use arguments::PASS;
pub use blocks::{Blocks, Settings};
pub use config::{Config, ConfigError, Family, Mixture};
pub use decode::DECODE;
pub use model::Model;
pub use prefill::PREFILL;
pub use preset::{PRESETS, Preset};
pub use size::Storage;
pub use weights::{Synthetic, Tensor, weights_hash};
