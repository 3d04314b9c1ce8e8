// Rows of f32 activations rounded as kernels/src/format defines it, bit for bit: one block a row.
//
// Bytes: x once or twice (the second time from L2), codes or floats once. The maximum of a row is one block reduction; groups of
// 16 or 32 along k are a thread each. Decode rounds a few rows of some thousand elements: bound by the launch.
#include "convert.cuh"
#include "weights.cuh"

// ACTIVATIONS, in the order of Activations::ALL.
#define A_F32 0
#define A_BF16 1
#define A_INT8 2
#define A_INT8G32 3
#define A_FP8 4
#define A_MXFP4 5
#define A_NVFP4 6

#define INFINITE 0x7f800000u
// 2^-100.
#define NEGLIGIBLE __uint_as_float(27u << 23)

// The larger over the block of integers, the same in every thread.
DEVICE u32 block_most(u32 value, u32* scratch) {
    value = __reduce_max_sync(~0u, value);
    __syncthreads();
    if (lane_id() == 0) scratch[warp_id()] = value;
    __syncthreads();
    return __reduce_max_sync(~0u, lane_id() < blockDim.x / 32 ? scratch[lane_id()] : 0u);
}

// Scale and inverse of it of int8 with that largest magnitude.
DEVICE float int8_scale(u32 most, float& inverse) {
    const float amax = __uint_as_float(most);
    inverse = 0.0f;
    if (most >= INFINITE) return SPARK_NAN;
    if (amax < NEGLIGIBLE) return 0.0f;
    inverse = __fdiv_rn(127.0f, amax);
    return __fdiv_rn(amax, 127.0f);
}
DEVICE i8 int8_code(float x, float inverse) {
    return inverse == 0.0f ? (i8)0 : (i8)(__float_as_uint(__fadd_rn(__fmul_rn(x, inverse), 12582912.0f)) - __float_as_uint(12582912.0f));
}

// codes: m × k int8, or floats: m × k, whichever the kind has; scales: a group's, m × k / group; row_scales: m.
extern "C" __global__ void round_rows(const float* x, i8* codes, float* floats, float* scales, float* row_scales, int k) {
    __shared__ u32 scratch[32];
    const int row = blockIdx.x;
    x += (size_t)row * k;
    codes += (size_t)row * k;
    floats += (size_t)row * k;
    float row_scale = 1.0f;
#if ACTIVATIONS == A_INT8 || ACTIVATIONS == A_FP8 || ACTIVATIONS == A_NVFP4
    // Magnitudes order like their bits, infinity above the finite ones and NaN above infinity.
    u32 most = 0;
    for (int i = threadIdx.x; i < k; i += blockDim.x) {
        const u32 bits = __float_as_uint(x[i]) & 0x7fffffffu;
        if (ACTIVATIONS != A_NVFP4 || bits < INFINITE) most = max(most, bits);
    }
    most = block_most(most, scratch);
#endif
#if ACTIVATIONS == A_F32 || ACTIVATIONS == A_BF16
    for (int i = threadIdx.x; i < k; i += blockDim.x) {
        floats[i] = ACTIVATIONS == A_BF16 ? bf16_to_f32(f32_to_bf16(x[i])) : x[i];
    }
#elif ACTIVATIONS == A_FP8
    const float amax = __uint_as_float(most);
    row_scale = most >= INFINITE ? SPARK_NAN : amax < NEGLIGIBLE ? 1.0f : __fdiv_rn(amax, 448.0f);
    for (int i = threadIdx.x; i < k; i += blockDim.x) {
        floats[i] = row_scale == row_scale ? e4m3_to_f32(f32_to_e4m3(__fdiv_rn(x[i], row_scale))) : 0.0f;
    }
#elif ACTIVATIONS == A_INT8
    float inverse;
    row_scale = int8_scale(most, inverse);
    for (int i = threadIdx.x; i < k; i += blockDim.x) codes[i] = int8_code(x[i], inverse);
#else
    const int group = ACTIVATIONS == A_NVFP4 ? 16 : 32;
    float tensor = 1.0f;
    if (ACTIVATIONS == A_NVFP4) {
#if ACTIVATIONS == A_NVFP4
        const float amax = __uint_as_float(most);
        tensor = amax < NEGLIGIBLE ? 1.0f : __fdiv_rn(amax, 2688.0f);
#endif
        row_scale = 0.5f * tensor;
    }
    if (ACTIVATIONS == A_MXFP4) row_scale = 0.5f;
    scales += (size_t)row * (k / group);
    for (int g = threadIdx.x; g < k / group; g += blockDim.x) {
        const float* part = x + g * group;
        u32 largest = 0;
        for (int i = 0; i < group; i++) largest = max(largest, __float_as_uint(part[i]) & 0x7fffffffu);
        float inverse = 0.0f, scale;
        if (ACTIVATIONS == A_INT8G32) {
            scale = int8_scale(largest, inverse);
        } else if (ACTIVATIONS == A_MXFP4) {
            const u32 exponent = largest >> 23, code = largest >= INFINITE ? 0xff : exponent > 2 ? exponent - 2 : 0;
            scale = e8m0_to_f32((u8)code);
            if (code != 0xff) inverse = __uint_as_float((254 - code) << 23);
        } else {
            const u8 code = largest >= INFINITE ? 0x7f : f32_to_e4m3(__fdiv_rn(__fdiv_rn(__uint_as_float(largest), 6.0f), tensor));
            scale = e4m3_to_f32(code);
            if (code != 0 && code != 0x7f) inverse = __fdiv_rn(1.0f, __fmul_rn(scale, tensor));
        }
        scales[g] = scale;
        for (int i = 0; i < group; i++) {
            i8& code = codes[g * group + i];
            if (ACTIVATIONS == A_INT8G32) code = int8_code(part[i], inverse);
            else code = inverse == 0.0f ? (i8)0 : (i8)e2m1_twice(f32_to_e2m1(__fmul_rn(part[i], inverse)));
        }
    }
#endif
    if (threadIdx.x == 0) row_scales[row] = row_scale;
}
