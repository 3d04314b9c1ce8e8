// One lane's part of a packed tile of weights (tile.cuh), its scales, and the end of a product of few rows: one block's sums into y.
#pragma once
#include "convert.cuh"
#include "memory.cuh"
#include "tile.cuh"

// What one lane needs of a tile of weights: the bytes of outputs g and g + 8, and their scales.
struct Fragment {
    uint4 codes[2];
#if ROW_SCALES == 8
    uint2 scales[2];
#elif ROW_SCALES == 4
    u32 scales[2];
#endif
};

DEVICE void load(Fragment& f, const uint4* tiles, const u8* scales, u64 tile, u32 lane) {
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        f.codes[half] = ld_nc_v4(tiles + tile * 64 + half * 32 + lane);
#if ROW_SCALES == 8
        f.scales[half] = ld_nc_v2(scales + (tile * 16 + half * 8 + lane / 4) * ROW_SCALES);
#elif ROW_SCALES == 4
        f.scales[half] = ld_nc_u32(scales + (tile * 16 + half * 8 + lane / 4) * ROW_SCALES);
#endif
    }
}

DEVICE u32 word(uint4 x, u32 i) { return i == 0 ? x.x : i == 1 ? x.y : i == 2 ? x.z : x.w; }

// The scale of block `b` of a tile.
#if FORMAT == MXFP4
DEVICE float scale(u32 of, u32 b) { return __uint_as_float(max((of >> 8 * b & 0xff) << 23, 0x400000u)); }
#elif FORMAT == NVFP4
// The exponent of E4M3 moved under that of f32, subnormals and all; the product puts its bias right.
DEVICE float scale(uint2 of, u32 b) { return __uint_as_float(((b < 4 ? of.x : of.y) >> 8 * (b % 4) & 0x7f) << 20) * __uint_as_float(247u << 23); }
#elif FORMAT == Q8_0
DEVICE float scale(u32 of, u32 b) { return f16_to_f32((u16)(of >> 16 * b)); }
#elif FORMAT == Q4_0
DEVICE float scale(uint2 of, u32 b) { return f16_to_f32((u16)((b < 2 ? of.x : of.y) >> 16 * (b % 2))); }
#endif

// Adds up the parts that the warps of a block have of 16 outputs × 8 rows a column tile, and writes them: thread by thread an element,
// neighbours are neighbouring outputs. `parts` is the block's shared memory; sums are laid out as an accumulator of m16n8 is.
template <int WARPS, int COLUMN_TILES>
DEVICE void finish(float parts[WARPS][COLUMN_TILES * 4][32], const float sums[COLUMN_TILES][4], const float* row_scales, const float* factors,
                   const float* bias, float* y, u32 rows, u32 n) {
#pragma unroll
    for (u32 i = 0; i < COLUMN_TILES * 4; i++) parts[warp_id()][i][lane_id()] = sums[i / 4][i % 4];
    __syncthreads();
    for (u32 i = threadIdx.x; i < COLUMN_TILES * 128; i += 32 * WARPS) {
        const u32 output = blockIdx.x * TILE_OUTPUTS + i % 16, row = i / 16;
        if (row >= rows || output >= n) continue;
        const u32 owner = i % 8 * 4 + row % 8 / 2, which = row / 8 * 4 + (i % 16 >= 8 ? 2 : 0) + row % 2;
        float sum = 0.0f;
#pragma unroll
        for (u32 part = 0; part < WARPS; part++) sum += parts[part][which][owner];
        y[(u64)row * n + output] = sum * row_scales[row] * factors[output] + (bias ? bias[output] : 0.0f);
    }
}
