// a = b + s·c over whole arrays of f32, as often as asked: STREAM's triad.
//
// Bytes: 12 an element a pass, 16 a thread and access, whole lines of 512 a warp, 2 · UNROLLED loads in flight before the first
// store: at 1024 threads an SM (2 blocks, 56 registers) and UNROLLED = 4 that is 128 KiB an SM. No shared memory.
// STREAMED = 1 reads past L1 and says to L2 that nobody comes back for what is written.
#include "memory.cuh"
#include "types.cuh"

#define THREADS 512

DEVICE uint4 load(const void* at) {
#if STREAMED
    return ld_cg_v4(at);
#else
    return ld_ca_v4(at);
#endif
}
DEVICE u32 fused(u32 b, u32 c, float s) { return __float_as_uint(fmaf(s, __uint_as_float(c), __uint_as_float(b))); }

extern "C" __global__ void __launch_bounds__(THREADS, 2)
    triad_floats(const uint4* b, const uint4* c, const float* s, uint4* a, u64 bytes, u32 passes) {
    const u64 lines = bytes / 16, step = (u64)gridDim.x * THREADS, first = (u64)blockIdx.x * THREADS + threadIdx.x;
    const float factor = *s;
    for (u32 pass = 0; pass < passes; pass++) {
        for (u64 at = first; at < lines; at += UNROLLED * step) {
            uint4 x[UNROLLED], y[UNROLLED];
#pragma unroll
            for (u32 i = 0; i < UNROLLED; i++) {
                u64 line = at + i * step;
                if (line < lines) x[i] = load(b + line), y[i] = load(c + line);
            }
#pragma unroll
            for (u32 i = 0; i < UNROLLED; i++) {
                u64 line = at + i * step;
                if (line >= lines) break;
                uint4 z = make_uint4(fused(x[i].x, y[i].x, factor), fused(x[i].y, y[i].y, factor), fused(x[i].z, y[i].z, factor),
                                     fused(x[i].w, y[i].w, factor));
#if STREAMED
                st_cs_v4(a + line, z);
#else
                a[line] = z;
#endif
            }
        }
    }
}
