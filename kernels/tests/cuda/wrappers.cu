// The device wrappers, each alone: conversions over all codes, fragments and tiles of every kind of product.
#include "convert.cuh"
#include "memory.cuh"
#include "mma.cuh"
#include "mma_scaled.cuh"
#include "reduce.cuh"
#include "time.cuh"
#include "tma.cuh"
#include "unpack.cuh"
#include "wgmma.cuh"

#if WHAT == 0
// The value of every code: E2M1, E4M3, E8M0, bf16, f16, one table behind the other.
extern "C" __global__ void decode(float* out) {
    u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < 16) out[i] = e2m1_to_f32(i);
    if (i < 256) out[16 + i] = e4m3_to_f32((u8)i);
    if (i < 256) out[272 + i] = e8m0_to_f32((u8)i);
    if (i < 65536) out[528 + i] = bf16_to_f32((u16)i);
    if (i < 65536) out[66064 + i] = f16_to_f32((u16)i);
}
// The codes of x: bf16, f16, E4M3, E2M1, E8M0, and the pairs (x, -x) as the wrappers for pairs give them.
extern "C" __global__ void encode(const float* x, u32* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    u32* to = out + 9 * i;
    to[0] = f32_to_bf16(x[i]);
    to[1] = f32_to_f16(x[i]);
    to[2] = f32_to_e4m3(x[i]);
    to[3] = f32_to_e2m1(x[i]);
    to[4] = f32_to_e8m0_floor(x[i]);
    to[5] = f32x2_to_bf16x2(x[i], -x[i]);
    to[6] = f32x2_to_f16x2(x[i], -x[i]);
    to[7] = f32x2_to_e4m3x2(x[i], -x[i]);
    to[8] = f32x2_to_e2m1x2(x[i], -x[i]);
}
// A word of eight codes in every way it can be unpacked, and its four bytes as E4M3.
extern "C" __global__ void unpack(const u32* codes, u32* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    u32* to = out + 20 * i;
    e2m1x8_to_bf16x8(codes[i], to);
    e2m1x8_to_f16x8(codes[i], to + 4);
    e2m1x8_to_e4m3x8(codes[i], to + 8);
    e2m1x8_to_twice_s8x8(codes[i], to + 10);
    q4x8_to_s8x8(codes[i], to + 12);
    q4x8_to_bf16x8(codes[i], to + 14);
    e4m3x4_to_bf16x4(codes[i], to + 18);
}
// Sums and extremes over a block of four warps, from every thread.
extern "C" __global__ void reduce(const float* x, float* out) {
    __shared__ float scratch[32];
    float v = x[threadIdx.x];
    out[threadIdx.x] = block_sum(v, scratch);
    out[128 + threadIdx.x] = block_max(v, scratch);
    out[256 + threadIdx.x] = warp_min(v);
}
#elif WHAT == 1
// One product of each kind; rows of a and b are 8 words long. `scales` holds a word for each row of A, then for each column of B.
template <class Sum, class F> DEVICE void product(const u32* a, const u32* b, Sum* c, F mma) {
    u32 g = lane_id() / 4, t = lane_id() % 4, left[4], right[2];
    for (int i = 0; i < 4; i++) left[i] = a[(g + 8 * (i & 1)) * 8 + 4 * (i / 2) + t];
    for (int i = 0; i < 2; i++) right[i] = b[g * 8 + 4 * i + t];
    Sum sums[4];
    for (int i = 0; i < 4; i++) sums[i] = c[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2];
    mma(sums, left, right);
    for (int i = 0; i < 4; i++) c[(g + 8 * (i / 2)) * 8 + 2 * t + i % 2] = sums[i];
}
extern "C" __global__ void __launch_bounds__(32) bf16(const u32* a, const u32* b, const u32* scales, float* c) { product(a, b, c, mma_bf16); }
extern "C" __global__ void __launch_bounds__(32) f16(const u32* a, const u32* b, const u32* scales, float* c) { product(a, b, c, mma_f16); }
extern "C" __global__ void __launch_bounds__(32) s8(const u32* a, const u32* b, const u32* scales, i32* c) { product(a, b, c, mma_s8); }
// The same as bf16, with fragments that ldmatrix loads: A as it lies, B from its transpose.
extern "C" __global__ void __launch_bounds__(32) loaded(const u32* a, const u32* b, const u32* scales, float* c) {
    __shared__ __align__(16) u32 left[16 * 8];
    __shared__ __align__(16) u16 right[16 * 8];
    for (int i = lane_id(); i < 128; i += 32) {
        left[i] = a[i];
        right[i] = ((const u16*)b)[(i % 8) * 16 + i / 8];
    }
    __syncthreads();
    u32 l = lane_id(), from_a[4], from_b[2];
    ldmatrix_x4(from_a, &left[(l % 16) * 8 + 4 * (l / 16)]);
    ldmatrix_x2_trans(from_b, &right[(l % 16) * 8]);
    product(a, b, c, [&](float* sums, const u32*, const u32*) { mma_bf16(sums, from_a, from_b); });
}
#if SPARK_HAS_E4M3_MMA
extern "C" __global__ void __launch_bounds__(32) e4m3(const u32* a, const u32* b, const u32* scales, float* c) { product(a, b, c, mma_e4m3); }
#endif
#if SPARK_HAS_FP4_MMA
template <class F> DEVICE void scaled(const u32* a, const u32* b, const u32* scales, float* c, F mma) {
    u32 g = lane_id() / 4, t = lane_id() % 4, sa = scales[g + 8 * (t & 1)], sb = scales[16 + g];
    product(a, b, c, [&](float* sums, const u32* left, const u32* right) { mma(sums, left, right, sa, sb); });
}
extern "C" __global__ void __launch_bounds__(32) nvfp4(const u32* a, const u32* b, const u32* scales, float* c) { scaled(a, b, scales, c, mma_nvfp4); }
extern "C" __global__ void __launch_bounds__(32) mxfp4(const u32* a, const u32* b, const u32* scales, float* c) { scaled(a, b, scales, c, mma_mxfp4); }
extern "C" __global__ void __launch_bounds__(32) mxfp8(const u32* a, const u32* b, const u32* scales, float* c) { scaled(a, b, scales, c, mma_mxfp8); }
#endif
#elif WHAT == 2
// A warpgroup's product of a tile of 64 rows with one of COLUMNS, 128 bytes deep; the rows come by the bulk engine and are swizzled by hand.
template <class F> DEVICE void group(const u8* a, const u8* b, float* c, F product) {
    SHARED_DYNAMIC(bytes);
    u8 *left = bytes, *right = bytes + 8192, *plain = right + 128 * COLUMNS;
    u64* barrier = (u64*)(plain + 128 * (64 + COLUMNS));
    if (threadIdx.x == 0) {
        barrier_init(barrier, 1);
        barrier_init_fence();
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        barrier_expect(barrier, 128 * (64 + COLUMNS));
        bulk_load(plain, a, 8192, barrier);
        bulk_load(plain + 8192, b, 128 * COLUMNS, barrier);
    }
    barrier_wait(barrier, 0);
    for (u32 i = threadIdx.x; i < 8192; i += 128) left[swizzle128(i / 128, i % 128)] = plain[i];
    for (u32 i = threadIdx.x; i < 128 * COLUMNS; i += 128) right[swizzle128(i / 128, i % 128)] = plain[8192 + i];
    fence_async_shared();
    __syncthreads();
    float d[COLUMNS / 2];
    for (int i = 0; i < COLUMNS / 2; i++) d[i] = 0;
    u32 g = lane_id() / 4, t = lane_id() % 4, row = 16 * warp_id() + g;
    wgmma_fence();
    for (u32 k_byte = 0; k_byte < 128; k_byte += 32) {
        u32 fragment[4];
        for (int i = 0; i < 4; i++) fragment[i] = *(const u32*)&plain[(row + 8 * (i & 1)) * 128 + k_byte + 16 * (i / 2) + 4 * t];
        product(d, left, fragment, right, k_byte);
    }
    wgmma_commit();
    wgmma_wait<0>();
    for (int i = 0; i < COLUMNS / 2; i++) c[(row + 8 * (i % 4 / 2)) * COLUMNS + 8 * (i / 4) + 2 * t + i % 2] = d[i];
}
extern "C" __global__ void __launch_bounds__(128) bf16(const u8* a, const u8* b, float* c) {
    group(a, b, c, [](float (&d)[COLUMNS / 2], const u8* left, const u32*, const u8* right, u32 k) { wgmma_bf16<COLUMNS>(d, left, right, k); });
}
extern "C" __global__ void __launch_bounds__(128) bf16_registers(const u8* a, const u8* b, float* c) {
    group(a, b, c, [](float (&d)[COLUMNS / 2], const u8*, const u32* left, const u8* right, u32 k) { wgmma_bf16_ra<COLUMNS>(d, left, right, k); });
}
extern "C" __global__ void __launch_bounds__(128) e4m3(const u8* a, const u8* b, float* c) {
    group(a, b, c, [](float (&d)[COLUMNS / 2], const u8* left, const u32*, const u8* right, u32 k) { wgmma_e4m3<COLUMNS>(d, left, right, k); });
}
extern "C" __global__ void __launch_bounds__(128) e4m3_registers(const u8* a, const u8* b, float* c) {
    group(a, b, c, [](float (&d)[COLUMNS / 2], const u8*, const u32* left, const u8* right, u32 k) { wgmma_e4m3_ra<COLUMNS>(d, left, right, k); });
}
#elif WHAT == 3
// What products are told of tiles at these addresses.
extern "C" __global__ void __launch_bounds__(32) descriptors(const u32* addresses, u64* out, int n) {
    if ((int)threadIdx.x < n) out[threadIdx.x] = wgmma_descriptor(addresses[threadIdx.x]);
}
#endif
