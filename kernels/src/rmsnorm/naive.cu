// RMS normalisation of rows, alone or with the residual addition before it: one block a row.
//
// A row is read once from memory and then from L1/L2 (at most 64 KB of it), so bytes are those of the op: x, y, and delta and x
// again with a residual. 256 threads × up to 2048/256 = 8 blocks fill an SM; a row of 4096 gives each thread 16 elements, four
// loads of 16 bytes wide where the compiler sees them, and one block reduction of 8 warps. Bound by launch below ~100 rows.

// Σ over the block, the same in every thread: five shuffles a warp, then the warps' sums by every thread.
__device__ float block_sum(float value, float* warps) {
    for (int offset = 16; offset > 0; offset >>= 1) value += __shfl_xor_sync(0xffffffffu, value, offset);
    __syncthreads();
    if ((threadIdx.x & 31) == 0) warps[threadIdx.x >> 5] = value;
    __syncthreads();
    float total = 0.0f;
    for (int warp = 0; warp < (int)(blockDim.x >> 5); warp++) total += warps[warp];
    return total;
}

// input: x, or with `state` delta; state: x that delta is added to, or null; delta_gain: of delta, or null.
extern "C" __global__ void rmsnorm(
    const float* input, float* state, float* y, const float* gain, const float* delta_gain, int width, float multiplier, float eps) {
    __shared__ float warps[32];
    const size_t row = (size_t)blockIdx.x * width;
    const float* x = input + row;
    if (state) {
        float* s = state + row;
        float scale = multiplier;
        if (delta_gain) {
            float sum = 0.0f;
            for (int i = threadIdx.x; i < width; i += blockDim.x) sum += x[i] * x[i];
            scale = multiplier / sqrtf(block_sum(sum, warps) / (float)width + eps);
        }
        for (int i = threadIdx.x; i < width; i += blockDim.x) {
            float delta = x[i] * scale;
            if (delta_gain) delta *= delta_gain[i];
            s[i] += delta;
        }
        // Each thread reads below only what it wrote itself.
        x = s;
    }
    float sum = 0.0f;
    for (int i = threadIdx.x; i < width; i += blockDim.x) sum += x[i] * x[i];
    const float inverse = 1.0f / sqrtf(block_sum(sum, warps) / (float)width + eps);
    for (int i = threadIdx.x; i < width; i += blockDim.x) y[row + i] = x[i] * inverse * gain[i];
}
