// A draw from the most probable tokens of each row, in the integers that kernels/src/sample/nucleus.rs draws by: the same token, always.
//
// One block a row. The weight of a token is trunc(2^30 · e^((logit − largest) ÷ temperature)), kept in memory; sums of integers have one
// value in whatever order they come. The lightest token that is kept is found digit by digit of its weight as an f32: exponent and three
// bits, then 8, 8 and 4 bits more, each a pass that sums weights by digit; of tokens of just that weight the first ones are kept. Then each
// warp sums what it keeps of a stretch of its own, and the warp that the draw falls to walks its stretch.
// Bytes: logits twice, weights seven times, of 128 Ki tokens 4.5 MB that L2 holds: bounded by what one SM loads, some 64 bytes a cycle,
// 40 µs at 1.8 GHz, and by atomics of shared memory in the passes. Occupancy: one block of 1024 threads, at most 64 registers.
#include "exact.cuh"
#include "reduce.cuh"

#define NONE 0xffffffffu
#define BINS 256

DEVICE u64 mix(u64 z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}
// SplitMix64's derive of kernels/src/format/splitmix.rs.
DEVICE u64 derive(u64 seed, u64 index) { return mix(mix(seed + 0x9e3779b97f4a7c15ull) ^ index * 0xd6e8feb86659fd93ull); }

DEVICE u32 weight_of(float logit, float largest, float temperature) {
    const float part = logit == largest ? 1.0f : exact_exp(__fdiv_rn(__fadd_rn(logit, -largest), temperature));
    return part == part ? (u32)__fmul_rn(part, 1073741824.0f) : 0;
}
DEVICE u32 bits_of(u32 weight) { return __float_as_uint(__uint2float_rn(weight)); }

// rows: where each row belongs, (span, position). A row of nothing but NaN gives the token NONE, which no vocabulary has.
extern "C" __global__ void __launch_bounds__(1024)
    nucleus(const float* logits, u32* all_weights, u32* tokens, const uint2* rows, u32 vocab, float temperature, float top_p, u64 seed) {
    __shared__ float scratch[32];
    __shared__ u64 bins[BINS], sums[32];
    __shared__ u32 equals[32];
    __shared__ u64 enough, kept;
    __shared__ u32 digit;
    const float* row = logits + (u64)blockIdx.x * vocab;
    u32* weights = all_weights + (u64)blockIdx.x * vocab;
    const u32 lane = lane_id(), warp = warp_id(), warps = blockDim.x / 32;
    float most = -SPARK_INF;
    bool number = false;
    for (u32 i = threadIdx.x; i < vocab; i += blockDim.x) {
        const float logit = row[i];
        if (logit == logit) most = fmaxf(most, logit), number = true;
    }
    if (!__syncthreads_or(number)) {
        if (threadIdx.x == 0) tokens[blockIdx.x] = NONE;
        return;
    }
    const float largest = block_max(most, scratch);
    for (u32 i = threadIdx.x; i < BINS; i += blockDim.x) bins[i] = 0;
    __syncthreads();
    for (u32 i = threadIdx.x; i < vocab; i += blockDim.x) {
        const u32 weight = weight_of(row[i], largest, temperature);
        weights[i] = weight;
        // Exponents 2^0 to 2^30 and three bits: 31 · 8 bins.
        if (weight) atomicAdd(&bins[(bits_of(weight) >> 20) - (127 << 3)], (u64)weight);
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        u64 total = 0;
        for (u32 i = 0; i < BINS; i++) total += bins[i];
        // A total is below 2^52, so this is one correctly rounded product; at least one token is kept.
        const u64 share = (u64)__dmul_rn((double)top_p, (double)total);
        enough = share ? share : 1;
        kept = 0;
        u32 i = BINS - 1;
        while (kept + bins[i] < enough) kept += bins[i--];
        digit = i + (127 << 3);
    }
    __syncthreads();
    // The bits of the lightest weight so far, and how many below them are open.
    u32 prefix = digit, open = 20;
    for (u32 pass = 0; pass < 3; pass++) {
        const u32 width = pass < 2 ? 8 : 4;
        // Everybody has read the digit before.
        __syncthreads();
        for (u32 i = threadIdx.x; i < BINS; i += blockDim.x) bins[i] = 0;
        __syncthreads();
        for (u32 i = threadIdx.x; i < vocab; i += blockDim.x) {
            const u32 weight = weights[i], bits = bits_of(weight);
            if (weight && bits >> open == prefix) atomicAdd(&bins[bits >> (open - width) & ((1u << width) - 1)], (u64)weight);
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            u32 i = (1u << width) - 1;
            while (kept + bins[i] < enough) kept += bins[i--];
            digit = i;
        }
        __syncthreads();
        prefix = prefix << width | digit, open -= width;
    }
    // Heavier ones are all kept, and of those as heavy as the lightest so many.
    const u32 least = (u32)__uint_as_float(prefix);
    const u64 missing = enough - kept;
    const u32 as_heavy = (u32)((missing + least - 1) / least);
    const u32 each = ceil_div(ceil_div(vocab, warps), 32u) * 32, begin = min(warp * each, vocab), end = min(begin + each, vocab);
    u64 heavier = 0;
    u32 equal = 0;
    for (u32 base = begin; base < end; base += 32) {
        const u32 weight = base + lane < end ? weights[base + lane] : 0;
        if (weight > least) heavier += weight;
        equal += __popc(__ballot_sync(~0u, weight == least));
    }
#pragma unroll
    for (u32 far = 16; far > 0; far /= 2) heavier += __shfl_xor_sync(~0u, heavier, far);
    if (lane == 0) equals[warp] = equal;
    __syncthreads();
    u32 equals_before = 0;
    for (u32 w = 0; w < warp; w++) equals_before += equals[w];
    const u32 left_over = as_heavy > equals_before ? as_heavy - equals_before : 0;
    if (lane == 0) sums[warp] = heavier + (u64)min(left_over, equal) * least;
    __syncthreads();
    u64 before = 0, all = 0;
    for (u32 w = 0; w < warps; w++) {
        if (w < warp) before += sums[w];
        all += sums[w];
    }
    const uint2 place = rows[blockIdx.x];
    // all · random ÷ 2^64, as there.
    const u64 drawn = __umul64hi(all, derive(derive(seed, place.x), place.y));
    if (drawn < before || drawn >= before + sums[warp]) return;
    u32 rank = equals_before;
    for (u32 base = begin; base < end; base += 32) {
        const u32 weight = base + lane < end ? weights[base + lane] : 0;
        const u32 same = __ballot_sync(~0u, weight == least), mine = rank + __popc(same & ((1u << lane) - 1));
        u64 upto = weight > least || (weight == least && mine < as_heavy) ? weight : 0;
#pragma unroll
        for (u32 far = 1; far < 32; far *= 2) {
            const u64 lower = __shfl_up_sync(~0u, upto, far);
            if (lane >= far) upto += lower;
        }
        const u32 beyond = __ballot_sync(~0u, before + upto > drawn);
        if (beyond) {
            if (lane == 0) tokens[blockIdx.x] = base + __ffs(beyond) - 1;
            return;
        }
        before += __shfl_sync(~0u, upto, 31);
        rank += __popc(same);
    }
}
