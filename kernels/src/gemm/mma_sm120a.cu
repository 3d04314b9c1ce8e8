// Many rows of activations times weights, both MXFP4 or both NVFP4, on sm_120a's and sm_121a's block-scaled tensor cores: true FP4 × FP4.
//
// A block of 8 warps makes 128 outputs × M_TILE rows, a warp 32 × M_TILE ÷ 2, in m16n8k64 with the weights on the left; codes and scales
// go in as they are stored, and sums stay in the accumulators over the whole of k. A stage is 128 elements along k.
// At M_TILE = 128 a stage of a warp takes 12 loads of 16 bytes and 10 of 8 from shared memory, without bank conflicts, for 32
// instructions of 4 cycles: 440 cycles of shared memory beside 1024 of the tensor cores (4096 FLOP a cycle and SM), so these bound it.
// Occupancy: STAGES = 4 stages of 18 KiB = 72 KiB of the 99 KiB that a block may have; one block of 8 warps an SM, each with 16
// independent accumulators (8 × 4 are said to be enough); about 120 registers.
// Bytes: a block reads its weights once for M_TILE rows and its rows once for 128 outputs: (n·m/128 + m·n/128) · k/2, mostly from L2.
//
// FORMAT MXFP4 or NVFP4, weights packed with ORDERED = 1; M_TILE is 32 or 128.
#include "fragment.cuh"
#include "mma_scaled.cuh"

#define STAGES 4
#define N_TILES 8
#define COLUMNS (M_TILE / 16)
#define WEIGHT_STAGE (N_TILES * TILE_BYTES)
#define SCALE_STAGE (N_TILES * 16 * ROW_SCALES)
// Rows of 64 bytes: eight lanes of a phase read 128 bytes in a row.
#define X_STAGE (M_TILE * 64)
#define X_SCALE_STAGE (M_TILE * ROW_SCALES)
#define STAGE_BYTES (WEIGHT_STAGE + SCALE_STAGE + X_STAGE + X_SCALE_STAGE)

struct Operands {
    const uint4* tiles;
    const u8* tile_scales;
    const uint4* codes;
    const u8* scales;
    u32 columns, n_tiles, k_tiles, first_n_tile, first_row, rows;
};

// Asks for stage `k_tile`: what lies beyond n or the rows comes as zeros. `columns` is a multiple of M_TILE, so scales are all there.
template <int M_TILE>
DEVICE void bring(u8* shared, const Operands& of, u32 k_tile) {
    for (u32 i = threadIdx.x; i < WEIGHT_STAGE / 16; i += 256) {
        const u32 n_tile = of.first_n_tile + i / 64;
        cp_async_16_or_zero(shared + i * 16, of.tiles + ((u64)n_tile * of.k_tiles + k_tile) * 64 + i % 64, n_tile < of.n_tiles);
    }
    shared += WEIGHT_STAGE;
    for (u32 i = threadIdx.x; i < SCALE_STAGE / 16; i += 256) {
        const u32 n_tile = of.first_n_tile + i / ROW_SCALES;
        cp_async_16_or_zero(shared + i * 16, of.tile_scales + (((u64)n_tile * of.k_tiles + k_tile) * ROW_SCALES + i % ROW_SCALES) * 16,
                            n_tile < of.n_tiles);
    }
    shared += SCALE_STAGE;
    for (u32 i = threadIdx.x; i < X_STAGE / 16; i += 256) {
        const u32 row = of.first_row + i / 4;
        cp_async_16_or_zero(shared + i * 16, of.codes + ((u64)row * of.k_tiles + k_tile) * 4 + i % 4, row < of.rows);
    }
    shared += X_STAGE;
    for (u32 i = threadIdx.x; i < X_SCALE_STAGE / 16; i += 256) {
        cp_async_16(shared + i * 16, of.scales + ((u64)k_tile * of.columns + of.first_row) * ROW_SCALES + i * 16);
    }
}

#if FORMAT == NVFP4
#define multiply_blocks mma_nvfp4
DEVICE u32 scales_of(uint2 x, u32 step) { return step == 0 ? x.x : x.y; }
typedef uint2 Scales;
#else
#define multiply_blocks mma_mxfp4
DEVICE u32 scales_of(u32 x, u32 step) { return x >> 16 * step & 0xffff; }
typedef u32 Scales;
#endif

