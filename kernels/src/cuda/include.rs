//! The headers that `.cu` files may include: our own, embedded, each under its bare name.

/// Name and text of every header in `include/`.
pub const HEADERS: &[(&str, &str)] = &[
    ("affine.cuh", include_str!("include/affine.cuh")),
    ("attend.cuh", include_str!("include/attend.cuh")),
    ("convert.cuh", include_str!("include/convert.cuh")),
    ("exact.cuh", include_str!("include/exact.cuh")),
    ("experts.cuh", include_str!("include/experts.cuh")),
    ("fragment.cuh", include_str!("include/fragment.cuh")),
    ("memory.cuh", include_str!("include/memory.cuh")),
    ("mma.cuh", include_str!("include/mma.cuh")),
    ("mma_scaled.cuh", include_str!("include/mma_scaled.cuh")),
    ("mma_sparse.cuh", include_str!("include/mma_sparse.cuh")),
    ("reduce.cuh", include_str!("include/reduce.cuh")),
    ("ring.cuh", include_str!("include/ring.cuh")),
    ("round.cuh", include_str!("include/round.cuh")),
    ("stage.cuh", include_str!("include/stage.cuh")),
    ("stream.cuh", include_str!("include/stream.cuh")),
    ("system.cuh", include_str!("include/system.cuh")),
    ("tile.cuh", include_str!("include/tile.cuh")),
    ("time.cuh", include_str!("include/time.cuh")),
    ("tma.cuh", include_str!("include/tma.cuh")),
    ("types.cuh", include_str!("include/types.cuh")),
    ("unpack.cuh", include_str!("include/unpack.cuh")),
    ("weights.cuh", include_str!("include/weights.cuh")),
    ("wgmma.cuh", include_str!("include/wgmma.cuh")),
];
