// A few rows of activations (1 … 8 · COLUMN_TILES) in bf16, or FP8 as f16, times weights: decode, which reads each weight once.
//
// Bytes and occupancy as in gemv.cu: tiles of weights once, 1 KiB a warp and tile, 2 · DEPTH KiB a warp in flight, 24 warps an SM (at most
// 80 registers), 4 KiB of shared memory a column tile. A row of x costs 1/16 of the weights' bytes for bf16, 1/8 for FP8, 1/4 for FP4,
// from L1 and L2. Work: weights become bf16 (f16 for FP8 activations, which both hold E4M3 exactly) in registers and are the left operand
// of m16n8k16. FP4's scales multiply the sum of a block; those of an output and of a row the finished sum.
//
// FORMAT as in tile.cuh: all but Q8_0 and Q4_0. AS_F16 = 1 for FP8 times FP8.
// EXPERTS = 1: its functions over tiles of experts' rows (experts.cuh), in place of those over one matrix.
#include "experts.cuh"
#include "mma.cuh"
#include "stream.cuh"
#include "unpack.cuh"

// Products of one instruction along k: of a block two, of NVFP4 one.
#define STEPS (BLOCK / 16)
// Words of activations of one lane, row and block.
#define BLOCK_WORDS (GROUP / 2)

// The left operand of every step of block `b`, this lane's pairs of elements of outputs g (half 0) and g + 8, in order.
DEVICE void left(const Fragment& f, u32 b, u32 half, u32 pairs[BLOCK_WORDS]) {
#if FORMAT == BF16
#pragma unroll
    for (u32 i = 0; i < BLOCK_WORDS; i++) pairs[i] = word(f.codes[half], i);
#elif FORMAT == FP8
#pragma unroll
    for (u32 i = 0; i < 2; i++) {
        const u32 four = word(f.codes[half], 2 * b + i);
#if AS_F16
        pairs[2 * i] = e4m3x2_to_f16x2((u16)four), pairs[2 * i + 1] = e4m3x2_to_f16x2((u16)(four >> 16));
#else
        e4m3x4_to_bf16x4(four, pairs + 2 * i);
#endif
    }
#elif FORMAT == MXFP4
    e2m1x8_to_bf16x8(word(f.codes[half], b), pairs);
#else
    // A word holds four elements of each of two blocks; what is not used is not computed.
    u32 both[4];
    e2m1x8_to_bf16x8(word(f.codes[half], b / 2), both);
    pairs[0] = both[2 * (b % 2)], pairs[1] = both[2 * (b % 2) + 1];
#endif
}

template <int COLUMN_TILES>
DEVICE void multiply(const Fragment& f, const u16* x, u32 row_elements, u32 rows, u32 k_tile, float sums[COLUMN_TILES][4]) {
    const u32 g = lane_id() / 4, t = lane_id() % 4;
#pragma unroll
    for (u32 b = 0; b < BLOCKS; b++) {
        u32 upper[BLOCK_WORDS], lower[BLOCK_WORDS];
        left(f, b, 0, upper);
        left(f, b, 1, lower);
#pragma unroll
        for (u32 tile = 0; tile < COLUMN_TILES; tile++) {
            const u32 row = 8 * tile + g;
            const u16* at = x + (u64)row * row_elements + k_tile * K_TILE + t * (K_TILE / 4) + b * GROUP;
            u32 right[BLOCK_WORDS];
#if FORMAT == NVFP4
            const uint2 two = row < rows ? __ldg((const uint2*)at) : make_uint2(0, 0);
            right[0] = two.x, right[1] = two.y;
#else
            const uint4 four = row < rows ? __ldg((const uint4*)at) : make_uint4(0, 0, 0, 0);
            right[0] = four.x, right[1] = four.y, right[2] = four.z, right[3] = four.w;
#endif
#if SCALE_BYTES > 0
            float c[4] = {};
#else
            float* c = sums[tile];
#endif
#pragma unroll
            for (u32 step = 0; step < STEPS; step++) {
                const u32 a[4] = {upper[2 * step], lower[2 * step], upper[2 * step + 1], lower[2 * step + 1]};
#if AS_F16
                mma_f16(c, a, right + 2 * step);
#else
                mma_bf16(c, a, right + 2 * step);
#endif
            }
#if SCALE_BYTES > 0
            const float scale0 = scale(f.scales[0], b), scale8 = scale(f.scales[1], b);
#pragma unroll
            for (u32 i = 0; i < 4; i++) sums[tile][i] = fmaf(c[i], i < 2 ? scale0 : scale8, sums[tile][i]);
#endif
        }
    }
}

// One block for each 16 outputs; rows of x begin at `row`.
template <int COLUMN_TILES> DEVICE void gemv(const Stream& of, const u16* __restrict__ x, u32 row) {
    const u32 row_elements = ceil_div(of.k, (u32)K_TILE) * K_TILE;
    x += (u64)row * row_elements;
    stream<COLUMN_TILES>(of, [&](const Fragment& f, u32 tile, float (&sums)[COLUMN_TILES][4]) {
        multiply<COLUMN_TILES>(f, x, row_elements, of.rows, tile, sums);
    });
}

#if !EXPERTS
// y[rows, n] = x · Wᵀ. `factors` are the outputs' scales, `bias` may be null.
extern "C" __global__ void __launch_bounds__(32 * WARPS, 3) gemv_float_8(STREAM_PARAMETERS, const u16* __restrict__ x) {
    gemv<1>({tiles, tile_scales, factors, bias, row_scales, y, rows, n, k}, x, 0);
}
extern "C" __global__ void __launch_bounds__(32 * WARPS, 2) gemv_float_16(STREAM_PARAMETERS, const u16* __restrict__ x) {
    gemv<2>({tiles, tile_scales, factors, bias, row_scales, y, rows, n, k}, x, 0);
}
#else
// The same for each expert's rows, 8 a tile of `table`.
extern "C" __global__ void __launch_bounds__(32 * WARPS, 3)
    experts_float_8(STREAM_PARAMETERS, const u16* __restrict__ x, const uint4* __restrict__ table) {
    const Segment segment = segment_of(table, blockIdx.y, 8);
    if (segment.rows == 0) return;
    gemv<1>(of_expert({tiles, tile_scales, factors, bias, row_scales, y, rows, n, k}, segment), x, segment.slot);
}
#endif
