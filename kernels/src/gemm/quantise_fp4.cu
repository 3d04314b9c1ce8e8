// Rounds rows of activations to MXFP4 or NVFP4 and stores them as four-bit codes and byte scales, as the block-scaled tensor cores take them.
//
// One block a row: NVFP4 asks for the row's largest magnitude first. Bytes: 4 an element in, ½ and a sixteenth or eighth of that out;
// 1024 threads with 8 elements each take 8192 at once, at most 32 registers. Beside a gemv of n outputs it is 8 ÷ n of the traffic.
//
// FORMAT MXFP4 or NVFP4. Codes stand as weights do (tile.cuh, pack.cu with ORDERED): [row][k ÷ 128][lane t][block of 32][4 bytes]; scales
// [k ÷ 128][columns][4 or 8]. A row with an infinity or a NaN is NaN by its own scale.
#include "experts.cuh"
#include "round.cuh"
#include "tile.cuh"

#define THREADS 1024
#define EACH 8

// x: rows of k, the first ones or those that a table of experts' rows names (experts.cuh).
extern "C" __global__ void __launch_bounds__(THREADS)
    quantise_fp4(const float* x, u32 k, u32* codes, float* row_scales, u8* scales, u32 columns, const uint4* table, u32 height,
                 const u32* choices, u32 active) {
    const u32 row = blockIdx.x, padded = ceil_div(k, (u32)K_TILE) * K_TILE;
    const i64 from = row_of(row, table, height, choices, active);
    if (from < 0) return;
    x += from * k;
#if FORMAT == NVFP4
    const float whole = nvfp4_row_scale(row_magnitude<EACH, true>(x, k));
#else
    const float whole = 1.0f;
#endif
    int poisoned = 0;
    for (u32 first = 0; first < padded; first += THREADS * EACH) {
        const u32 e = first + threadIdx.x * EACH;
        const bool mine = e < padded;
        float values[EACH];
        elements<EACH>(x, mine ? k : 0, e, values);
        u32 amax = 0;
#pragma unroll
        for (u32 i = 0; i < EACH; i++) amax = max(amax, magnitude(values[i]));
#pragma unroll
        for (u32 far = 1; far < BLOCK / EACH; far *= 2) amax = max(amax, __shfl_xor_sync(~0u, amax, far));
#if FORMAT == NVFP4
        const Scale scale = nvfp4_scale(amax, whole);
#else
        const Scale scale = mxfp4_scale(amax);
#endif
        if (amax >= INFINITE) poisoned = 1;
#pragma unroll
        for (u32 i = 0; i < EACH; i++) values[i] = scale.inverse == 0.0f ? 0.0f : __fmul_rn(values[i], scale.inverse);
        if (!mine) continue;
        codes[((u64)row * padded + e - e % 128) / 8 + e % 32 / 8 * 4 + e % 128 / 32] = f32x8_to_e2m1x8(values);
        if (e % BLOCK == 0) scales[((u64)(e / 128) * columns + row) * ROW_SCALES + e % 128 / BLOCK] = amax >= INFINITE ? 0 : scale.code;
    }
    poisoned = __syncthreads_or(poisoned);
    if (threadIdx.x == 0) row_scales[row] = poisoned ? SPARK_NAN : whole;
}
