//! What lies between a host and a GPU: memory that either allocates and both reach, copies, and lines handed to and fro.
//!
//! These are no ops: two devices take part, and what is measured is what lies between them. Each part proves what it moved.

mod allocator;
pub(crate) mod block;
pub mod coherence;
mod duet;
pub mod faults;
mod gate;
mod lane;
pub mod peer;
mod region;
pub mod transfers;
mod words;

pub use allocator::Allocator;
pub use region::Region;

use crate::cuda::source::Unit;

/// Everything that is compiled for this.
pub fn units() -> Vec<Unit> {
    vec![gate::unit(), faults::unit(), coherence::unit(), transfers::unit()]
}
