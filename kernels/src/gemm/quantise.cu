// Rounds rows of activations as a gemm's `activations` axis defines it, bit for bit, and lays them out as tiles of weights want them.
//
// One block a row: the largest magnitude first (where a scale of the whole row hangs on it), then the codes; the second reading
// finds the row in L1. Bytes: 4 an element in, 1 (of 16-bit kinds 2) out; 1024 threads with 4 or 8 elements each take 8192 elements at
// once, 32 registers, 128 bytes of shared memory. Beside a gemv of n outputs it is 8 ÷ n of the traffic: its cost is a launch.
//
// ACTIVATIONS: 1 bf16, 2 int8, 3 int8g32, 4 fp8, 5 mxfp4, 6 nvfp4. FORMAT, of the weights, says in what order codes stand (tile.cuh).
// Every step of the definition is one correctly rounded f32 operation; none is contracted into another.
#include "convert.cuh"
#include "tile.cuh"

#define BF16_ACTIVATIONS (ACTIVATIONS == 1)
#define FP8_ACTIVATIONS (ACTIVATIONS == 4)
#define INTEGER (!BF16_ACTIVATIONS && !FP8_ACTIVATIONS)
// Elements that share a scale along k; lanes that hold them.
#define SHARED (ACTIVATIONS == 3 || ACTIVATIONS == 5 ? 32 : ACTIVATIONS == 6 ? 16 : 0)
#define SHARED_LANES (SHARED / GROUP)
#define GROUPED (SHARED > 0)
#define OF_THE_ROW (ACTIVATIONS == 2 || ACTIVATIONS == 4 || ACTIVATIONS == 6)

#define THREADS 1024
#define INFINITE 0x7f800000u
// 2^-100: a group below it counts as zeros where its scale is a quotient.
#define NEGLIGIBLE __uint_as_float(27u << 23)

DEVICE u32 magnitude(float x) { return __float_as_uint(x) & 0x7fffffffu; }

// The eight (four) elements from `e` on; beyond k there are zeros.
DEVICE void elements(const float* row, u32 k, u32 e, float x[GROUP]) {
    if (k % 4 == 0 && e + GROUP <= k) {
#pragma unroll
        for (u32 i = 0; i < GROUP; i += 4) {
            float4 four = *(const float4*)(row + e + i);
            x[i] = four.x, x[i + 1] = four.y, x[i + 2] = four.z, x[i + 3] = four.w;
        }
    } else {
#pragma unroll
        for (u32 i = 0; i < GROUP; i++) x[i] = e + i < k ? row[e + i] : 0.0f;
    }
}

// Nearest integer of |y| < 2^22, ties to even: the addition rounds.
DEVICE i32 nearest(float y) { return __float_as_int(__fadd_rn(y, SUM_BASE)) - SUM_BITS; }

// Twice the value of E2M1 nearest to x, ties to the even code, saturating at 12.
DEVICE i32 e2m1_twice(float x) {
    float a = fminf(fabsf(x), 6.0f);
    u32 octave = max(__float_as_uint(a), 0x3f800000u) & 0x7f800000u;
    float align = __uint_as_float(octave + (22u << 23));
    float twice = 2.0f * __fadd_rn(__fadd_rn(a, align), -align);
    return x < 0.0f ? -(i32)twice : (i32)twice;
}

struct Scale {
    // What codes are multiplied with, and what elements are multiplied with (of fp8: divided by) to become codes; 0 makes them 0.
    float value, inverse;
};

#if ACTIVATIONS == 2 || ACTIVATIONS == 3
DEVICE Scale scale_of(u32 amax, float) {
    float most = __uint_as_float(amax);
    if (amax >= INFINITE) return Scale{SPARK_NAN, 0.0f};
    if (most < NEGLIGIBLE) return Scale{0.0f, 0.0f};
    return Scale{__fdiv_rn(most, 127.0f), __fdiv_rn(127.0f, most)};
}
#elif ACTIVATIONS == 5
DEVICE Scale scale_of(u32 amax, float) {
    if (amax >= INFINITE) return Scale{SPARK_NAN, 0.0f};
    u32 code = amax >> 23 > 2 ? (amax >> 23) - 2 : 0;
    return Scale{e8m0_to_f32((u8)code), __uint_as_float((254 - code) << 23)};
}
#elif ACTIVATIONS == 6
DEVICE Scale scale_of(u32 amax, float row) {
    if (amax >= INFINITE) return Scale{SPARK_NAN, 0.0f};
    u8 code = f32_to_e4m3(__fdiv_rn(__fdiv_rn(__uint_as_float(amax), 6.0f), row));
    float value = e4m3_to_f32(code);
    return Scale{value, code == 0 ? 0.0f : __frcp_rn(__fmul_rn(value, row))};
}
#endif

