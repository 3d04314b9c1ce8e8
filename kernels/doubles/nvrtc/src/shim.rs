//! The headers that make a CPU of the host run what is written for a GPU, carried in the library itself.

/// Name and text of each; the last is the one that a source is compiled behind.
pub const HEADERS: &[(&str, &str)] = &[
    ("spark_double/vectors.h", include_str!("shim/vectors.h")),
    ("spark_double/machine.h", include_str!("shim/machine.h")),
    ("spark_double/builtins.h", include_str!("shim/builtins.h")),
    ("spark_double/warp.h", include_str!("shim/warp.h")),
    ("spark_double/formats.h", include_str!("shim/formats.h")),
    ("spark_double/mma.h", include_str!("shim/mma.h")),
    ("spark_double/async.h", include_str!("shim/async.h")),
    ("spark_double/tile.h", include_str!("shim/tile.h")),
    ("spark_double/time.h", include_str!("shim/time.h")),
    ("spark_double/launch.h", include_str!("shim/launch.h")),
    ("spark_double/all.h", include_str!("shim/all.h")),
];

/// A number that changes with the headers and the flags, so that objects made by others are told apart; never 0.
pub fn fingerprint() -> i32 {
    let flags = crate::compile::extra_flags();
    let texts = HEADERS.iter().map(|(_, text)| *text).chain([flags.as_str(), env!("CARGO_PKG_VERSION")]);
    // FNV-1a: 32 bits are enough to tell a handful of versions apart.
    let hash = texts.flat_map(str::bytes).fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    (hash & 0x7fff_ffff).max(1) as i32
}
