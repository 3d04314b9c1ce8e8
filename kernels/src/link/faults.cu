// Reads one word a page, each read waiting for the one before: what one page fault of the GPU takes, or one miss of its TLB.
//
// One thread of one block; the next address is formed with the word that was read, so that no two reads are under way together.
#include "memory.cuh"
#include "types.cuh"

// The host has written 1 at the front of each page, so `total` says how many were seen.
extern "C" __global__ void walk(const u32* pages, u64 step, u32 count, u32* total) {
    u64 at = 0;
    u32 sum = 0;
    for (u32 page = 0; page < count; page++) {
        u32 x = ld_cv_u32(pages + at);
        sum += x;
        at += step + (x == 0xffffffffu);
    }
    *total = sum;
}
