// Attention of few new tokens over a long cache of bf16 or fp8, split along it: decode, which reads each key and value once.
//
// A block of 4 warps takes one row, HEADS query heads that share a key head, and one of `splits` stretches of the cache; a warp takes
// every fourth 16 tokens of it, with its own running maximum and sums, put together at the end; `merge` puts the stretches together.
// Bytes: keys and values once for every HEADS query heads (a group of 8 twice, the second time from L2), 16 a load of keys, whole
// stretches of 512 a warp; a row of values of DIM · 2 bytes at a time. In flight: DIM ÷ 16 loads of keys, then 16 rows of values, 4 KiB
// each at DIM = 128 (half of both over fp8): with 12 warps an SM (3 blocks, at most 168 registers) 48 KiB an SM, where 4.8 TB/s · 700 ns ÷ 132 ask for 26.
// Work: 2 · 2 · HEADS f32 operations and one conversion an element; at HEADS = 4 and DIM = 128 some 900 instructions for 8 KiB a warp,
// which is about what an SM of an H200 issues in the 228 cycles that its 36 bytes a cycle take, and little beside GB10's 2.4. f32 queries and powers do not go through tensor
// cores here: in bf16 they would be another model's. Shared memory: 1 KiB, and 4 · HEADS · (DIM + 2) floats at the end (8 KiB).
//
// DIM is a multiple of 64 up to 256; keys stand [slot ÷ 16][DIM ÷ 2][16][2], values [slot][DIM], as on the CPU; fp8 (KV_FP8) keys
// [slot ÷ 16][DIM ÷ 4][16][4] and values [slot ÷ 4][DIM][4]: a word is four elements of a key, or one of four tokens. ROUNDED = 1: queries are
// rounded to bf16 first.
#include "attend.cuh"
#include "convert.cuh"
#include "memory.cuh"

#define KV_BF16 1
#define KV_FP8 3

#define WARPS 4
// Elements of a key in a word; loads of 16 bytes a lane for the keys of 16 tokens; elements of a value that a lane sums.
#if KV == KV_FP8
#define IN_WORD 4
typedef u8 Cell;
#else
#define IN_WORD 2
typedef u16 Cell;
#endif
#define LOADS (DIM / (8 * IN_WORD))
#define OWN (DIM / 32)

struct Part {
    float most, total;
};

// The elements of a word.
DEVICE void unpack(u32 word, float x[IN_WORD]) {
#if KV == KV_FP8
    const float2 front = f16x2_to_f32x2(e4m3x2_to_f16x2((u16)word)), back = f16x2_to_f32x2(e4m3x2_to_f16x2((u16)(word >> 16)));
    x[0] = front.x, x[1] = front.y, x[2] = back.x, x[3] = back.y;
#else
    x[0] = low(word), x[1] = high(word);
#endif
}

