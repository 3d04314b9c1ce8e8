//! Two builds in turn on one machine: the order, the blocks, the looks, and what they prove.

mod block;
mod cycles;
mod length;
mod looks;
mod order;

pub use block::{Around, Block, Limits, Void};
pub use cycles::{Cycles, in_cycles};
pub use length::{SHORTEST_S, block_s};
pub use looks::{CONFIRMATION, Effect, LOOKS, Rules, Standing, confirmed, standing, verdicts};
pub use order::{Order, Side};
