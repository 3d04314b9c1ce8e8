// Many rows of activations as integers times FP4, Q8_0 or Q4_0 weights, on the int8 tensor cores of sm_80 and later: prefill.
//
// A block of 8 warps makes 128 outputs × M_TILE rows, a warp 32 × M_TILE ÷ 2. Weights are the left operand of m16n8k32, unpacked to int8 in
// registers (5.5 integer instructions for 4 elements, shared by all the rows of the warp's tile); the int32 sum of a block of weights is exact,
// becomes f32 without a conversion (tile.cuh) and is scaled by one subtraction and one multiply-add an element. That scaling, not the
// tensor cores, is what bounds it where they are fast: 128 · 128 · 32 products take 128 instructions of 4096 products and 256 cycles of
// the f32 units, 2048 products a cycle and SM (H200: 0.94 PFLOP/s); sm_121's tensor cores do 1024.
// Occupancy: STAGES = 3 stages of 25 KiB at M_TILE = 128 (FP4; Q8_0: 33 KiB) in shared memory, below the 99 KiB a block of sm_12x may have;
// at most 128 registers (GROUPED: more), so that two blocks share an SM where shared memory allows (H200), one on sm_12x.
// Bytes: a block reads its weights once for M_TILE rows and its rows once for 128 outputs: n·k/2 · m/128 + m·k · n/128, mostly from L2.
//
// FORMAT as in tile.cuh; GROUPED = 1 where activations carry a scale for each block of weights; M_TILE is 32 or 128.
#define FLOATING 0
#include "mma.cuh"
#include "stage.cuh"

#define STAGES 3
// Column tiles of a warp, and elements along k in 16 bytes a lane.
#define COLUMNS (M_TILE / 16)
#define QUARTER_K 64
#define QUARTERS (STAGE_K / QUARTER_K)
// Blocks of weights in them.
#define QUARTER_BLOCKS (QUARTER_K / BLOCK)

DEVICE float sum_of(i32 bits) {
#if FORMAT == MXFP4 || FORMAT == NVFP4
    return fmaf(__int_as_float(bits), 0.5f, -0.5f * SUM_BASE);
#else
    return __int_as_float(bits) - SUM_BASE;
#endif
}

// The left operand of block `b` of 64 elements along k; `upper` and `lower` are the words of outputs g and g + 8 that hold them.
DEVICE void left(const u32* upper, const u32* lower, u32 b, u32 a[4]) {
#if FORMAT == MXFP4
    e2m1x8_twice(upper[b], a[0], a[2]);
    e2m1x8_twice(lower[b], a[1], a[3]);
#elif FORMAT == NVFP4
    const u32 shift = 16 * (b % 2), g = upper[b / 2] >> shift, g8 = lower[b / 2] >> shift;
    a[0] = e2m1x4_twice(g, g & 0x7777u), a[1] = e2m1x4_twice(g8, g8 & 0x7777u);
    a[2] = a[3] = 0;
#elif FORMAT == Q4_0
    a[0] = q4x4_less_8(upper[b]), a[2] = q4x4_less_8(upper[b] >> 4);
    a[1] = q4x4_less_8(lower[b]), a[3] = q4x4_less_8(lower[b] >> 4);
#else
    a[0] = upper[2 * b], a[2] = upper[2 * b + 1], a[1] = lower[2 * b], a[3] = lower[2 * b + 1];
#endif
}

// The scale of block `b` of 64 elements, of the bytes of one output in one tile.
DEVICE float scale_at(const u8* of, u32 quarter, u32 b) {
#if ROW_SCALES == 8
    return scale(*(const uint2*)of, quarter * QUARTER_BLOCKS + b);
#else
    return scale(*(const u32*)of, (K_TILE == 128 ? quarter * QUARTER_BLOCKS : 0) + b);
#endif
}