// Grid: rows, query heads ÷ HEADS, splits. `parts` and `sums` are [row][head][split] and the same by DIM; with one split `out` is written.
extern "C" __global__ void __launch_bounds__(32 * WARPS, 3)
    attend_split(const float* qkv, float* out, const Cell* keys, const Cell* values, const uint2* rows, const float* sinks, Part* parts, float* sums,
                 u32 heads, u32 kv_heads, u32 slots, u32 window, float scale, float cap) {
    __shared__ float4 powers[WARPS][16];
    __shared__ float kept_most[WARPS][HEADS], kept_total[WARPS][HEADS], kept_sums[WARPS][HEADS][DIM];
    const u32 row = blockIdx.x, head = blockIdx.y * HEADS, splits = gridDim.z, lane = lane_id(), warp = warp_id();
    const u32 four = lane % 4, line = lane / 4, kv_head = head / (heads / kv_heads);
    const u32 seen = rows[row].y + 1, first = window && seen > window ? seen - window : 0;
    const u64 region = ((u64)rows[row].x * kv_heads + kv_head) * slots * DIM;
    // Whole blocks of 16 tokens to every split, as even as that goes.
    const u32 from_block = first / 16, blocks = ceil_div(seen, 16u) - from_block, share = ceil_div(blocks, splits);
    const u32 begin = from_block + min(blockIdx.z * share, blocks), end = from_block + min((blockIdx.z + 1) * share, blocks);
    // This lane's elements of the queries: words line, line + 8, ….
    float query[HEADS][LOADS][IN_WORD];
#pragma unroll
    for (u32 h = 0; h < HEADS; h++) {
        const float2* from = (const float2*)(qkv + ((u64)row * (heads + 2 * kv_heads) + head + h) * DIM);
#pragma unroll
        for (u32 i = 0; i < LOADS * IN_WORD / 2; i++) {
            float2 pair = from[(8 * (i / (IN_WORD / 2)) + line) * (IN_WORD / 2) + i % (IN_WORD / 2)];
            if (ROUNDED) pair = bf16x2_to_f32x2(f32x2_to_bf16x2(pair.x, pair.y));
            query[h][i / (IN_WORD / 2)][2 * i % IN_WORD] = pair.x, query[h][i / (IN_WORD / 2)][2 * i % IN_WORD + 1] = pair.y;
        }
    }
    float most[HEADS], total[HEADS], sum[HEADS][OWN];
#pragma unroll
    for (u32 h = 0; h < HEADS; h++) {
        most[h] = -SPARK_INF, total[h] = 0.0f;
#pragma unroll
        for (u32 i = 0; i < OWN; i++) sum[h][i] = 0.0f;
    }
    for (u32 block = begin + warp; block < end; block += WARPS) {
        const uint4* key = (const uint4*)(keys + region + (u64)block * 16 * DIM) + lane;
        uint4 of_keys[LOADS];
#pragma unroll
        for (u32 i = 0; i < LOADS; i++) of_keys[i] = ld_cg_v4(key + 32 * i);
        // Scores of tokens 4 · four … + 3.
        float score[HEADS][4] = {};
#pragma unroll
        for (u32 i = 0; i < LOADS; i++) {
            const u32 words[4] = {of_keys[i].x, of_keys[i].y, of_keys[i].z, of_keys[i].w};
#pragma unroll
            for (u32 token = 0; token < 4; token++) {
                float of_key[IN_WORD];
                unpack(words[token], of_key);
#pragma unroll
                for (u32 h = 0; h < HEADS; h++) {
#pragma unroll
                    for (u32 e = 0; e < IN_WORD; e++) score[h][token] = fmaf(query[h][i][e], of_key[e], score[h][token]);
                }
            }
        }
        float kept[HEADS];
#pragma unroll
        for (u32 h = 0; h < HEADS; h++) {
            float largest = most[h];
#pragma unroll
            for (u32 token = 0; token < 4; token++) {
                float s = score[h][token];
#pragma unroll
                for (u32 far = 4; far < 32; far *= 2) s += __shfl_xor_sync(~0u, s, far);
                s *= scale;
                if (cap != 0.0f) s = bent(s, cap);
                const u32 slot = block * 16 + 4 * four + token;
                score[h][token] = s = slot >= first && slot < seen ? s : -SPARK_INF;
                largest = fmaxf(largest, s);
            }
            largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 1));
            largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, 2));
            kept[h] = power(most[h], largest);
            most[h] = largest;
            float added = 0.0f;
#pragma unroll
            for (u32 token = 0; token < 4; token++) added += score[h][token] = power(score[h][token], largest);
            added += __shfl_xor_sync(~0u, added, 1);
            added += __shfl_xor_sync(~0u, added, 2);
            total[h] = total[h] * kept[h] + added;
        }
        __syncwarp();
        if (line == 0) {
#pragma unroll
            for (u32 token = 0; token < 4; token++) {
                powers[warp][4 * four + token] = make_float4(score[0][token], HEADS > 1 ? score[HEADS > 1][token] : 0.0f,
                                                             HEADS > 2 ? score[HEADS > 2 ? 2 : 0][token] : 0.0f, HEADS > 3 ? score[HEADS > 3 ? 3 : 0][token] : 0.0f);
            }
        }
        __syncwarp();
#pragma unroll
        for (u32 h = 0; h < HEADS; h++) {
#pragma unroll
            for (u32 i = 0; i < OWN; i++) sum[h][i] *= kept[h];
        }
        // Tokens beyond the last have no power; the cache has room for whole blocks, so their values may be read.
#if KV == KV_FP8
        const u32* value = (const u32*)(values + region + (u64)block * 16 * DIM) + lane * OWN;
