// Multiply-adds of bf16 or fp8 by Hopper's warpgroup instruction, operands in shared memory and sums in registers: its tensor peak.
//
// The contract of peak.cu: 256 tiles of 16 × 8 sums an SM, to each of which A·B is added in every iteration. Two warpgroups own 64 × 256
// sums each, that is 4 × 32 tiles, and one wgmma m64n256 with 32 bytes along k adds to all of them: A's 16 rows stand four times in
// its 64, B's 8 columns 32 times in its 256. Two instructions of each warpgroup are under way at any time.
// Occupancy: one block of 256 threads an SM, 128 registers of sums of the 255 each may have, 40 KiB of shared memory.
// Bytes: 1 KiB of operands in, the sums out, once a launch; B is read from shared memory by every instruction, at its full rate.
//
// TYPE: 1 bf16, 3 fp8.
#include "wgmma.cuh"

#define A_ROWS 64
#define B_ROWS 256
#define TILES_AN_SM 256

DEVICE void multiply(float (&d)[B_ROWS / 2], const u8* a, const u8* b) {
#if TYPE == 1
    wgmma_bf16<B_ROWS>(d, a, b, 0);
#else
    wgmma_e4m3<B_ROWS>(d, a, b, 0);
#endif
}

// a: 16 rows of 32 bytes, b: 8 columns of 32; start: one tile, row-major; sums: TILES_AN_SM tiles of each block, row-major.
extern "C" __global__ void __launch_bounds__(256, 1) burn_wgmma(const u8* a, const u8* b, const float* start, float* sums, u32 iterations) {
    SHARED_DYNAMIC(left);
    u8* right = left + A_ROWS * 128;
    // Only the first 32 of the 128 bytes of a row take part.
    for (u32 i = threadIdx.x; i < A_ROWS * 8; i += 256) *(u32*)(left + swizzle128(i / 8, i % 8 * 4)) = ((const u32*)a)[i / 8 % 16 * 8 + i % 8];
    for (u32 i = threadIdx.x; i < B_ROWS * 8; i += 256) *(u32*)(right + swizzle128(i / 8, i % 8 * 4)) = ((const u32*)b)[i / 8 % 8 * 8 + i % 8];
    fence_async_shared();
    __syncthreads();
    const u32 g = lane_id() / 4, t = lane_id() % 4;
    const float* mine = start + 8 * g + 2 * t;
    float d[B_ROWS / 2];
#pragma unroll
    for (u32 j = 0; j < B_ROWS / 8; j++) d[4 * j] = mine[0], d[4 * j + 1] = mine[1], d[4 * j + 2] = mine[64], d[4 * j + 3] = mine[65];
    wgmma_fence();
#pragma unroll 1
    for (u32 i = 0; i < iterations; i++) {
        multiply(d, left, right);
        wgmma_commit();
        wgmma_wait<1>();
    }
    wgmma_wait<0>();
    float* out = sums + ((u64)blockIdx.x * TILES_AN_SM + warp_id() * (B_ROWS / 8)) * 128 + 8 * g + 2 * t;
#pragma unroll
    for (u32 j = 0; j < B_ROWS / 8; j++, out += 128) out[0] = d[4 * j], out[1] = d[4 * j + 1], out[64] = d[4 * j + 2], out[65] = d[4 * j + 3];
}
