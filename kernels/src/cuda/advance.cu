// Moves every row of a decode step to the next position, so that a replay needs nothing from the host.
// One thread a row: rows are sequences, a few hundred at most, and the launch is all it costs.

extern "C" __global__ void advance(uint2* rows, int count) {
    const int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row < count) rows[row].y += 1;
}