// x: rows of k. codes: rows of whole tiles, in bytes (of 16-bit kinds pairs of them). row_scales: one a row, `factor` in it.
// starts: [block along k][columns], what the integer sums of a block start with; scales: likewise, f32, of kinds with groups.
extern "C" __global__ void __launch_bounds__(THREADS)
    quantise_rows(const float* x, u32 k, u8* codes, float* row_scales, i32* starts, float* scales, u32 columns) {
    __shared__ u32 most;
    const u32 row = blockIdx.x, k_tiles = ceil_div(k, (u32)K_TILE), groups = k_tiles * (K_TILE / GROUP);
    x += (u64)row * k;
    float values[GROUP];
#if OF_THE_ROW
    u32 amax = 0;
    if (threadIdx.x == 0) most = 0;
    __syncthreads();
    for (u32 group = threadIdx.x; group < groups; group += THREADS) {
        elements(x, k, group * GROUP, values);
#pragma unroll
        for (u32 i = 0; i < GROUP; i++) {
#if ACTIVATIONS == 6
            // The row's scale is made of its finite elements.
            if (magnitude(values[i]) < INFINITE)
#endif
                amax = max(amax, magnitude(values[i]));
        }
    }
    amax = __reduce_max_sync(~0u, amax);
    if (lane_id() == 0) atomicMax(&most, amax);
    __syncthreads();
    amax = most;
#endif
#if ACTIVATIONS == 2
    const Scale of_row = scale_of(amax, 1.0f);
    const float row_scale = of_row.value;
#elif ACTIVATIONS == 4
    const float row_scale = amax >= INFINITE ? SPARK_NAN : __uint_as_float(amax) < NEGLIGIBLE ? 1.0f : __fdiv_rn(__uint_as_float(amax), 448.0f);
#elif ACTIVATIONS == 6
    const float of_row = __uint_as_float(amax) < NEGLIGIBLE ? 1.0f : __fdiv_rn(__uint_as_float(amax), 2688.0f);
    // The codes are twice the values.
    const float row_scale = 0.5f * of_row;
#elif ACTIVATIONS == 5
    const float row_scale = 0.5f;
#else
    const float row_scale = 1.0f;
#endif
    if (threadIdx.x == 0) row_scales[row] = row_scale;
    // Whole warps go round together, since lanes ask each other.
    for (u32 first = 0; first < groups; first += THREADS) {
        const u32 group = first + threadIdx.x, e = group * GROUP;
        const bool mine = group < groups;
        elements(x, mine ? k : 0, e, values);
#if BF16_ACTIVATIONS || FP8_ACTIVATIONS
        if (!mine) continue;
#if BF16_ACTIVATIONS
        u16* out = (u16*)codes + (u64)row * k_tiles * K_TILE + x_place(e);
#pragma unroll
        for (u32 i = 0; i < GROUP; i += 2) *(u32*)(out + i) = f32x2_to_bf16x2(values[i], values[i + 1]);
#elif AS_F16
        // Every E4M3 is exact in f16.
        u16* out = (u16*)codes + (u64)row * k_tiles * K_TILE + x_place(e);
#pragma unroll
        for (u32 i = 0; i < GROUP; i++) {
            out[i] = f32_to_f16(row_scale < SPARK_INF ? e4m3_to_f32(f32_to_e4m3(__fdiv_rn(values[i], row_scale))) : 0.0f);
        }
#else
        u8* out = codes + (u64)row * k_tiles * K_TILE + x_place(e);
#pragma unroll
        for (u32 i = 0; i < GROUP; i++) out[i] = row_scale < SPARK_INF ? f32_to_e4m3(__fdiv_rn(values[i], row_scale)) : 0;
#endif
#else
#if GROUPED
        u32 amax = 0;
#pragma unroll
        for (u32 i = 0; i < GROUP; i++) amax = max(amax, magnitude(values[i]));
#pragma unroll
        for (u32 far = 1; far < SHARED_LANES; far *= 2) amax = max(amax, __shfl_xor_sync(~0u, amax, far));
#if ACTIVATIONS == 6
        const Scale scale = scale_of(amax, of_row);
#else
        const Scale scale = scale_of(amax, 1.0f);
#endif
#else
        const Scale scale = of_row;
#endif
        i32 sum = 0;
        u32 words[GROUP / 4] = {};
#pragma unroll
        for (u32 i = 0; i < GROUP; i++) {
#if ACTIVATIONS == 5 || ACTIVATIONS == 6
            i32 code = scale.inverse == 0.0f ? 0 : e2m1_twice(__fmul_rn(values[i], scale.inverse));
#else
            i32 code = scale.inverse == 0.0f ? 0 : nearest(__fmul_rn(values[i], scale.inverse));
#endif
            sum += code;
            words[i / 4] |= ((u32)code & 0xff) << 8 * (i % 4);
        }
        // The four lanes of a block.
        sum += __shfl_xor_sync(~0u, sum, 1);
        sum += __shfl_xor_sync(~0u, sum, 2);
        if (!mine) continue;
        u32* out = (u32*)(codes + (u64)row * k_tiles * K_TILE + x_place(e));
#pragma unroll
        for (u32 i = 0; i < GROUP / 4; i++) out[i] = words[i];
        if (group % 4 == 0) {
            const u64 at = (u64)(e / BLOCK) * columns + row;
#if OFFSET > 0
            starts[at] = SUM_BITS - OFFSET * sum;
#endif
#if GROUPED
            scales[at] = scale.value;
#endif
        }
#endif
    }
}
