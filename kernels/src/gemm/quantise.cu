// Rounds rows of activations as a gemm's `activations` axis defines it, bit for bit, and lays them out as tiles of weights want them.
//
// One block a row: the largest magnitude first (where a scale of the whole row hangs on it), then the codes; the second reading
// finds the row in L1. Bytes: 4 an element in, 1 (of 16-bit kinds 2) out; 1024 threads with 4 or 8 elements each take 8192 elements at
// once, at most 32 registers, no shared memory to speak of. Beside a gemv of n outputs it is 8 ÷ n of the traffic: its cost is a launch.
//
// ACTIVATIONS: 1 bf16, 2 int8, 3 int8g32, 4 fp8, 5 mxfp4, 6 nvfp4. FORMAT, of the weights, says in what order codes stand (tile.cuh).
// AS_F16 = 1 stores fp8 as f16, which holds each E4M3 exactly; FP4 is stored as twice its value.
#include "experts.cuh"
#include "round.cuh"
#include "tile.cuh"

#define FLOATS (ACTIVATIONS == 1 || ACTIVATIONS == 4)
// Elements that share a scale along k, if any do.
#define SHARED (ACTIVATIONS == 3 || ACTIVATIONS == 5 ? 32 : ACTIVATIONS == 6 ? 16 : 0)
#define GROUPED (SHARED > 0)
#define THREADS 1024

#if !FLOATS
// Nearest integer of |y| < 2^22, ties to even: the addition rounds.
DEVICE i32 nearest(float y) { return __float_as_int(__fadd_rn(y, SUM_BASE)) - SUM_BITS; }

// Twice the value of E2M1 nearest to x, ties to the even code, saturating at 12.
DEVICE i32 e2m1_twice(float x) {
    const float a = fminf(fabsf(x), 6.0f);
    // Elements step by ½ below 2, by 1 below 4, by 2 above: so does the last place of 2^22 times the octave.
    const u32 octave = max(__float_as_uint(a), 0x3f800000u) & 0x7f800000u;
    const float align = __uint_as_float(octave + (22u << 23)), twice = 2.0f * __fadd_rn(__fadd_rn(a, align), -align);
    return x < 0.0f ? -(i32)twice : (i32)twice;
}

DEVICE i32 code_of(float x, const Scale& scale) {
    if (scale.inverse == 0.0f) return 0;
    return ACTIVATIONS == 5 || ACTIVATIONS == 6 ? e2m1_twice(__fmul_rn(x, scale.inverse)) : nearest(__fmul_rn(x, scale.inverse));
}
#else
// GROUP elements as they are stored, from `place` of the row on; the row's scale counts for fp8.
DEVICE void store(u8* codes, u64 place, const float x[GROUP], float row_scale) {
#pragma unroll
    for (u32 i = 0; i < GROUP; i += 2) {
#if ACTIVATIONS == 1
        *(u32*)(codes + 2 * (place + i)) = f32x2_to_bf16x2(x[i], x[i + 1]);
#else
        float two[2] = {};
        // Below a scale that is NaN elements are 0.
        if (row_scale < SPARK_INF) two[0] = __fdiv_rn(x[i], row_scale), two[1] = __fdiv_rn(x[i + 1], row_scale);
        const u16 pair = f32x2_to_e4m3x2(two[0], two[1]);
#if AS_F16
        *(u32*)(codes + 2 * (place + i)) = e4m3x2_to_f16x2(pair);
#else
        *(u16*)(codes + place + i) = pair;
#endif
#endif
    }
}
#endif

// x: rows of k, the first ones or those that a table of experts' rows names (experts.cuh). codes: rows of whole tiles. row_scales: one a row.
// starts: [block along k][columns], what the integer sums of a block start with; scales: likewise, f32, of kinds with groups.
extern "C" __global__ void __launch_bounds__(THREADS)
    quantise_rows(const float* x, u32 k, u8* codes, float* row_scales, i32* starts, float* scales, u32 columns, const uint4* table, u32 height,
                  const u32* choices, u32 active) {
    const u32 row = blockIdx.x, padded = ceil_div(k, (u32)K_TILE) * K_TILE;
    const i64 from = row_of(row, table, height, choices, active);
    if (from < 0) return;
    x += from * k;
#if ACTIVATIONS == 2
    const Scale whole = int8_scale(row_magnitude<GROUP, false>(x, k));
    const float row_scale = whole.value;
#elif ACTIVATIONS == 4
    const float row_scale = fp8_row_scale(row_magnitude<GROUP, false>(x, k));
#elif ACTIVATIONS == 6
    const float whole = nvfp4_row_scale(row_magnitude<GROUP, true>(x, k)), row_scale = 0.5f * whole;
#else
    const float row_scale = ACTIVATIONS == 5 ? 0.5f : 1.0f;
#endif
    if (threadIdx.x == 0) row_scales[row] = row_scale;
    // Whole warps go round together, since lanes ask each other.
    for (u32 first = 0; first < padded; first += THREADS * GROUP) {
        const u32 e = first + threadIdx.x * GROUP;
        const bool mine = e < padded;
        const u64 place = (u64)row * padded + x_place(e);
        float values[GROUP];
        elements<GROUP>(x, mine ? k : 0, e, values);
#if FLOATS
        if (mine) store(codes, place, values, row_scale);
#else
#if GROUPED
        u32 amax = 0;
#pragma unroll
        for (u32 i = 0; i < GROUP; i++) amax = max(amax, magnitude(values[i]));
#pragma unroll
        for (u32 far = 1; far < SHARED / GROUP; far *= 2) amax = max(amax, __shfl_xor_sync(~0u, amax, far));
#if ACTIVATIONS == 3
        const Scale scale = int8_scale(amax);
#elif ACTIVATIONS == 5
        const Scale scale = mxfp4_scale(amax);
#else
        const Scale scale = nvfp4_scale(amax, whole);
#endif
#else
        const Scale scale = whole;
#endif
        i32 sum = 0;
        u32 words[GROUP / 4] = {};
#pragma unroll
        for (u32 i = 0; i < GROUP; i++) {
            const i32 code = code_of(values[i], scale);
            sum += code;
            words[i / 4] |= ((u32)code & 0xff) << 8 * (i % 4);
        }
        // The four lanes of a block.
        sum += __shfl_xor_sync(~0u, sum, 1);
        sum += __shfl_xor_sync(~0u, sum, 2);
        if (!mine) continue;
#pragma unroll
        for (u32 i = 0; i < GROUP / 4; i++) *(u32*)(codes + place + 4 * i) = words[i];
        if (e % BLOCK == 0) {
#if OFFSET > 0
            starts[(u64)(e / BLOCK) * columns + row] = SUM_BITS - OFFSET * sum;
#endif
#if GROUPED
            scales[(u64)(e / BLOCK) * columns + row] = scale.value;
#endif
        }
#endif
    }
}
