// The outputs of one product into their columns of a wider matrix: a block a row.
//
// Bytes: the narrow rows once in and once out.
#include "types.cuh"

extern "C" __global__ void stack(const float* part, float* all, int n, int width, int at) {
    const size_t row = blockIdx.x;
    for (int i = threadIdx.x; i < n; i += blockDim.x) all[row * width + at + i] = part[row * n + i];
}
