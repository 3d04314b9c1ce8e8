// What stands round a product of cuBLASLt: NVFP4 laid out as the library takes it, and the scales and biases that it does not apply.
//
// NVFP4 is two codes a byte along k, rows of k in whole 64, and a UE4M3 for each 16 of them in tiles of 128 rows × 4: row r and block b of a
// tile stand at r mod 32 · 16 + r ÷ 32 · 4 + b, tiles of a row of them one after another (cuBLAS, "1D Block Scaling Factors Layout").
// Bytes: weights once, when prepared; of a call x once or twice and a sixth of it out, and where there are outer scales y once more, in and out:
// 8 ÷ k of the product's traffic with the weights at few rows. Occupancy: up to 1024 threads, 32 registers, no shared memory to speak of.
#define FORMAT 1
#include "round.cuh"
#include "tile.cuh"

DEVICE u64 scale_place(u32 row, u32 block, u32 blocks) {
    return ((u64)(row / 128) * (blocks / 4) + block / 4) * 512 + row % 32 * 16 + row % 128 / 32 * 4 + block % 4;
}

// One block of threads for each row, those of a last part tile too: rows' codes, scales and factors. `given` is the tensor's scale. A row with a
// scale that is NaN is NaN by its factor.
extern "C" __global__ void __launch_bounds__(256)
    pack_nvfp4(const u8* weights, u64 row_bytes, u32 n, u32 k, const float* given, u8* codes, u8* scales, float* factors) {
    const u32 row = blockIdx.x, blocks = ceil_div(k, 64u) * 4;
    const u8* from = weights + row * row_bytes;
    int poisoned = 0;
    for (u32 block = threadIdx.x; block < blocks; block += 256) {
        const bool there = row < n && block < k / 16;
        const u8* at = from + (u64)block * BLOCK_BYTES;
        const u8 scale = there ? at[0] : 0;
        const bool nan = (scale & 0x7f) == 0x7f;
        poisoned |= nan;
        scales[scale_place(row, block, blocks)] = nan ? 0 : scale & 0x7f;
        if (row >= n) continue;
        // The sign of a scale becomes that of its elements.
        const u8 sign = scale & 0x80 ? 0x88 : 0;
        for (u32 i = 0; i < 8; i++) codes[((u64)row * blocks + block) * 8 + i] = there ? at[1 + i] ^ sign : 0;
    }
    poisoned = __syncthreads_or(poisoned);
    if (threadIdx.x == 0 && row < n) factors[row] = poisoned ? SPARK_NAN : given[0];
}

// Rounds a row of x to NVFP4: one block a row, a thread for 16 elements at a time. Rows with an infinity or a NaN are NaN by their scale.
extern "C" __global__ void __launch_bounds__(512) round_nvfp4(const float* x, u32 k, u8* codes, u8* scales, float* row_scales) {
    const u32 row = blockIdx.x, blocks = ceil_div(k, 64u) * 4;
    x += (u64)row * k;
    const float whole = nvfp4_row_scale(row_magnitude<16, true>(x, k));
    int poisoned = 0;
    for (u32 block = threadIdx.x; block < blocks; block += 512) {
        float values[16];
        elements<16>(x, k, block * 16, values);
        u32 amax = 0;
#pragma unroll
        for (u32 i = 0; i < 16; i++) amax = max(amax, magnitude(values[i]));
        const Scale scale = nvfp4_scale(amax, whole);
        poisoned |= amax >= INFINITE;
#pragma unroll
        for (u32 i = 0; i < 16; i++) values[i] = scale.inverse == 0.0f ? 0.0f : __fmul_rn(values[i], scale.inverse);
        const uint2 words = make_uint2(f32x8_to_e2m1x8(values), f32x8_to_e2m1x8(values + 8));
        ((uint2*)codes)[(u64)row * blocks + block] = words;
        scales[scale_place(row, block, blocks)] = amax >= INFINITE ? 0 : scale.code;
    }
    poisoned = __syncthreads_or(poisoned);
    if (threadIdx.x == 0) row_scales[row] = poisoned ? SPARK_NAN : whole;
}

// y of `rows` rows: times the scale of its row and the factor of its output, plus the bias, if there is one. A thread an element, outputs in x.
extern "C" __global__ void __launch_bounds__(256)
    scale_outputs(float* y, const float* row_scales, const float* factors, const float* bias, u32 n) {
    const u32 output = blockIdx.x * 256 + threadIdx.x, row = blockIdx.y;
    if (output >= n) return;
    float* at = y + (u64)row * n + output;
    *at = *at * row_scales[row] * factors[output] + (bias ? bias[output] : 0.0f);
}
