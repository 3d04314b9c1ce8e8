// Rotary embedding of the heads of q and k, in place, with optional normalisation of heads: one warp a head.
//
// Bytes: q and k once in, once out, and a row of the table of cosines and sines, which all heads of a token share through L1.
// A head of 128 elements gives each lane two pairs; the norm is one warp reduction.
#include "reduce.cuh"

// rows: (sequence, position) of each row of qkv; turned: heads of q and k together, of which the first `heads` are q's.
extern "C" __global__ void rope(float* qkv, const uint2* rows, const float* table, const float* q_gain, const float* k_gain,
                                int row_width, int heads, int turned, int head_dim, int rotary, float eps) {
    const int head = blockIdx.y * (blockDim.x / 32) + warp_id(), lane = lane_id();
    if (head >= turned) return;
    float* x = qkv + (size_t)blockIdx.x * row_width + (size_t)head * head_dim;
    if (q_gain) {
        const float* gain = head < heads ? q_gain : k_gain;
        float sum = 0.0f;
        for (int i = lane; i < head_dim; i += 32) sum += x[i] * x[i];
        const float inverse = 1.0f / sqrtf(warp_sum(sum) / (float)head_dim + eps);
        for (int i = lane; i < head_dim; i += 32) x[i] = x[i] * inverse * gain[i];
        // A pair below may have been written by two lanes.
        __syncwarp();
    }
    const int half = rotary / 2;
    const float* cosines = table + (size_t)rows[blockIdx.x].y * rotary;
    for (int i = lane; i < half; i += 32) {
        const float a = x[i], b = x[i + half], c = cosines[i], s = cosines[half + i];
        x[i] = a * c - b * s;
        x[i + half] = b * c + a * s;
    }
}
