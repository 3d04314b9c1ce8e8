// Sums and extremes over a warp and over a block, the same in every thread.
#pragma once
#include "types.cuh"

DEVICE float warp_sum(float x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(~0u, x, step);
    return x;
}
DEVICE double warp_sum_f64(double x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(~0u, x, step);
    return x;
}
DEVICE i32 warp_sum_i32(i32 x) { return __reduce_add_sync(~0u, x); }

// The larger, or NaN if either is: fmaxf would hide it.
DEVICE float max_or_nan(float a, float b) { return a != a || a > b ? a : b; }

DEVICE float warp_max(float x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) x = max_or_nan(x, __shfl_xor_sync(~0u, x, step));
    return x;
}
DEVICE float warp_min(float x) { return -warp_max(-x); }

// `scratch` is 32 floats of shared memory. The first barrier lets it be used again; whole warps only.
DEVICE float block_sum(float x, float* scratch) {
    x = warp_sum(x);
    __syncthreads();
    if (lane_id() == 0) scratch[warp_id()] = x;
    __syncthreads();
    u32 warps = (blockDim.x * blockDim.y * blockDim.z + 31) / 32;
    return warp_sum(lane_id() < warps ? scratch[lane_id()] : 0.0f);
}
DEVICE float block_max(float x, float* scratch) {
    x = warp_max(x);
    __syncthreads();
    if (lane_id() == 0) scratch[warp_id()] = x;
    __syncthreads();
    u32 warps = (blockDim.x * blockDim.y * blockDim.z + 31) / 32;
    return warp_max(lane_id() < warps ? scratch[lane_id()] : -SPARK_INF);
}
