// The scales that rows of activations are rounded below, as kernels/src/format defines them: every step one correctly rounded f32 operation.
#pragma once
#include "convert.cuh"

#define INFINITE 0x7f800000u
// 2^-100: a group below it counts as zeros where its scale is a quotient.
#define NEGLIGIBLE __uint_as_float(27u << 23)

DEVICE u32 magnitude(float x) { return __float_as_uint(x) & 0x7fffffffu; }

// What codes are multiplied with, and what elements are multiplied with to become codes; an inverse of 0 makes them 0.
struct Scale {
    float value, inverse;
    // As it is stored, of the kinds that store a byte.
    u8 code;
};

DEVICE Scale int8_scale(u32 amax) {
    const float most = __uint_as_float(amax);
    if (amax >= INFINITE) return Scale{SPARK_NAN, 0.0f, 0};
    if (most < NEGLIGIBLE) return Scale{0.0f, 0.0f, 0};
    return Scale{__fdiv_rn(most, 127.0f), __fdiv_rn(127.0f, most), 0};
}
DEVICE Scale mxfp4_scale(u32 amax) {
    if (amax >= INFINITE) return Scale{SPARK_NAN, 0.0f, 0xff};
    const u32 code = amax >> 23 > 2 ? (amax >> 23) - 2 : 0;
    return Scale{e8m0_to_f32((u8)code), __uint_as_float((254 - code) << 23), (u8)code};
}
// The scale of a row of NVFP4, of its largest finite magnitude; and of a block below it.
DEVICE float nvfp4_row_scale(u32 amax) { return __uint_as_float(amax) < NEGLIGIBLE ? 1.0f : __fdiv_rn(__uint_as_float(amax), 2688.0f); }
DEVICE Scale nvfp4_scale(u32 amax, float row) {
    if (amax >= INFINITE) return Scale{SPARK_NAN, 0.0f, 0x7f};
    const u8 code = f32_to_e4m3(__fdiv_rn(__fdiv_rn(__uint_as_float(amax), 6.0f), row));
    const float value = e4m3_to_f32(code);
    return Scale{value, code == 0 ? 0.0f : __frcp_rn(__fmul_rn(value, row)), code};
}
DEVICE float fp8_row_scale(u32 amax) {
    if (amax >= INFINITE) return SPARK_NAN;
    return __uint_as_float(amax) < NEGLIGIBLE ? 1.0f : __fdiv_rn(__uint_as_float(amax), 448.0f);
}

// The N elements of a row of `k` from `e` on; beyond k there are zeros. Rows whose length is a multiple of 4 are aligned for vectors.
template <int N> DEVICE void elements(const float* row, u32 k, u32 e, float x[N]) {
    if (k % 4 == 0 && e + N <= k) {
#pragma unroll
        for (u32 i = 0; i < N; i += 4) {
            const float4 four = *(const float4*)(row + e + i);
            x[i] = four.x, x[i + 1] = four.y, x[i + 2] = four.z, x[i + 3] = four.w;
        }
    } else {
#pragma unroll
        for (u32 i = 0; i < N; i++) x[i] = e + i < k ? row[e + i] : 0.0f;
    }
}

// The bits of the largest magnitude of a row, by a whole block of threads, once a kernel; with FINITE only of its finite elements.
template <int N, bool FINITE> DEVICE u32 row_magnitude(const float* row, u32 k) {
    __shared__ u32 most;
    u32 amax = 0;
    if (threadIdx.x == 0) most = 0;
    __syncthreads();
    for (u32 e = threadIdx.x * N; e < k; e += blockDim.x * N) {
        float x[N];
        elements<N>(row, k, e, x);
#pragma unroll
        for (u32 i = 0; i < N; i++) {
            if (!FINITE || magnitude(x[i]) < INFINITE) amax = max(amax, magnitude(x[i]));
        }
    }
    amax = __reduce_max_sync(~0u, amax);
    if (lane_id() == 0) atomicMax(&most, amax);
    __syncthreads();
    return most;
}
