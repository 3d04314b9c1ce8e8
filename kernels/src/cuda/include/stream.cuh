// The walk of a product of few rows over packed weights (fragment.cuh): a stream that each warp keeps in flight ahead of what it multiplies.
//
// A block of 8 warps makes 16 outputs; its warps take tiles along k in turn, DEPTH at a time, and ask for the next DEPTH before they work on
// those: 2 · DEPTH KiB a warp in registers. Their parts are added up at the end (`finish`).
#pragma once
#include "experts.cuh"
#include "fragment.cuh"

#define WARPS 8
#define DEPTH 2

// What all products of few rows are given: packed weights, and where their sums go.
struct Stream {
    const uint4* tiles;
    const u8* tile_scales;
    const float *factors, *bias, *row_scales;
    float* y;
    u32 rows, n, k;
};

// The same as parameters of a kernel.
#define STREAM_PARAMETERS \
    const uint4 *__restrict__ tiles, const u8 *__restrict__ tile_scales, const float *__restrict__ factors, const float *__restrict__ bias, \
        const float *__restrict__ row_scales, float *y, u32 rows, u32 n, u32 k

// y[rows, n] = x · Wᵀ, up to 8 · COLUMN_TILES rows; `multiply` adds the product of a tile of weights, the given one along k, to the sums.
template <int COLUMN_TILES, class Multiply> DEVICE void stream(const Stream& of, Multiply multiply) {
    __shared__ float parts[WARPS][COLUMN_TILES * 4][32];
    const u32 lane = lane_id(), warp = warp_id(), k_tiles = ceil_div(of.k, (u32)K_TILE);
    const u64 first = (u64)blockIdx.x * k_tiles;
    float sums[COLUMN_TILES][4] = {};
    Fragment now[DEPTH], next[DEPTH];
#pragma unroll
    for (u32 i = 0; i < DEPTH; i++) {
        if (warp + i * WARPS < k_tiles) load(now[i], of.tiles, of.tile_scales, first + warp + i * WARPS, lane);
    }
    for (u32 at = warp; at < k_tiles; at += DEPTH * WARPS) {
#pragma unroll
        for (u32 i = 0; i < DEPTH; i++) {
            const u32 tile = at + (DEPTH + i) * WARPS;
            if (tile < k_tiles) load(next[i], of.tiles, of.tile_scales, first + tile, lane);
        }
#pragma unroll
        for (u32 i = 0; i < DEPTH; i++) {
            const u32 tile = at + i * WARPS;
            if (tile < k_tiles) multiply(now[i], tile, sums);
        }
#pragma unroll
        for (u32 i = 0; i < DEPTH; i++) now[i] = next[i];
    }
    finish<WARPS, COLUMN_TILES>(parts, sums, of.row_scales, of.factors, of.bias, of.y, of.rows, of.n);
}

// The same of one expert: its part of weights packed for all of them one after another, n a multiple of 16, and its rows of y.
DEVICE Stream of_expert(Stream of, const Segment& segment) {
    const u64 tile = (u64)segment.expert * (of.n / TILE_OUTPUTS) * ceil_div(of.k, (u32)K_TILE);
    of.tiles += tile * (TILE_BYTES / 16), of.tile_scales += tile * TILE_OUTPUTS * ROW_SCALES;
    of.factors += (u64)segment.expert * of.n;
    if (of.bias) of.bias += (u64)segment.expert * of.n;
    of.row_scales += segment.slot, of.y += (u64)segment.first * of.n, of.rows = segment.rows;
    return of;
}
