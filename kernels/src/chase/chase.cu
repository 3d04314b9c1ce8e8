// Follows links through an array, each read waiting for the one before: the latency of memory at that size.
//
// One thread of one block: a dependent load of 8 bytes a hop, and the address made of it (a shift and an addition, some 10 cycles of
// the hundreds). CACHED = 1 reads through L1, 0 past it, so that a small set shows L2. Registers and shared memory do not matter here.
#include "memory.cuh"
#include "types.cuh"

// Words of a line of 64 bytes; `at` is the line the walk stands at, before and after.
#define WORDS 8

extern "C" __global__ void follow(const u64* links, u32* at, u32 hops) {
    u64 word = (u64)*at * WORDS;
#pragma unroll 16
    for (u32 hop = 0; hop < hops; hop++) {
#if CACHED
        word = ld_chase(links + word);
#else
        word = ld_chase_cg(links + word);
#endif
    }
    *at = (u32)(word / WORDS);
}
