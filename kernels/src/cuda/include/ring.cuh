// What gemms of many rows have in common: a ring of stages in shared memory that cp.async fills ahead of what is multiplied, and the end.
//
// A block of 8 warps makes 128 outputs × M_TILE rows, a warp 32 × M_TILE ÷ 2: warp w outputs 32 · (w mod 4) …, rows M_TILE ÷ 2 · (w ÷ 4) ….
#pragma once
#include "experts.cuh"
#include "memory.cuh"
#include "tile.cuh"

#define OUTPUTS_A_BLOCK 128
#define N_TILES 8
// Column tiles of a warp.
#define COLUMNS (M_TILE / 16)

// Packed weights, and where a block's part of y stands: outputs from `first_output`, rows from `first_row` up to `rows`. `factors` are the
// outputs' scales, `bias` may be null.
struct Part {
    const uint4* tiles;
    const u8* tile_scales;
    const float *factors, *bias, *row_scales;
    float* y;
    u32 rows, n, k, first_output, first_row;
    DEVICE_MEMBER u32 n_tiles() const { return ceil_div(n, (u32)TILE_OUTPUTS); }
    DEVICE_MEMBER u32 k_tiles() const { return ceil_div(k, (u32)K_TILE); }
};

// The same as parameters of a kernel, and the part of its block (i, j): outputs 128i …, rows M_TILE · j ….
#define PART_PARAMETERS \
    const uint4 *__restrict__ tiles, const u8 *__restrict__ tile_scales, const float *__restrict__ factors, const float *__restrict__ bias, \
        const float *__restrict__ row_scales, float *y, u32 rows, u32 n, u32 k
#define PART(M_TILE) \
    Part { tiles, tile_scales, factors, bias, row_scales, y, rows, n, k, blockIdx.x * OUTPUTS_A_BLOCK, blockIdx.y * M_TILE }

// The part of one expert: its weights of those packed for all of them one after another, n a multiple of 16, and its rows of y, which stand
// elsewhere than those of x.
DEVICE Part of_expert(Part of, const Segment& segment) {
    const u64 tile = (u64)segment.expert * of.n_tiles() * of.k_tiles();
    of.tiles += tile * (TILE_BYTES / 16), of.tile_scales += tile * TILE_OUTPUTS * ROW_SCALES;
    of.factors += (u64)segment.expert * of.n;
    if (of.bias) of.bias += (u64)segment.expert * of.n;
    of.y += ((i64)segment.first - (i64)segment.slot) * (i64)of.n;
    of.first_row = segment.slot, of.rows = segment.slot + segment.rows;
    return of;
}

// `bring` asks for a stage, `multiply` adds it to the sums.
template <int STAGES, class Bring, class Multiply>
DEVICE void ring(u8* shared, u32 stage_bytes, u32 stages, Bring bring, Multiply multiply) {
#pragma unroll
    for (u32 stage = 0; stage < STAGES - 1; stage++) {
        if (stage < stages) bring(shared + stage * stage_bytes, stage);
        cp_async_commit();
    }
    for (u32 stage = 0; stage < stages; stage++) {
        cp_async_wait<STAGES - 2>();
        // Everybody's part of this stage is there, and everybody is done with the one that is overwritten next.
        __syncthreads();
        const u32 ahead = stage + STAGES - 1;
        if (ahead < stages) bring(shared + ahead % STAGES * stage_bytes, ahead);
        cp_async_commit();
        multiply(shared + stage % STAGES * stage_bytes, stage);
    }
}

// Writes a block's sums, laid out as accumulators of m16n8 are.
template <int M_TILE> DEVICE void store_sums(const float sums[2][COLUMNS][4], const Part& at) {
    const u32 g = lane_id() / 4, t = lane_id() % 4, n_warp = warp_id() % 4, m_warp = warp_id() / 4;
#pragma unroll
    for (u32 i = 0; i < 2; i++) {
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            const u32 output = at.first_output + (2 * n_warp + i) * 16 + 8 * half + g;
            if (output >= at.n) continue;
            const float factor = at.factors[output], add = at.bias ? at.bias[output] : 0.0f;
#pragma unroll
            for (u32 j = 0; j < COLUMNS; j++) {
#pragma unroll
                for (u32 c = 0; c < 2; c++) {
                    const u32 row = at.first_row + (m_warp * COLUMNS + j) * 8 + 2 * t + c;
                    if (row < at.rows) at.y[(u64)row * at.n + output] = sums[i][j][2 * half + c] * at.row_scales[row] * factor + add;
                }
            }
        }
    }
}
