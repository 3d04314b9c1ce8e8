// Many rows of activations as integers times FP4, Q8_0 or Q4_0 weights, on the int8 tensor cores of sm_80 and later: prefill.
//
// A block of 8 warps makes 128 outputs × M_TILE rows, a warp 32 × M_TILE ÷ 2. Weights are the left operand of m16n8k32, unpacked to int8 in
// registers (5.5 integer instructions for 4 elements, shared by all the rows of the warp's tile); the int32 sum of a block of weights is exact,
// becomes f32 without a conversion (tile.cuh) and is scaled by one subtraction and one multiply-add an element. That scaling, not the
// tensor cores, is what bounds it where they are fast: 128 · 128 · 32 products take 128 instructions of 4096 products and 256 cycles of
// the f32 units, 2048 products a cycle and SM (H200: 0.94 PFLOP/s); sm_121's tensor cores do 1024.
// Occupancy: STAGES = 3 stages of 25 KiB at M_TILE = 128 (FP4; Q8_0: 33 KiB) in shared memory, below the 99 KiB a block of sm_12x may have;
// M_TILE = 32 takes at most 128 registers, so that two blocks share an SM (GROUPED: more, one block); 128 takes up to 255, one block: at 128 it
// spilled 112 bytes. Where GROUPED it spills up to 96 still (kernels/tests/nvrtc/snapshot).
// Bytes: a block reads its weights once for M_TILE rows and its rows once for 128 outputs: n·k/2 · m/128 + m·k · n/128, mostly from L2.
//
// FORMAT as in tile.cuh; GROUPED = 1 where activations carry a scale for each block of weights; M_TILE is 32 or 128.
// EXPERTS = 1: its functions over tiles of experts' rows (experts.cuh), in place of those over one matrix.
#define FLOATING 0
#include "mma.cuh"
#include "stage.cuh"

#define STAGES 3
// Elements along k in 16 bytes a lane.
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

// Activations: codes, and where GROUPED scales, [block of weights][columns]; `columns` is a multiple of M_TILE.
#define X_PARAMETERS const u8 *__restrict__ codes, const float *__restrict__ x_scales, u32 columns

template <int M_TILE> DEVICE void gemm(const Part& of, X_PARAMETERS) {
    SHARED_DYNAMIC(shared);
    float sums[2][COLUMNS][4] = {};
    ring<STAGES>(
        shared, STAGE_BYTES, ceil_div(of.k_tiles(), (u32)K_TILES), [&](u8* stage, u32 at) { bring<M_TILE>(stage, of, codes, at); },
        [&](const u8* stage, u32 at) { multiply<M_TILE>(stage, x_scales, columns, at * STAGE_K / BLOCK, of.first_row, sums); });
    store_sums<M_TILE>(sums, of);
}

#if !EXPERTS
// y[rows, n] = x · Wᵀ.
extern "C" __global__ void __launch_bounds__(256, GROUPED ? 1 : 2) gemm_integer_32(PART_PARAMETERS, X_PARAMETERS) {
    gemm<32>(PART(32), codes, x_scales, columns);
}
extern "C" __global__ void __launch_bounds__(256, 1) gemm_integer_128(PART_PARAMETERS, X_PARAMETERS) {
    gemm<128>(PART(128), codes, x_scales, columns);
}
#else
// The same for each expert's rows, M_TILE a tile of `table`.
template <int M_TILE> DEVICE void experts(const Part& of, X_PARAMETERS, const uint4* table) {
    const Segment segment = segment_of(table, blockIdx.y, M_TILE);
    if (segment.rows > 0) gemm<M_TILE>(of_expert(of, segment), codes, x_scales, columns);
}
extern "C" __global__ void __launch_bounds__(256, GROUPED ? 1 : 2)
    experts_integer_32(PART_PARAMETERS, X_PARAMETERS, const uint4* __restrict__ table) {
    experts<32>(PART(32), codes, x_scales, columns, table);
}
extern "C" __global__ void __launch_bounds__(256, 1)
    experts_integer_128(PART_PARAMETERS, X_PARAMETERS, const uint4* __restrict__ table) {
    experts<128>(PART(128), codes, x_scales, columns, table);
}
#endif
