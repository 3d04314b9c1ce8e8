// RMS normalisation of rows, alone or with the residual addition before it: one block a row.
//
// A row is read once from memory and then from L1/L2 (at most 64 KB of it), so bytes are those of the op: x, y, and delta and x
// again with a residual. 256 threads × 8 blocks fill an SM; a row of 4096 gives each thread 16 elements and one or two block
// reductions. Bound by the launch below ~100 rows.
#include "reduce.cuh"

// input: x, or with `state` delta; state: x that delta is added to, or null; delta_gain: of delta, or null.
extern "C" __global__ void rmsnorm(const float* input, float* state, float* y, const float* gain, const float* delta_gain,
                                   int width, float multiplier, float eps) {
    __shared__ float scratch[32];
    const size_t row = (size_t)blockIdx.x * width;
    const float* x = input + row;
    if (state) {
        float* s = state + row;
        float scale = multiplier;
        if (delta_gain) {
            float sum = 0.0f;
            for (int i = threadIdx.x; i < width; i += blockDim.x) sum += x[i] * x[i];
            scale = multiplier / sqrtf(block_sum(sum, scratch) / (float)width + eps);
        }
        for (int i = threadIdx.x; i < width; i += blockDim.x) s[i] += delta_gain ? x[i] * scale * delta_gain[i] : x[i] * scale;
        // Each thread reads below only what it wrote itself.
        x = s;
    }
    float sum = 0.0f;
    for (int i = threadIdx.x; i < width; i += blockDim.x) sum += x[i] * x[i];
    const float inverse = 1.0f / sqrtf(block_sum(sum, scratch) / (float)width + eps);
    for (int i = threadIdx.x; i < width; i += blockDim.x) y[row + i] = x[i] * inverse * gain[i];
}
