//! `launch`: the row of what it costs to have a GPU do something.

use super::{axis, named};
use crate::axis::size;
use crate::micro::{Items, Micro};
use spark_kernels::launch::{Launch, Way};

/// `launch`.
pub static LAUNCH: Micro<Launch> = Micro {
    about: "what a launch costs on a gpu: an empty kernel, waited for, in a row, and as the nodes of a graph",
    axes: &[
        axis("launches", "kernels one after another, of which a time is taken together", "256"),
        axis(
            "way",
            "round-trip: the host waits for each; row: it does not; graph: all in one submission",
            "round-trip,row,graph",
        ),
    ],
    parse: |axes, _| Ok(Launch { launches: size(axes, "launches")?, way: named::<Way>(axes, "way")? }),
    cold: Some(false),
    roof: false,
    instruction: None,
    items: Some(Items { count: |op| op.launches as u64, item: "launch" }),
};
