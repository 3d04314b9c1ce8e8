// Stages of a tiled gemm in shared memory: packed tiles of weights, their scales, and rows of activations, brought by cp.async.
//
// A block makes 128 outputs × M_TILE rows; a stage is STAGE_K elements along k. Rows of activations are 128 bytes a stage, in 16-byte
// chunks that are exchanged by row so that the eight lanes of a phase meet different banks: of K_TILE = 128 a lane wants chunk 2t or
// 2t + 1, of the others 4 · tile + t.
#pragma once
#include "fragment.cuh"
#include "ring.cuh"

// Bytes of an element of activations.
#define X_BYTES (FLOATING ? 2 : 1)
#define STAGE_K (128 / X_BYTES)
// Tiles along k in a stage.
#define K_TILES (STAGE_K / K_TILE)
#define WEIGHT_STAGE (N_TILES * K_TILES * TILE_BYTES)
#define SCALE_STAGE (N_TILES * K_TILES * 16 * ROW_SCALES)
#define X_STAGE (M_TILE * 128)
#define STAGE_BYTES (WEIGHT_STAGE + SCALE_STAGE + X_STAGE)

DEVICE u32 x_chunk(u32 row, u32 chunk) {
#if K_TILE * X_BYTES == 128
    return row * 128 + ((chunk ^ (row & 7)) << 4);
#else
    return row * 128 + ((chunk ^ ((row & 1) << 2 | (row >> 1 & 3))) << 4);
#endif
}

// Asks for stage `stage`: what lies beyond n, k or the rows comes as zeros.
template <int M_TILE> DEVICE void bring(u8* shared, const Part& of, const u8* x, u32 stage) {
    const uint4* tiles = of.tiles;
    const u32 n_tiles = of.n_tiles(), k_tiles = of.k_tiles(), first_n_tile = of.first_output / TILE_OUTPUTS;
    const u32 threads = blockDim.x;
    u8* weights = shared;
    for (u32 i = threadIdx.x; i < WEIGHT_STAGE / 16; i += threads) {
        const u32 tile = i / 64, n_tile = first_n_tile + tile / K_TILES, k_tile = stage * K_TILES + tile % K_TILES;
        cp_async_16_or_zero(weights + i * 16, tiles + ((u64)n_tile * k_tiles + k_tile) * 64 + i % 64, n_tile < n_tiles && k_tile < k_tiles);
    }
#if ROW_SCALES > 0
    u8* scales = shared + WEIGHT_STAGE;
    for (u32 i = threadIdx.x; i < SCALE_STAGE / 16; i += threads) {
        const u32 tile = i / ROW_SCALES, n_tile = first_n_tile + tile / K_TILES, k_tile = stage * K_TILES + tile % K_TILES;
        cp_async_16_or_zero(scales + i * 16, of.tile_scales + (((u64)n_tile * k_tiles + k_tile) * ROW_SCALES + i % ROW_SCALES) * 16,
                            n_tile < n_tiles && k_tile < k_tiles);
    }
#endif
    u8* rows_of_x = shared + WEIGHT_STAGE + SCALE_STAGE;
    const u64 row_bytes = (u64)k_tiles * K_TILE * X_BYTES;
    for (u32 i = threadIdx.x; i < X_STAGE / 16; i += threads) {
        const u32 row = i / 8, chunk = i % 8;
        const bool valid = of.first_row + row < of.rows && stage * K_TILES + chunk * K_TILES / 8 < k_tiles;
        cp_async_16_or_zero(rows_of_x + x_chunk(row, chunk), x + (of.first_row + row) * row_bytes + stage * 128 + chunk * 16, valid);
    }
}

DEVICE uint4 chunk_of(const u8* at) { return *(const uint4*)at; }