template <int M_TILE>
DEVICE void multiply(const u8* shared, float sums[2][COLUMNS][4]) {
    const u32 lane = lane_id(), g = lane / 4, t = lane % 4, n_warp = warp_id() % 4, m_warp = warp_id() / 4;
    const Scales* tile_scales = (const Scales*)(shared + WEIGHT_STAGE);
    const uint4* x = (const uint4*)(shared + WEIGHT_STAGE + SCALE_STAGE);
    const Scales* scales = (const Scales*)(shared + WEIGHT_STAGE + SCALE_STAGE + X_STAGE);
    uint4 upper[2], lower[2];
    Scales left[2];
#pragma unroll
    for (u32 i = 0; i < 2; i++) {
        const u32 tile = 2 * n_warp + i;
        upper[i] = ((const uint4*)shared)[tile * 64 + lane], lower[i] = ((const uint4*)shared)[tile * 64 + 32 + lane];
        left[i] = tile_scales[tile * 16 + g + 8 * (t & 1)];
    }
#pragma unroll
    for (u32 j = 0; j < COLUMNS; j++) {
        const u32 row = (m_warp * COLUMNS + j) * 8 + g;
        const uint4 four = x[row * 4 + t];
        const u32 words[4] = {four.x, four.y, four.z, four.w};
        const Scales right = scales[row];
#pragma unroll
        for (u32 i = 0; i < 2; i++) {
#pragma unroll
            for (u32 step = 0; step < 2; step++) {
                const u32 a[4] = {word(upper[i], 2 * step), word(lower[i], 2 * step), word(upper[i], 2 * step + 1), word(lower[i], 2 * step + 1)};
                multiply_blocks(sums[i][j], a, words + 2 * step, scales_of(left[i], step), scales_of(right, step));
            }
        }
    }
}

// y[rows, n] = x · Wᵀ: block (i, j) makes outputs 128i … and rows M_TILE·j ….
template <int M_TILE>
DEVICE void gemm(const uint4* __restrict__ tiles, const u8* __restrict__ tile_scales, const float* __restrict__ factors,
            const float* __restrict__ bias, const uint4* __restrict__ codes, const float* __restrict__ row_scales,
            const u8* __restrict__ scales, u32 columns, float* y, u32 rows, u32 n, u32 k) {
    SHARED_DYNAMIC(shared);
    const Operands of = {tiles, tile_scales, codes, scales, columns, ceil_div(n, 16u), ceil_div(k, (u32)K_TILE), blockIdx.x * N_TILES, blockIdx.y * M_TILE, rows};
    float sums[2][COLUMNS][4] = {};
#pragma unroll
    for (u32 stage = 0; stage < STAGES - 1; stage++) {
        if (stage < of.k_tiles) bring<M_TILE>(shared + stage * STAGE_BYTES, of, stage);
        cp_async_commit();
    }
    for (u32 stage = 0; stage < of.k_tiles; stage++) {
        cp_async_wait<STAGES - 2>();
        // Everybody's part of this stage is there, and everybody is done with the one that is overwritten next.
        __syncthreads();
        const u32 ahead = stage + STAGES - 1;
        if (ahead < of.k_tiles) bring<M_TILE>(shared + ahead % STAGES * STAGE_BYTES, of, ahead);
        cp_async_commit();
        multiply<M_TILE>(shared + stage % STAGES * STAGE_BYTES, sums);
    }
    const u32 g = lane_id() / 4, t = lane_id() % 4, n_warp = warp_id() % 4, m_warp = warp_id() / 4;
#pragma unroll
    for (u32 i = 0; i < 2; i++) {
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            const u32 output = (of.first_n_tile + 2 * n_warp + i) * 16 + 8 * half + g;
            if (output >= n) continue;
            const float factor = factors[output], add = bias ? bias[output] : 0.0f;
#pragma unroll
            for (u32 j = 0; j < COLUMNS; j++) {
#pragma unroll
                for (u32 c = 0; c < 2; c++) {
                    const u32 row = of.first_row + (m_warp * COLUMNS + j) * 8 + 2 * t + c;
                    if (row < rows) y[(u64)row * n + output] = sums[i][j][2 * half + c] * row_scales[row] * factor + add;
                }
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256, 1)
    gemm_fp4_32(const uint4* __restrict__ tiles, const u8* __restrict__ tile_scales, const float* __restrict__ factors,
        const float* __restrict__ bias, const uint4* __restrict__ codes, const float* __restrict__ row_scales,
        const u8* __restrict__ scales, u32 columns, float* y, u32 rows, u32 n, u32 k) {
    gemm<32>(tiles, tile_scales, factors, bias, codes, row_scales, scales, columns, y, rows, n, k);
}

extern "C" __global__ void __launch_bounds__(256, 1)
    gemm_fp4_128(const uint4* __restrict__ tiles, const u8* __restrict__ tile_scales, const float* __restrict__ factors,
        const float* __restrict__ bias, const uint4* __restrict__ codes, const float* __restrict__ row_scales,
        const u8* __restrict__ scales, u32 columns, float* y, u32 rows, u32 n, u32 k) {
    gemm<128>(tiles, tile_scales, factors, bias, codes, row_scales, scales, columns, y, rows, n, k);
}
