//! What is compiled of the wrappers' tests: by the doubles to be run, by the real compiler to be looked at.

use spark_kernels::cuda::arch::{FROM_SM80, FROM_SM89, SM12XA, SM90A};
use spark_kernels::cuda::source::{Source, Unit};

static SOURCE: Source = Source { path: "tests/cuda/wrappers.cu", text: include_str!("wrappers.cu") };

/// All that is compiled of the file.
pub(crate) fn units() -> Vec<Unit> {
    let of = |what: u32, archs, entries| Unit::plain(&SOURCE, archs, entries).with("WHAT", what).with("COLUMNS", 8);
    let mut units = vec![
        of(0, FROM_SM80, &["decode", "encode", "unpack", "reduce"]),
        of(1, FROM_SM80, &["bf16", "f16", "s8", "loaded"]),
        of(1, FROM_SM89, &["e4m3"]),
        of(1, SM12XA, &["nvfp4", "mxfp4", "mxfp8"]),
    ];
    let tiles: &[&str] = &["bf16", "bf16_registers", "e4m3", "e4m3_registers"];
    units.extend(
        [8, 16, 32, 64, 128, 256].map(|n| Unit::plain(&SOURCE, SM90A, tiles).with("WHAT", 2).with("COLUMNS", n)),
    );
    units.push(of(3, SM90A, &["descriptors"]));
    units
}