#pragma unroll
        for (u32 four_of = 0; four_of < 4; four_of++) {
            float of_value[OWN][4];
#pragma unroll
            for (u32 i = 0; i < OWN; i += 2) {
                const uint2 words = __ldcg((const uint2*)(value + four_of * DIM + i));
                unpack(words.x, of_value[i]), unpack(words.y, of_value[i + 1]);
            }
#pragma unroll
            for (u32 token = 0; token < 4; token++) {
                const u32 slot = block * 16 + 4 * four_of + token;
                const float4 all = powers[warp][4 * four_of + token];
                const float p[4] = {all.x, all.y, all.z, all.w};
                if (slot < first || slot >= seen) continue;
#pragma unroll
                for (u32 h = 0; h < HEADS; h++) {
#pragma unroll
                    for (u32 i = 0; i < OWN; i++) sum[h][i] = fmaf(p[h], of_value[i][token], sum[h][i]);
                }
            }
        }
#else
        const u16* value = values + region + (u64)block * 16 * DIM + lane * OWN;
#pragma unroll 8
        for (u32 token = 0; token < 16; token++) {
            u32 pairs[OWN / 2];
#pragma unroll
            for (u32 i = 0; i < OWN / 2; i++) pairs[i] = __ldcg((const u32*)(value + token * DIM) + i);
            const float4 all = powers[warp][token];
            const float p[4] = {all.x, all.y, all.z, all.w};
            // What was never written may be no number.
            if (block * 16 + token < first || block * 16 + token >= seen) continue;
#pragma unroll
            for (u32 h = 0; h < HEADS; h++) {
#pragma unroll
                for (u32 i = 0; i < OWN; i++) sum[h][i] = fmaf(p[h], i % 2 == 0 ? low(pairs[i / 2]) : high(pairs[i / 2]), sum[h][i]);
            }
        }
#endif
    }
#pragma unroll
    for (u32 h = 0; h < HEADS; h++) {
        if (lane == 0) kept_most[warp][h] = most[h], kept_total[warp][h] = total[h];
#pragma unroll
        for (u32 i = 0; i < OWN; i++) kept_sums[warp][h][lane * OWN + i] = sum[h][i];
    }
    __syncthreads();
    for (u32 i = threadIdx.x; i < HEADS * DIM; i += 32 * WARPS) {
        const u32 h = i / DIM, d = i % DIM;
        float largest = -SPARK_INF, all = 0.0f, weighed = 0.0f;
        for (u32 w = 0; w < WARPS; w++) largest = fmaxf(largest, kept_most[w][h]);
        // A stretch without tokens has no largest score; a sink counts once, in the first.
        const bool sink = sinks && splits == 1;
        if (sink) largest = fmaxf(largest, sinks[head + h]);
        for (u32 w = 0; w < WARPS; w++) {
            const float part = power(kept_most[w][h], largest);
            all += kept_total[w][h] * part;
            weighed += kept_sums[w][h][d] * part;
        }
        if (sink) all += power(sinks[head + h], largest);
        const u64 at = (u64)row * heads + head + h;
        if (splits == 1) {
            out[at * DIM + d] = weighed / all;
        } else {
            sums[(at * splits + blockIdx.z) * DIM + d] = weighed;
            if (d == 0) parts[at * splits + blockIdx.z] = Part{largest, all};
        }
    }
}

// Grid: rows, query heads; DIM threads: the stretches of one row and head into `out`.
extern "C" __global__ void __launch_bounds__(DIM) merge(float* out, const float* sinks, const Part* parts, const float* sums, u32 heads, u32 splits) {
    const u32 head = blockIdx.y, d = threadIdx.x;
    const u64 at = (u64)blockIdx.x * heads + head;
    float largest = sinks ? sinks[head] : -SPARK_INF, weighed = 0.0f;
    for (u32 i = 0; i < splits; i++) largest = fmaxf(largest, parts[at * splits + i].most);
    float all = sinks ? power(sinks[head], largest) : 0.0f;
    for (u32 i = 0; i < splits; i++) {
        const Part part = parts[at * splits + i];
        const float weight = power(part.most, largest);
        all += part.total * weight;
        weighed += sums[(at * splits + i) * DIM + d] * weight;
    }
    out[at * DIM + d] = weighed / all;
}
