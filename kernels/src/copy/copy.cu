// Copies one array to another, as often as asked: the roof of reading and writing together.
//
// Bytes: each array once a pass, 16 a thread and access, whole lines of 512 a warp, UNROLLED loads in flight before the first
// store: at 1024 threads an SM (2 blocks, 48 registers) and 4 loads 64 KiB an SM. No shared memory.
// STREAMED = 1 reads past L1 and says to L2 that nobody comes back for what is written.
#include "memory.cuh"
#include "types.cuh"

#define THREADS 512

extern "C" __global__ void __launch_bounds__(THREADS, 2) copy_words(const uint4* from, uint4* to, u64 bytes, u32 passes) {
    const u64 lines = bytes / 16, step = (u64)gridDim.x * THREADS, first = (u64)blockIdx.x * THREADS + threadIdx.x;
    for (u32 pass = 0; pass < passes; pass++) {
        for (u64 at = first; at < lines; at += UNROLLED * step) {
            uint4 x[UNROLLED];
#pragma unroll
            for (u32 i = 0; i < UNROLLED; i++) {
                u64 line = at + i * step;
#if STREAMED
                if (line < lines) x[i] = ld_cg_v4(from + line);
#else
                if (line < lines) x[i] = ld_ca_v4(from + line);
#endif
            }
#pragma unroll
            for (u32 i = 0; i < UNROLLED; i++) {
                u64 line = at + i * step;
                if (line >= lines) break;
#if STREAMED
                st_cs_v4(to + line, x[i]);
#else
                to[line] = x[i];
#endif
            }
        }
    }
}