template <int M_TILE>
DEVICE void multiply(const u8* shared, const float* x_scales, u32 columns, u32 first_block, u32 first_row, float sums[2][COLUMNS][4]) {
    const u32 lane = lane_id(), g = lane / 4, t = lane % 4, n_warp = warp_id() % 4, m_warp = warp_id() / 4;
    const u8 *scales = shared + WEIGHT_STAGE, *x = scales + SCALE_STAGE;
#pragma unroll
    for (u32 quarter = 0; quarter < QUARTERS; quarter++) {
        u32 a[2][QUARTER_BLOCKS][4];
        float scale_g[2][QUARTER_BLOCKS], scale_g8[2][QUARTER_BLOCKS];
#pragma unroll
        for (u32 i = 0; i < 2; i++) {
            const u32 tile = (2 * n_warp + i) * K_TILES + (K_TILE == 128 ? 0 : quarter);
            const u8* at = shared + tile * TILE_BYTES + lane * 16 + (K_TILE == 128 ? quarter * 8 : 0);
#if K_TILE == 128
            const uint2 u = *(const uint2*)at, l = *(const uint2*)(at + 512);
            const u32 upper[2] = {u.x, u.y}, lower[2] = {l.x, l.y};
#else
            const uint4 u = chunk_of(at), l = chunk_of(at + 512);
            const u32 upper[4] = {u.x, u.y, u.z, u.w}, lower[4] = {l.x, l.y, l.z, l.w};
#endif
#pragma unroll
            for (u32 b = 0; b < QUARTER_BLOCKS; b++) {
                left(upper, lower, b, a[i][b]);
                scale_g[i][b] = scale_at(scales + (tile * 16 + g) * ROW_SCALES, quarter, b);
                scale_g8[i][b] = scale_at(scales + (tile * 16 + g + 8) * ROW_SCALES, quarter, b);
            }
        }
#pragma unroll
        for (u32 j = 0; j < COLUMNS; j++) {
            const u32 row = (m_warp * COLUMNS + j) * 8 + g;
            const uint4 four = chunk_of(x + x_chunk(row, K_TILE == 128 ? 2 * t + quarter : 4 * quarter + t));
            const u32 words[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
            for (u32 b = 0; b < QUARTER_BLOCKS; b++) {
#if FORMAT == NVFP4
                const u32 right[2] = {words[b], 0};
#else
                const u32 right[2] = {words[2 * b], words[2 * b + 1]};
#endif
#if GROUPED
                const u64 at = (u64)(first_block + quarter * QUARTER_BLOCKS + b) * columns + first_row + (m_warp * COLUMNS + j) * 8 + 2 * t;
                const float2 of_x = __ldg((const float2*)(x_scales + at));
#endif
#pragma unroll
                for (u32 i = 0; i < 2; i++) {
                    i32 c[4] = {SUM_BITS, SUM_BITS, SUM_BITS, SUM_BITS};
                    mma_s8(c, a[i][b], right);
                    float* sum = sums[i][j];
#if GROUPED
                    sum[0] = fmaf(sum_of(c[0]) * scale_g[i][b], of_x.x, sum[0]);
                    sum[1] = fmaf(sum_of(c[1]) * scale_g[i][b], of_x.y, sum[1]);
                    sum[2] = fmaf(sum_of(c[2]) * scale_g8[i][b], of_x.x, sum[2]);
                    sum[3] = fmaf(sum_of(c[3]) * scale_g8[i][b], of_x.y, sum[3]);
#else
                    sum[0] = fmaf(sum_of(c[0]), scale_g[i][b], sum[0]);
                    sum[1] = fmaf(sum_of(c[1]), scale_g[i][b], sum[1]);
                    sum[2] = fmaf(sum_of(c[2]), scale_g8[i][b], sum[2]);
                    sum[3] = fmaf(sum_of(c[3]), scale_g8[i][b], sum[3]);
#endif
                }
            }
        }
    }
}

// y[rows, n] = x · Wᵀ: block (i, j) makes outputs 128i … and rows M_TILE·j …. `columns` is a multiple of M_TILE.
template <int M_TILE>
DEVICE void gemm(const uint4* __restrict__ tiles, const u8* __restrict__ tile_scales, const float* __restrict__ factors,
            const float* __restrict__ bias, const u8* __restrict__ codes, const float* __restrict__ row_scales,
            const float* __restrict__ x_scales, u32 columns, float* y, u32 rows, u32 n, u32 k) {
    SHARED_DYNAMIC(shared);
    const u32 n_tiles = ceil_div(n, 16u), k_tiles = ceil_div(k, (u32)K_TILE), stages = ceil_div(k_tiles, (u32)K_TILES);
    const u32 first_n_tile = blockIdx.x * N_TILES, first_row = blockIdx.y * M_TILE;
    float sums[2][COLUMNS][4] = {};
#pragma unroll
    for (u32 stage = 0; stage < STAGES - 1; stage++) {
        if (stage < stages) {
            bring<M_TILE>(shared + stage * STAGE_BYTES, tiles, tile_scales, codes, n_tiles, k_tiles, first_n_tile, first_row, rows, stage);
        }
        cp_async_commit();
    }
    for (u32 stage = 0; stage < stages; stage++) {
        cp_async_wait<STAGES - 2>();
        // Everybody's part of this stage is there, and everybody is done with the one that is overwritten next.
        __syncthreads();
        const u32 ahead = stage + STAGES - 1;
        if (ahead < stages) {
            bring<M_TILE>(shared + ahead % STAGES * STAGE_BYTES, tiles, tile_scales, codes, n_tiles, k_tiles, first_n_tile, first_row, rows, ahead);
        }
        cp_async_commit();
        multiply<M_TILE>(shared + stage % STAGES * STAGE_BYTES, x_scales, columns, stage * STAGE_K / BLOCK, first_row, sums);
    }
    const u32 g = lane_id() / 4, t = lane_id() % 4, n_warp = warp_id() % 4, m_warp = warp_id() / 4;
#pragma unroll
    for (u32 i = 0; i < 2; i++) {
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            const u32 output = (first_n_tile + 2 * n_warp + i) * 16 + 8 * half + g;
            if (output >= n) continue;
            const float factor = factors[output], add = bias ? bias[output] : 0.0f;
#pragma unroll
            for (u32 j = 0; j < COLUMNS; j++) {
#pragma unroll
                for (u32 c = 0; c < 2; c++) {
                    const u32 row = first_row + (m_warp * COLUMNS + j) * 8 + 2 * t + c;
                    if (row < rows) y[(u64)row * n + output] = sums[i][j][2 * half + c] * row_scales[row] * factor + add;
                }
            }
        }
    }
}

extern "C" __global__ void __launch_bounds__(256, 2)
    gemm_integer_32(const uint4* __restrict__ tiles, const u8* __restrict__ tile_scales, const float* __restrict__ factors,
        const float* __restrict__ bias, const u8* __restrict__ codes, const float* __restrict__ row_scales,
        const float* __restrict__ x_scales, u32 columns, float* y, u32 rows, u32 n, u32 k) {
    gemm<32>(tiles, tile_scales, factors, bias, codes, row_scales, x_scales, columns, y, rows, n, k);
}

extern "C" __global__ void __launch_bounds__(256, GROUPED ? 1 : 2)
    gemm_integer_128(const uint4* __restrict__ tiles, const u8* __restrict__ tile_scales, const float* __restrict__ factors,
        const float* __restrict__ bias, const u8* __restrict__ codes, const float* __restrict__ row_scales,
        const float* __restrict__ x_scales, u32 columns, float* y, u32 rows, u32 n, u32 k) {
    gemm<128>(tiles, tile_scales, factors, bias, codes, row_scales, x_scales, columns, y, rows, n, k);
}
