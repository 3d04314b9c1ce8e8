// One line between the host and a GPU: handed to and fro, added to by both, written side by side, and data passed on through caches.
//
// Every wait is bounded: a host that has failed must not leave a kernel behind. The clock is looked at once in 1024 looks, since reading
// it takes longer than a look. One thread a block but where data is moved; occupancy and registers do not matter there.
#include "memory.cuh"
#include "system.cuh"
#include "time.cuh"
#include "types.cuh"

#define SECONDS 10ull
#define THREADS 512

DEVICE bool seen(const u32* at, u32 wanted) {
    const u64 until = globaltimer() + SECONDS * 1000000000ull;
    for (u32 looks = 1; ld_acquire_sys(at) != wanted; looks++) {
        if (looks % 1024 == 0 && globaltimer() > until) return false;
    }
    return true;
}

// Answers each odd number with the next even one. The host begins at 0 and so writes 1.
extern "C" __global__ void WITH_HOST pong(u32* line, u32 handovers, u32* begun, u32* late) {
    st_release_sys(begun, 1);
    for (u32 turn = 1; turn < handovers; turn += 2) {
        if (!seen(line, turn)) {
            *late = 1;
            return;
        }
        st_release_sys(line, turn + 1);
    }
}

// Adds 1 so often to one word, atomic among the GPU's threads or with the host. What comes back is kept, so that it is a round trip and
// no message; `kept` has a word a block. All begin when the host says so.
extern "C" __global__ void WITH_HOST add_gpu(u32* word, u32 times, u32* begun, const u32* go, u32* ended, u32* kept) {
    u32 sum = 0;
    st_release_sys(begun, 1);
    if (!seen(go, 1)) return;
    for (u32 i = 0; i < times; i++) sum += atomic_add_gpu(word, 1);
    kept[blockIdx.x] = sum;
    atomic_add_release_sys(ended, 1);
}
extern "C" __global__ void WITH_HOST add_sys(u32* word, u32 times, u32* begun, const u32* go, u32* ended, u32* kept) {
    u32 sum = 0;
    st_release_sys(begun, 1);
    if (!seen(go, 1)) return;
    for (u32 i = 0; i < times; i++) sum += atomic_add_sys(word, 1);
    kept[blockIdx.x] = sum;
    atomic_add_release_sys(ended, 1);
}

// Counts in a word that is this thread's alone, while the host counts in one of the same line or of another.
extern "C" __global__ void WITH_HOST count(u32* mine, u32 times, u32* begun, const u32* go, u32* ended) {
    st_release_sys(begun, 1);
    if (!seen(go, 1)) return;
    for (u32 i = 0; i < times; i++) st_relaxed_sys(mine, ld_relaxed_sys(mine) + 1);
    st_release_sys(ended, 1);
}

DEVICE u64 words(uint4 x) { return ((u64)x.y << 32 | x.x) + ((u64)x.w << 32 | x.z); }

// Reads what the host writes, round after round: `turn` is the round that is ready, `acks` counts blocks that have read one. All blocks
// are on the GPU at the same time, one an SM at most.
extern "C" __global__ void WITH_HOST __launch_bounds__(THREADS)
    consume(const uint4* data, u32 loads, u32 rounds, const u32* turn, u32* acks, u64* total, u32* late) {
    __shared__ bool fine;
    u64 sum = 0;
    for (u32 round = 1; round <= rounds; round++) {
        if (threadIdx.x == 0) fine = seen(turn, round);
        __syncthreads();
        if (!fine) {
            *late = 1;
            return;
        }
        for (u32 at = blockIdx.x * THREADS + threadIdx.x; at < loads; at += gridDim.x * THREADS) sum += words(ld_cg_v4(data + at));
        __syncthreads();
        if (threadIdx.x == 0) atomic_add_release_sys(acks, 1);
    }
    atomicAdd(total, sum);
}

// Writes what the host reads, in the same way: word `at` of round `round` is at + (round << 40).
extern "C" __global__ void WITH_HOST __launch_bounds__(THREADS)
    produce(uint4* data, u32 stores, u32 rounds, const u32* turn, u32* acks, u32* late) {
    __shared__ bool fine;
    for (u32 round = 1; round <= rounds; round++) {
        if (threadIdx.x == 0) fine = seen(turn, round);
        __syncthreads();
        if (!fine) {
            *late = 1;
            return;
        }
        for (u32 at = blockIdx.x * THREADS + threadIdx.x; at < stores; at += gridDim.x * THREADS) {
            data[at] = make_uint4(2 * at, round << 8, 2 * at + 1, round << 8);
        }
        fence_sys();
        __syncthreads();
        if (threadIdx.x == 0) atomic_add_release_sys(acks, 1);
    }
}
