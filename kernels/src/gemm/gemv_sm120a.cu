// A few rows of activations (1 … 8 · COLUMN_TILES) times weights, both MXFP4 or both NVFP4, on sm_120a's block-scaled tensor cores: decode.
//
// Bytes and occupancy as in gemv.cu: tiles of weights once, 1 KiB a warp and tile, past L1, 2 · DEPTH KiB a warp in flight, 24 warps an SM (at
// most 80 registers), 4 KiB of shared memory a column tile. GB10 brings an SM 2.4 bytes a cycle: nothing here but bytes counts.
// Work: two instructions m16n8k64 a tile of 16 outputs × 128 and 8 rows: codes and scales go in as they are stored, nothing is unpacked.
//
// FORMAT MXFP4 or NVFP4, weights packed with ORDERED = 1.
// EXPERTS = 1: its functions over tiles of experts' rows (experts.cuh), in place of those over one matrix.
#include "experts.cuh"
#include "mma_scaled.cuh"
#include "stream.cuh"

#if FORMAT == NVFP4
#define multiply_blocks mma_nvfp4
DEVICE u32 scales_of(uint2 x, u32 step) { return step == 0 ? x.x : x.y; }
DEVICE uint2 pick(uint2 a, uint2 b, u32 second) { return second ? b : a; }
typedef uint2 Scales;
#else
#define multiply_blocks mma_mxfp4
DEVICE u32 scales_of(u32 x, u32 step) { return x >> 16 * step & 0xffff; }
DEVICE u32 pick(u32 a, u32 b, u32 second) { return second ? b : a; }
typedef u32 Scales;
#endif

template <int COLUMN_TILES>
DEVICE void multiply(const Fragment& f, const uint4* codes, u32 k_tiles, const Scales* scales, u32 columns, u32 rows, u32 k_tile,
                     float sums[COLUMN_TILES][4]) {
    const u32 g = lane_id() / 4, t = lane_id() % 4;
    // Lanes t = 0, 2 speak for output g, t = 1, 3 for g + 8.
    const Scales left = pick(f.scales[0], f.scales[1], t & 1);
#pragma unroll
    for (u32 tile = 0; tile < COLUMN_TILES; tile++) {
        const u32 row = 8 * tile + g;
        const bool live = row < rows;
        const uint4 four = live ? __ldg(codes + ((u64)row * k_tiles + k_tile) * 4 + t) : make_uint4(0, 0, 0, 0);
        const u32 words[4] = {four.x, four.y, four.z, four.w};
        const Scales right = live ? __ldg(scales + (u64)k_tile * columns + row) : Scales{};
#pragma unroll
        for (u32 step = 0; step < 2; step++) {
            const u32 a[4] = {word(f.codes[0], 2 * step), word(f.codes[1], 2 * step), word(f.codes[0], 2 * step + 1), word(f.codes[1], 2 * step + 1)};
            multiply_blocks(sums[tile], a, words + 2 * step, scales_of(left, step), scales_of(right, step));
        }
    }
}

#define X_PARAMETERS const uint4 *__restrict__ codes, const Scales *__restrict__ scales, u32 columns

// One block for each 16 outputs; rows of x begin at `row`.
template <int COLUMN_TILES> DEVICE void gemv(const Stream& of, X_PARAMETERS, u32 row) {
    const u32 k_tiles = ceil_div(of.k, (u32)K_TILE);
    codes += (u64)row * k_tiles * 4, scales += row;
    stream<COLUMN_TILES>(of, [&](const Fragment& f, u32 tile, float (&sums)[COLUMN_TILES][4]) {
        multiply<COLUMN_TILES>(f, codes, k_tiles, scales, columns, of.rows, tile, sums);
    });
}

#if !EXPERTS
// y[rows, n] = x · Wᵀ. `factors` are the outputs' scales, `bias` may be null.
extern "C" __global__ void __launch_bounds__(32 * WARPS, 3) gemv_fp4_8(STREAM_PARAMETERS, X_PARAMETERS) {
    gemv<1>({tiles, tile_scales, factors, bias, row_scales, y, rows, n, k}, codes, scales, columns, 0);
}
extern "C" __global__ void __launch_bounds__(32 * WARPS, 2) gemv_fp4_16(STREAM_PARAMETERS, X_PARAMETERS) {
    gemv<2>({tiles, tile_scales, factors, bias, row_scales, y, rows, n, k}, codes, scales, columns, 0);
}
#else
// The same for each expert's rows, 8 a tile of `table`.
extern "C" __global__ void __launch_bounds__(32 * WARPS, 3)
    experts_fp4_8(STREAM_PARAMETERS, X_PARAMETERS, const uint4* __restrict__ table) {
    const Segment segment = segment_of(table, blockIdx.y, 8);
    if (segment.rows == 0) return;
    gemv<1>(of_expert({tiles, tile_scales, factors, bias, row_scales, y, rows, n, k}, segment), codes, scales, columns, segment.slot);
}
#endif
