// Adds up every 64-bit word of one window of an array, as often as asked: the roof of reading.
//
// Bytes: the window once a pass, 16 a load, whole lines of 512 a warp, all SMs walking along one front. In flight: UNROLLED loads of
// 16 bytes a thread; with 1024 threads an SM (2 blocks of 512, 40 registers) and 8 loads that is 128 KiB an SM, five times what
// 4.8 TB/s · 700 ns ÷ 132 SMs asks for. The sums cost four integer additions a load, of the 64 a cycle that an SM has.
// Shared memory: 128 bytes. CACHED = 1 reads through L1, so that a small set shows it; 0 past it.
#include "memory.cuh"
#include "types.cuh"

#define THREADS 512

DEVICE uint4 load(const uint4* at) {
#if CACHED
    return ld_ca_v4(at);
#else
    return ld_cg_v4(at);
#endif
}
DEVICE u64 words(uint4 x) { return ((u64)x.y << 32 | x.x) + ((u64)x.w << 32 | x.z); }

// The window is the `*next`-th of those of `window` bytes that the array of `all` bytes is cut into; the last ends with the array.
// `found` (sum, and how many blocks have added theirs) is zero before and after.
extern "C" __global__ void __launch_bounds__(THREADS, 2)
    read_words(const uint4* __restrict__ array, u64 all, u64 window, u32 passes, u32* total, u32* next, u64* found) {
    u64 windows = ceil_div(all, window), start = ld_cv_u32(next) % windows * window;
    if (start > all - window) start = all - window;
    const uint4* from = array + start / 16;
    const u64 loads = window / 16, step = (u64)gridDim.x * THREADS, first = (u64)blockIdx.x * THREADS + threadIdx.x;
    u64 sum = 0;
    for (u32 pass = 0; pass < passes; pass++) {
        u64 at = first;
        for (; at + (UNROLLED - 1) * step < loads; at += UNROLLED * step) {
            uint4 x[UNROLLED];
#pragma unroll
            for (u32 i = 0; i < UNROLLED; i++) x[i] = load(from + at + i * step);
#pragma unroll
            for (u32 i = 0; i < UNROLLED; i++) sum += words(x[i]);
        }
        for (; at < loads; at += step) sum += words(load(from + at));
    }
    __shared__ u64 sums[THREADS / 32];
#pragma unroll
    for (u32 far = 16; far > 0; far /= 2) sum += __shfl_xor_sync(~0u, sum, far);
    if (lane_id() == 0) sums[warp_id()] = sum;
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (u32 warp = 1; warp < THREADS / 32; warp++) sum += sums[warp];
    atomicAdd(found, sum);
    __threadfence();
    // The last block to come here has everybody's sum before it, and nobody reads `next` any more.
    if (atomicAdd(found + 1, 1ull) + 1 != gridDim.x) return;
    u64 all_sums = atomicExch(found, 0ull);
    found[1] = 0;
    total[0] = (u32)all_sums;
    total[1] = (u32)(all_sums >> 32);
    *next += 1;
}
