//! Experiments on memory: what two sides leave each other, latency under load, cores that answer each other, host and GPU.

mod cell;
mod coherence;
mod contention;
mod disk;
mod gpu;
mod groups;
mod load;
mod loaded;
mod operands;
mod pingpong;
mod reader;
mod storage;
mod transfer;
mod unified;

pub use coherence::{COHERENCE, Coherence};
pub use contention::{CONTENTION, Contention};
pub use loaded::{LOADED, Loaded};
pub use pingpong::{PINGPONG, PingPongs};
pub use storage::{STORAGE, Storage};
pub use transfer::{TRANSFER, Transfer};
pub use unified::{UNIFIED, Unified};

/// Bytes of an array that two groups walk beside each other: so much that both together are past the last-level cache.
fn beyond(last_level_cache: u64) -> u64 {
    (2 * last_level_cache).next_multiple_of(64 << 20).max(256 << 20)
}

/// The axes of `id`, those that it leaves out at their first default.
fn full(
    id: &spark_results::BenchmarkId,
    known: &[crate::Axis],
) -> Result<spark_results::Axes, crate::axis::BadRequest> {
    let mut axes = id.axes.clone();
    for axis in known.iter().filter(|axis| !id.axes.contains_key(axis.name)) {
        axes.insert(axis.name.to_owned(), crate::axis::list(axis.name, axis.default)?.swap_remove(0));
    }
    Ok(axes)
}
