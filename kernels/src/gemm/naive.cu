// The gemm, and a gemm for each expert, of every pair of formats: one warp an output and up to four rows.
//
// Lanes take blocks of the weights in turn, read a byte at a time where blocks stand at odd addresses, so a warp streams its row
// through L1 a line at a time: some 20 to 40 % of the read roof at m = 1, and far from the tensor cores above. It is what
// every other kernel is compared with and what shapes without a better one run on; 8 warps a block and 40 registers fill an SM.
#include "reduce.cuh"
#include "weights.cuh"

// Rows of activations that share a decoded block.
#define ROWS 4

// Of one output (a row of weights) and up to ROWS rows of activations: the sum of each, in every lane. codes, scales and floats
// begin at the first row; `step` rows on stands the next.
DEVICE void products(const u8* weights, const i8* codes, const float* scales, const float* floats, int rows, int k, float sums[ROWS]) {
    for (int r = 0; r < ROWS; r++) sums[r] = 0.0f;
#if INTEGER
    const int elements = Stored<WEIGHTS>::ELEMENTS, blocks = k / elements;
    for (int b = lane_id(); b < blocks; b += 32) {
        const u8* block = weights + (size_t)b * Stored<WEIGHTS>::BYTES;
        i32 exact[ROWS] = {0, 0, 0, 0};
        for (int i = 0; i < elements; i++) {
            const i32 w = stored_code<WEIGHTS>(block, i);
            for (int r = 0; r < ROWS; r++)
                if (r < rows) exact[r] += w * codes[(size_t)r * k + b * elements + i];
        }
        const float scale = stored_scale<WEIGHTS>(block);
        for (int r = 0; r < ROWS; r++)
            if (r < rows) {
                const float scaled = (float)exact[r] * scale;
                // A group of activations is as wide as a block or twice that.
                sums[r] += GROUP ? scaled * scales[((size_t)r * k + b * elements) / (GROUP ? GROUP : 1)] : scaled;
            }
    }
#else
    for (int i = lane_id(); i < k; i += 32) {
        const float w = stored_value<WEIGHTS>(weights, i);
        for (int r = 0; r < ROWS; r++)
            if (r < rows) sums[r] += w * floats[(size_t)r * k + i];
    }
#endif
    for (int r = 0; r < ROWS; r++) sums[r] = warp_sum(sums[r]);
}

// What the finished sum is multiplied with beside the row's scale.
DEVICE float output_scale(const float* outer, size_t output) {
    return WEIGHTS == NVFP4 ? outer[0] : WEIGHTS == FP8 ? outer[output] : 1.0f;
}

// y[m, n] = x[m, k] · W[n, k]ᵀ (+ bias). Grid: outputs by warps of a block, rows by ROWS.
extern "C" __global__ void gemm(const u8* weights, const float* outer, const float* bias, const i8* codes, const float* floats,
                                const float* scales, const float* row_scales, float* y, int m, int n, int k) {
    const int output = blockIdx.x * (blockDim.x / 32) + warp_id(), first = blockIdx.y * ROWS;
    if (output >= n) return;
    const int rows = min(m - first, ROWS), group = GROUP ? GROUP : 1;
    const size_t row_bytes = (size_t)(k / Stored<WEIGHTS>::ELEMENTS) * Stored<WEIGHTS>::BYTES, at = (size_t)first * k;
    float sums[ROWS];
    products(weights + output * row_bytes, codes + at, scales + at / group, floats + at, rows, k, sums);
    if (lane_id() != 0) return;
    for (int r = 0; r < rows; r++) {
        const float value = sums[r] * (row_scales[first + r] * output_scale(outer, output));
        y[(size_t)(first + r) * n + output] = bias ? value + bias[output] : value;
    }
}

// Of each choice of an expert: places are its rows in expert order. Grid: choices, or to combine tokens, whose choices are summed
// by their weights; outputs by warps of a block.
extern "C" __global__ void experts(const u8* weights, const float* outer, const float* bias, const i8* codes, const float* floats,
                                   const float* scales, const float* row_scales, float* y, const u32* ids, const u32* places,
                                   const float* parts, int n, int k, int active, u32 count) {
    const int output = blockIdx.y * (blockDim.x / 32) + warp_id(), at = blockIdx.x, group = GROUP ? GROUP : 1;
    if (output >= n) return;
    const size_t row_bytes = (size_t)(k / Stored<WEIGHTS>::ELEMENTS) * Stored<WEIGHTS>::BYTES;
    const int first = parts ? at * active : at, choices = parts ? active : 1;
    float total = 0.0f;
    for (int choice = first; choice < first + choices; choice++) {
        const size_t row = parts ? places[choice] : at / active, begin = row * k;
        // An id that is none is seen as NaN.
        const size_t of = (size_t)min(ids[choice], count - 1) * n + output;
        float sums[ROWS];
        products(weights + of * row_bytes, codes + begin, scales + begin / group, floats + begin, 1, k, sums);
        float value = sums[0] * (row_scales[row] * output_scale(outer, of));
        if (bias) value += bias[of];
        if (ids[choice] >= count) value = SPARK_NAN;
        total += parts ? parts[choice] * value : value;
    }
    if (lane_id() == 0) y[(size_t)(parts ? at : (int)places[at]) * n + output] = total;
}
