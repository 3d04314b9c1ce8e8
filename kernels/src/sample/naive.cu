// The largest logit of each row, the lowest index among equals: one block a row.
//
// Bytes: the logits once. 1024 threads read 128 Ki logits in 128 steps of one line a warp; one SM's bandwidth bounds it, some
// 5 µs, which a second stage would halve at the price of a launch.
#include "types.cuh"

#define NONE 0xffffffffu

// Whether (value, index) beats the other. NaN is never a candidate: its index is NONE.
DEVICE bool beats(float value, u32 index, float other, u32 other_index) {
    if (index == NONE) return false;
    return other_index == NONE || value > other || (value == other && index < other_index);
}

DEVICE void warp_best(float& value, u32& index) {
    for (int step = 16; step > 0; step /= 2) {
        const float other = __shfl_xor_sync(~0u, value, step);
        const u32 other_index = __shfl_xor_sync(~0u, index, step);
        if (beats(other, other_index, value, index)) value = other, index = other_index;
    }
}

// A row of nothing but NaN gives the token NONE, which no vocabulary has.
extern "C" __global__ void greedy(const float* logits, u32* tokens, int vocab) {
    __shared__ float values[32];
    __shared__ u32 indices[32];
    const float* row = logits + (size_t)blockIdx.x * vocab;
    float value = 0.0f;
    u32 index = NONE;
    for (int i = threadIdx.x; i < vocab; i += blockDim.x) {
        const float logit = row[i];
        if (logit == logit && beats(logit, i, value, index)) value = logit, index = i;
    }
    warp_best(value, index);
    if (lane_id() == 0) values[warp_id()] = value, indices[warp_id()] = index;
    __syncthreads();
    if (warp_id() != 0) return;
    const bool there = lane_id() < blockDim.x / 32;
    value = there ? values[lane_id()] : 0.0f;
    index = there ? indices[lane_id()] : NONE;
    warp_best(value, index);
    if (lane_id() == 0) tokens[blockIdx.x] = index;
}
