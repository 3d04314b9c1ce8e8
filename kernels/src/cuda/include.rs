//! The headers that `.cu` files may include: our own, embedded, each under its bare name.

macro_rules! headers {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("include/", $name)))),*] };
}

/// Name and text of every header in `include/`.
pub const HEADERS: &[(&str, &str)] = headers![
    "convert.cuh",
    "memory.cuh",
    "mma.cuh",
    "mma_scaled.cuh",
    "reduce.cuh",
    "system.cuh",
    "time.cuh",
    "tma.cuh",
    "types.cuh",
    "unpack.cuh",
    "wgmma.cuh",
];
