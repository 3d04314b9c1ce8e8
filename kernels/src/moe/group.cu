// The rows of a call by expert, for kernels that work through them in tiles (experts.cuh), and the sum of what a token's experts say.
//
// One block: it counts the choices of each expert in shared memory, adds up the counts and writes the table of tiles down. Bytes: 12 a choice and
// 16 a tile; some microseconds, beside the reading of each chosen expert's weights. Occupancy: 1024 threads, 12 KiB.
#include "types.cuh"

#define EXPERTS 1024

// places: of each choice among all of them sorted by expert; choices: the inverse. table: tiles of up to `height` rows of one expert, filled up with
// tiles without rows. y, of rows of n: those of an id that is none become NaN.
extern "C" __global__ void __launch_bounds__(EXPERTS)
    group(const u32* ids, const u32* places, u32* choices, uint4* table, u32 tiles, u32 height, u32 count, u32 experts, float* y, u32 n) {
    __shared__ u32 chosen[EXPERTS], rows_up_to[EXPERTS], tiles_up_to[EXPERTS];
    const u32 t = threadIdx.x;
    chosen[t] = 0;
    __syncthreads();
    for (u32 choice = t; choice < count; choice += EXPERTS) {
        const u32 place = places[choice];
        choices[place] = choice;
        if (ids[choice] < experts) {
            atomicAdd(&chosen[ids[choice]], 1u);
        } else {
            for (u32 i = 0; i < n; i++) y[(u64)place * n + i] = SPARK_NAN;
        }
    }
    __syncthreads();
    const u32 rows = chosen[t], mine = ceil_div(rows, height);
    rows_up_to[t] = rows, tiles_up_to[t] = mine;
    __syncthreads();
    for (u32 step = 1; step < EXPERTS; step *= 2) {
        const u32 before = t >= step ? rows_up_to[t - step] : 0, tiles_before = t >= step ? tiles_up_to[t - step] : 0;
        __syncthreads();
        rows_up_to[t] += before, tiles_up_to[t] += tiles_before;
        __syncthreads();
    }
    const u32 first = rows_up_to[t] - rows, tile = tiles_up_to[t] - mine;
    for (u32 i = 0; i < mine; i++) table[tile + i] = make_uint4(t, first + i * height, min(height, rows - i * height), 0);
    for (u32 i = tiles_up_to[EXPERTS - 1] + t; i < tiles; i += EXPERTS) table[i] = make_uint4(0, 0, 0, 0);
}

// y of each token: the sum of what its choices say, rows of `said` in expert order, by their weights. A thread an output, tokens in y.
extern "C" __global__ void __launch_bounds__(256) combine(const float* said, const u32* places, const float* weights, float* y, u32 n, u32 active) {
    const u32 output = blockIdx.x * 256 + threadIdx.x, token = blockIdx.y;
    if (output >= n) return;
    float sum = 0.0f;
    for (u32 choice = token * active; choice < (token + 1) * active; choice++) sum += weights[choice] * said[(u64)places[choice] * n + output];
    y[(u64)token * n + output] = sum;
}
