// Kernels that are wrong, each in one way; the double has to find it.
#include "memory.cuh"
#include "reduce.cuh"

// Half of the block never comes to the barrier the other half waits at: both wait, at different ones.
extern "C" __global__ void apart(float* x) {
    if (threadIdx.x < 32) __syncwarp(0x0000ffff);
    else __syncthreads();
    x[threadIdx.x] = 1;
}
extern "C" __global__ void shuffle(float* x) {
    if (threadIdx.x < 16) x[threadIdx.x] = __shfl_xor_sync(0x0000ffff, x[threadIdx.x], 16);
}
extern "C" __global__ void operations(float* x) {
    float v = x[threadIdx.x];
    if (threadIdx.x & 1) v = __shfl_xor_sync(~0u, v, 1);
    else v += (float)__ballot_sync(~0u, v > 0);
    x[threadIdx.x] = v;
}
extern "C" __global__ void misaligned(float* x) { x[0] = (float)ld_nc_v4((const u8*)x + 4).x; }
extern "C" __global__ void behind(float* x) { x[32 + threadIdx.x % 4] = 1; }
extern "C" __global__ void trap(float* x) {
    if (threadIdx.x == 5) __trap();
}
// These end well, with what they should not have read.
extern "C" __global__ void unset(float* x) {
    __shared__ float y[32];
    x[threadIdx.x] = y[threadIdx.x];
}
extern "C" __global__ void unwaited(float* x) {
    __shared__ __align__(16) float y[32];
    if (threadIdx.x < 8) cp_async_16(&y[4 * threadIdx.x], &x[4 * threadIdx.x]);
    cp_async_commit();
    cp_async_wait<1>();
    __syncthreads();
    x[threadIdx.x] = y[threadIdx.x];
}
// And this is right: what was copied stands there after the wait.
extern "C" __global__ void waited(float* x) {
    __shared__ __align__(16) float y[32];
    if (threadIdx.x < 8) cp_async_16_or_zero(&y[4 * threadIdx.x], &x[4 * threadIdx.x], threadIdx.x < 7);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    x[threadIdx.x] = 2 * y[31 - threadIdx.x];
}
