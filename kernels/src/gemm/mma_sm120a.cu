// Many rows of activations times weights, both MXFP4 or both NVFP4, on sm_120a's and sm_121a's block-scaled tensor cores: true FP4 × FP4.
//
// A block of 8 warps makes 128 outputs × M_TILE rows, a warp 32 × M_TILE ÷ 2, in m16n8k64 with the weights on the left; codes and scales
// go in as they are stored, and sums stay in the accumulators over the whole of k. A stage is 128 elements along k.
// At M_TILE = 128 a stage of a warp takes 12 loads of 16 bytes and 10 of 8 from shared memory, without bank conflicts, for 32
// instructions of 4 cycles: 440 cycles of shared memory beside 1024 of the tensor cores (4096 FLOP a cycle and SM), so these bound it.
// Occupancy: STAGES = 4 stages of 18 KiB = 72 KiB of the 99 KiB that a block may have; one block of 8 warps an SM, each with 16
// independent accumulators (8 × 4 are said to be enough); about 130 registers.
// Bytes: a block reads its weights once for M_TILE rows and its rows once for 128 outputs: (n·m/128 + m·n/128) · k/2, mostly from L2.
//
// FORMAT MXFP4 or NVFP4, weights packed with ORDERED = 1; M_TILE is 32 or 128.
// EXPERTS = 1: its functions over tiles of experts' rows (experts.cuh), in place of those over one matrix.
#include "fragment.cuh"
#include "mma_scaled.cuh"
#include "ring.cuh"

#define STAGES 4
#define WEIGHT_STAGE (N_TILES * TILE_BYTES)
#define SCALE_STAGE (N_TILES * 16 * ROW_SCALES)
// Rows of 64 bytes: eight lanes of a phase read 128 bytes in a row.
#define X_STAGE (M_TILE * 64)
#define X_SCALE_STAGE (M_TILE * ROW_SCALES)
#define STAGE_BYTES (WEIGHT_STAGE + SCALE_STAGE + X_STAGE + X_SCALE_STAGE)

// Activations: codes and their scales, [tile along k][columns]; `columns` is a multiple of M_TILE.
#define X_PARAMETERS const uint4 *__restrict__ codes, const u8 *__restrict__ scales, u32 columns

// Asks for stage `k_tile`: what lies beyond n or the rows comes as zeros. Scales of rows are all there, by `columns`.
template <int M_TILE> DEVICE void bring(u8* shared, const Part& of, X_PARAMETERS, u32 k_tile) {
    const u32 n_tiles = of.n_tiles(), k_tiles = of.k_tiles(), first_n_tile = of.first_output / TILE_OUTPUTS;
    for (u32 i = threadIdx.x; i < WEIGHT_STAGE / 16; i += 256) {
        const u32 n_tile = first_n_tile + i / 64;
        cp_async_16_or_zero(shared + i * 16, of.tiles + ((u64)n_tile * k_tiles + k_tile) * 64 + i % 64, n_tile < n_tiles);
    }
    shared += WEIGHT_STAGE;
    for (u32 i = threadIdx.x; i < SCALE_STAGE / 16; i += 256) {
        const u32 n_tile = first_n_tile + i / ROW_SCALES;
        cp_async_16_or_zero(shared + i * 16, of.tile_scales + (((u64)n_tile * k_tiles + k_tile) * ROW_SCALES + i % ROW_SCALES) * 16,
                            n_tile < n_tiles);
    }
    shared += SCALE_STAGE;
    for (u32 i = threadIdx.x; i < X_STAGE / 16; i += 256) {
        const u32 row = of.first_row + i / 4;
        cp_async_16_or_zero(shared + i * 16, codes + ((u64)row * k_tiles + k_tile) * 4 + i % 4, row < of.rows);
    }
    shared += X_STAGE;
    for (u32 i = threadIdx.x; i < X_SCALE_STAGE / 16; i += 256) {
        cp_async_16(shared + i * 16, scales + ((u64)k_tile * columns + of.first_row) * ROW_SCALES + i * 16);
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

template <int M_TILE> DEVICE void gemm(const Part& of, X_PARAMETERS) {
    SHARED_DYNAMIC(shared);
    float sums[2][COLUMNS][4] = {};
    ring<STAGES>(
        shared, STAGE_BYTES, of.k_tiles(), [&](u8* stage, u32 at) { bring<M_TILE>(stage, of, codes, scales, columns, at); },
        [&](const u8* stage, u32) { multiply<M_TILE>(stage, sums); });
    store_sums<M_TILE>(sums, of);
}

#if !EXPERTS
// y[rows, n] = x · Wᵀ.
extern "C" __global__ void __launch_bounds__(256, 1) gemm_fp4_32(PART_PARAMETERS, X_PARAMETERS) {
    gemm<32>(PART(32), codes, scales, columns);
}
extern "C" __global__ void __launch_bounds__(256, 1) gemm_fp4_128(PART_PARAMETERS, X_PARAMETERS) {
    gemm<128>(PART(128), codes, scales, columns);
}
#else
// The same for each expert's rows, M_TILE a tile of `table`.
template <int M_TILE> DEVICE void experts(const Part& of, X_PARAMETERS, const uint4* table) {
    const Segment segment = segment_of(table, blockIdx.y, M_TILE);
    if (segment.rows > 0) gemm<M_TILE>(of_expert(of, segment), codes, scales, columns);
}
extern "C" __global__ void __launch_bounds__(256, 1)
    experts_fp4_32(PART_PARAMETERS, X_PARAMETERS, const uint4* __restrict__ table) {
    experts<32>(PART(32), codes, scales, columns, table);
}
extern "C" __global__ void __launch_bounds__(256, 1)
    experts_fp4_128(PART_PARAMETERS, X_PARAMETERS, const uint4* __restrict__ table) {
    experts<128>(PART(128), codes, scales, columns, table);
}
#endif
