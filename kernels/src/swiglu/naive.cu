// The gated activation of a feed-forward block: one thread an output element, gate and up read once, y written once.
//
// Twelve bytes an element and about 30 operations: bound by memory from some tens of thousands of elements on.
#include "exact.cuh"

#define SILU 0
#define GELU 1
#define CLAMPED 2

DEVICE float gated(float gate, float t, float up) { return gate / (1.0f + exact_exp(-t)) * up; }

extern "C" __global__ void swiglu(const float* input, float* y, int width, int rows, float limit) {
    const size_t at = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (at >= (size_t)rows * width) return;
    const float* row = input + at / width * 2 * width;
    float gate = row[at % width], up = row[width + at % width], t = gate;
    if (GATE == GELU) t = gate * (gate * gate * 0.07135482f + 1.595769f);
    if (GATE == CLAMPED) {
        // Written so that NaN stays NaN.
        gate = limit < gate ? limit : gate;
        up = limit < up ? limit : up;
        up = (-limit > up ? -limit : up) + 1.0f;
        t = 1.702f * gate;
    }
    y[at] = gated(gate, t, up);
}
