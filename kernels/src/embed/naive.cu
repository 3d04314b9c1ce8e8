// Rows of a quantised embedding table, decoded to f32: one block a token.
//
// Bytes: the stored row once, the f32 row out. Elements of one block of the format are decoded by neighbouring threads from the
// same few cache lines. A token that the table has not becomes a row of NaN, which every check downstream sees.
#include "weights.cuh"

extern "C" __global__ void embed(const u32* tokens, const u8* table, const float* scales, float* x, int width, u32 vocab,
                                 float multiplier) {
    const u32 token = tokens[blockIdx.x];
    float* out = x + (size_t)blockIdx.x * width;
    const u8* row = table + (size_t)token * (width / Stored<FORMAT>::ELEMENTS * Stored<FORMAT>::BYTES);
    const float scale = token >= vocab ? 1.0f : FORMAT == NVFP4 ? scales[0] : FORMAT == FP8 ? scales[token] : 1.0f;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        out[i] = token < vocab ? stored_value<FORMAT>(row, i) * scale * multiplier : SPARK_NAN;
    }
}
