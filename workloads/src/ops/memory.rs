//! The rows of memory: bandwidth in order and out of it, latency.

use super::{axis, named};
use crate::axis::{Axis, BadRequest, count, name, size};
use crate::micro::{Items, Micro};
use spark_kernels::Placement;
use spark_kernels::chase::Chase;
use spark_kernels::copy::Copy;
use spark_kernels::lines::{Lines, Order};
use spark_kernels::read::Read;
use spark_kernels::triad::Triad;
use spark_kernels::working_set::WorkingSet;
use spark_kernels::write::Write;
use spark_results::Axes;

const SET: &[Axis] = &[
    axis("bytes", "size of each array, in bytes", "1073741824"),
    axis("cores", "0: all; 1: the fastest kind alone, 2: the next …; each", "0"),
    axis("pages", "huge or small", "huge"),
    axis("threads", "workers that share it; 0 for all; doubling for 1, 2, 4 … all", "0"),
];

fn working_set(axes: &Axes, threads: usize) -> Result<WorkingSet, BadRequest> {
    let cores = if axes.contains_key("cores") { count(axes, "cores")? } else { 0 };
    let asked = match count(axes, "threads")? {
        // Only the device knows how many cores of a kind it has.
        0 if cores > 0 => 0,
        0 => threads,
        asked if asked <= threads => asked,
        asked => return Err(BadRequest(format!("threads is {asked}; the device has {threads}: raise --threads"))),
    };
    let set = WorkingSet::new(size(axes, "bytes")?, asked).on_cores(cores);
    Ok(if pages(axes)? == Placement::SmallPages { set.on_small_pages() } else { set })
}

fn pages(axes: &Axes) -> Result<Placement, BadRequest> {
    match name(axes, "pages")?.as_str() {
        "huge" => Ok(Placement::Fast),
        "small" => Ok(Placement::SmallPages),
        other => Err(BadRequest(format!("pages is '{other}'; it is huge or small"))),
    }
}

/// `read`.
pub static READ: Micro<Read> = Micro {
    about: "how fast an array is read, by its size: caches, then memory, the roof of decode",
    axes: SET,
    parse: |axes, threads| Ok(Read(working_set(axes, threads)?)),
    cold: Some(false),
    roof: true,
    instruction: None,
    items: None,
};

/// `write`.
pub static WRITE: Micro<Write> = Micro {
    about: "how fast an array is written",
    axes: SET,
    parse: |axes, threads| Ok(Write(working_set(axes, threads)?)),
    cold: Some(false),
    roof: true,
    instruction: None,
    items: None,
};

/// `copy`.
pub static COPY: Micro<Copy> = Micro {
    about: "how fast one array is copied to another; both directions counted",
    axes: SET,
    parse: |axes, threads| Ok(Copy(working_set(axes, threads)?)),
    cold: Some(false),
    roof: true,
    instruction: None,
    items: None,
};

/// `triad`.
pub static TRIAD: Micro<Triad> = Micro {
    about: "STREAM's triad a = b + s·c; three arrays counted, write-allocate not",
    axes: SET,
    parse: |axes, threads| Ok(Triad(working_set(axes, threads)?)),
    cold: Some(false),
    roof: true,
    instruction: None,
    items: None,
};

/// `chase`.
pub static CHASE: Micro<Chase> = Micro {
    about: "the latency of one dependent read, by the size of the set it wanders through",
    axes: &[axis("bytes", "size of the set, in bytes", "1073741824"), axis("pages", "huge or small", "huge")],
    parse: |axes, _| Ok(Chase { bytes: size(axes, "bytes")?, pages: pages(axes)? }),
    cold: Some(false),
    roof: true,
    instruction: None,
    items: Some(Items { count: |op| op.hops() as u64, item: "hop" }),
};

/// `lines`.
pub static LINES: Micro<Lines> = Micro {
    about: "how fast single lines of 64 bytes are read at random or at a stride, many in flight; whole lines counted",
    axes: &[
        axis("bytes", "size of the array, in bytes", "1073741824"),
        axis("order", "random, or stride:BYTES", "random"),
        axis("pages", "huge or small", "huge"),
        axis("threads", "workers; 0 for all; doubling for 1, 2, 4 … all", "0"),
    ],
    parse: |axes, threads| Ok(Lines { set: working_set(axes, threads)?, order: named::<Order>(axes, "order")? }),
    cold: Some(false),
    roof: true,
    instruction: None,
    items: Some(Items { count: |op| op.count() as u64, item: "line" }),
};
