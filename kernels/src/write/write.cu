// Writes a pattern of 16 words, a pass's number added, over a whole array, as often as asked: the roof of writing.
//
// Bytes: the array once a pass, 16 a store, whole lines of 512 a warp, all SMs along one front; nothing is read but 64 bytes of
// pattern. Threads keep their quarter of the pattern in four registers, since the step between their stores is a multiple of it.
// Occupancy: 1024 threads an SM in 2 blocks, 20 registers, no shared memory. STREAMED = 1 says to L2 that nobody comes back for it.
#include "memory.cuh"
#include "types.cuh"

#define THREADS 512

extern "C" __global__ void __launch_bounds__(THREADS, 2) write_words(const uint4* __restrict__ pattern, uint4* array, u64 bytes, u32 passes) {
    const u64 stores = bytes / 16, step = (u64)gridDim.x * THREADS, first = (u64)blockIdx.x * THREADS + threadIdx.x;
    const uint4 start = pattern[first % 4];
    for (u32 pass = 0; pass < passes; pass++) {
        uint4 x = make_uint4(start.x + pass, start.y + pass, start.z + pass, start.w + pass);
#pragma unroll 8
        for (u64 at = first; at < stores; at += step) {
#if STREAMED
            st_cs_v4(array + at, x);
#else
            array[at] = x;
#endif
        }
    }
}
