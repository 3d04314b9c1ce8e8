// The last row of each sequence, copied to its sequence's place: one block a row, of which those that are not last do nothing.
//
// Bytes: a row in and out for each sequence. Where a row belongs is read on the GPU, so that a recorded step needs no host.
#include "types.cuh"

extern "C" __global__ void gather(const float* x, float* last, const uint2* rows, int count, int width) {
    const int row = blockIdx.x;
    const u32 sequence = rows[row].x;
    if (row + 1 < count && rows[row + 1].x == sequence) return;
    for (int i = threadIdx.x; i < width; i += blockDim.x) last[(size_t)sequence * width + i] = x[(size_t)row * width + i];
}
