// Attention of many new tokens on the tensor cores of sm_80 and later: prefill, with an online softmax in f32.
//
// A query head of a new token is a line; lines of one sequence that share a key head stand token by token, head by head, so that a group
// of heads meets each key together and short chunks fill a tile. A block of 4 warps takes 64 · M_TILES lines, a warp 16 · M_TILES, and goes
// through the tokens that any of its lines sees, TOKENS at a time: keys and values come by cp.async into one of two stages while the
// other is worked on. Scores are m16n8k16 of queries times keys; their powers are the left operand of the products with values where they
// stand, in registers. Sums are multiplied again only when a line of the warp has found a larger score, which is rare after a few steps.
//
// The order of tokens in a block of 16 is chosen so that no fragment is shuffled: column n of score tile j is token 2n + j, so a lane holds the
// scores of tokens 4t … 4t + 3; values are put down in the order 0 1 4 5 8 9 12 13, 2 3 6 7 …, which makes those the lane's part of the left
// operand. The cache's keys stand as pairs of elements by 16 tokens, which is the right operand as it is: one 8-byte load from shared memory
// for two tiles, the chunks of 16 bytes exchanged by pair so that 16 lanes meet 32 banks. E4M3 is exact in bf16 and is unpacked on the way
// from shared memory; four tokens of a value stand together there, so that one word is the right operand of 16 tokens for one column.
//
// PARTS = 1: queries and powers in bf16, as the op says (activations = bf16). PARTS = 3: each as the sum of three bf16, which is all 24 bits of an
// f32, and three products: an f32 attention at a third of the tensor cores' rate, which is still above the f32 units' of H200 (8 times
// slower than bf16) and about theirs on sm_121 (4 times).
//
// Occupancy: at most 255 registers, 2 blocks an SM (8 warps). Shared memory, two stages: DIM = 64, TOKENS = 64: 34 KiB; 128, 32: 33 KiB; 256, 16:
// 33 KiB, with PARTS = 3 and 64 KiB of queries more 97 KiB: all below the 99 KiB that a block of sm_12x may have.
// Bytes: keys and values once for 64 · M_TILES lines, mostly from L2: at DIM = 128 and 128 lines 4 · 128 · 128 products and sums for 512 bytes of a token,
// 128 operations a byte; GB10's 48 SMs at 1024 a cycle want 8 bytes a cycle and SM from L2, H200 at mma.sync's 2.6 kFLOP a cycle 21.
// From shared memory a product of 4096 operations takes 256 bytes ÷ M_TILES: two cycles of the SM at M_TILES = 1, one at 2; a sub-core of sm_121
// takes 16 cycles for it and there are four: 8 of 16 cycles at M_TILES = 1. Softmax: an element is one multiply-add and one ex2, 16 of which a
// cycle and SM there are, beside 4 · DIM operations: 1/16 against DIM/256 cycles on sm_121 (8 to 1 at 128) and DIM/1024 on H200 (2 to 1).
// What wgmma would add on sm_90a: the right operand straight from shared memory, read once for 64 rows, and the full 4096 operations a cycle and
// SM, of which mma.sync reaches some 60 %; it wants keys and values as swizzled tiles, which the cache's blocks of 16 tokens are not.
//
// KV is KV_BF16 or KV_FP8; DIM a multiple of 16 up to 256; TOKENS a multiple of 16.
#include "attend.cuh"
#include "memory.cuh"
#include "mma.cuh"
#include "unpack.cuh"

#define KV_BF16 1
#define KV_FP8 3

#define WARPS 4
#define LINES (WARPS * 16 * M_TILES)
// Instructions along a head: of 16 elements of queries and keys, and of 16 columns of values.
#define STEPS (DIM / 16)
#define BLOCKS (TOKENS / 16)
#if KV == KV_FP8
#define CELL 1
#define VALUE_ROW (4 * DIM + 32)
#define VALUE_BYTES (4 * VALUE_ROW)
#else
#define CELL 2
#define VALUE_ROW (2 * DIM + 16)
#define VALUE_BYTES (16 * VALUE_ROW)
#endif
// Of a block of 16 tokens.
#define KEY_BYTES (16 * DIM * CELL)
#define STAGE_BYTES (BLOCKS * (KEY_BYTES + VALUE_BYTES))
// Queries that do not fit into registers wait in shared memory, as f32.
#define QUERIES_SHARED (PARTS == 3 && DIM > 128)

// Asks for the tokens of one step; what lies beyond `end` comes as zeros, because nothing times what was never written may be no number.
DEVICE void bring(u8* stage, const u8* keys, const u8* values, u32 step, u32 end) {
    const u32 first = step * BLOCKS, blocks = ceil_div(end, 16u);
    for (u32 i = threadIdx.x; i < BLOCKS * (KEY_BYTES / 16); i += 32 * WARPS) {
        const u32 block = i / (KEY_BYTES / 16), chunk = i % (KEY_BYTES / 16), line = chunk / 4;
        u8* to = stage + block * KEY_BYTES + line * 64 + ((chunk % 4 ^ (line & 2)) << 4);
        cp_async_16_or_zero(to, keys + (u64)(first + block) * KEY_BYTES + chunk * 16, first + block < blocks);
    }
    u8* rows = stage + BLOCKS * KEY_BYTES;
#if KV == KV_FP8
    for (u32 i = threadIdx.x; i < BLOCKS * DIM; i += 32 * WARPS) {
        const u32 block = i / DIM, group = i % DIM / (DIM / 4), chunk = i % (DIM / 4);
        cp_async_16_or_zero(rows + block * VALUE_BYTES + group * VALUE_ROW + chunk * 16, values + (u64)(first + block) * 16 * DIM + i % DIM * 16,
                            first + block < blocks);
    }
#else
    for (u32 i = threadIdx.x; i < TOKENS * (DIM / 8); i += 32 * WARPS) {
        const u32 token = i / (DIM / 8), chunk = i % (DIM / 8), slot = first * 16 + token;
        const u32 place = (token & 2) * 4 + (token % 16 >> 2) * 2 + (token & 1);
        cp_async_16_or_zero(rows + token / 16 * VALUE_BYTES + place * VALUE_ROW + chunk * 16, values + ((u64)slot * DIM + chunk * 8) * 2, slot < end);
    }
#endif
}

// A pair as the sum of PARTS pairs of bf16.
DEVICE void parts_of(float x, float y, u32 out[PARTS]) {
#pragma unroll
    for (u32 part = 0; part < PARTS; part++) {
        out[part] = f32x2_to_bf16x2(x, y);
        x -= low(out[part]), y -= high(out[part]);
    }
}

// Where the queries' elements stand that a lane brings to step `s`: pairs of κ = 2t and κ = 2t + 8 of the instruction.
#if KV == KV_FP8
DEVICE u32 first_pair(u32 s, u32 t) { return 16 * s + 4 * t; }
DEVICE u32 second_pair(u32 s, u32 t) { return 16 * s + 4 * t + 2; }
#else
DEVICE u32 first_pair(u32 s, u32 t) { return 16 * s + 2 * t; }
DEVICE u32 second_pair(u32 s, u32 t) { return 16 * s + 2 * t + 8; }
#endif

// Grid: tiles of lines, kv heads; one sequence, whose rows begin at `first_row` and are `count`.
extern "C" __global__ void __launch_bounds__(32 * WARPS, 2)
    attend_flash(const float* qkv, float* out, const u8* keys, const u8* values, const uint2* rows, const float* sinks, u32 first_row, u32 count,
                 u32 heads, u32 kv_heads, u32 slots, u32 window, float scale, float cap) {
    SHARED_DYNAMIC(shared);
    const u32 lane = lane_id(), g = lane / 4, t = lane % 4, warp = warp_id(), kv_head = blockIdx.y, group = heads / kv_heads;
    // The last tiles see most: they are begun first.
    const u32 lines = count * group, line0 = (gridDim.x - 1 - blockIdx.x) * LINES;
    const u32 past = rows[first_row].y;
    const u64 region = ((u64)rows[first_row].x * kv_heads + kv_head) * slots * DIM * CELL;
    keys += region, values += region;
    const u32 end = past + (min(line0 + LINES, lines) - 1) / group + 1, lowest = past + line0 / group + 1;
    const u32 begin = window && lowest > window ? lowest - window : 0;

    // This lane's lines: of tile m the rows g and g + 8. A line that is not there sees nothing.
    u32 seen[M_TILES][2], first[M_TILES][2];
    float most[M_TILES][2], total[M_TILES][2], sums[M_TILES][2 * STEPS][4] = {};
    const float* query[M_TILES][2];
#pragma unroll
    for (u32 m = 0; m < M_TILES; m++) {
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            const u32 line = line0 + (warp * M_TILES + m) * 16 + 8 * half + g, row = line / group, head = kv_head * group + line % group;
            const bool there = line < lines;
            seen[m][half] = there ? past + row + 1 : 0;
            first[m][half] = window && seen[m][half] > window ? seen[m][half] - window : 0;
            most[m][half] = sinks && there ? sinks[head] : -SPARK_INF;
            total[m][half] = sinks && there && t == 0 ? 1.0f : 0.0f;
            query[m][half] = there ? qkv + ((u64)(first_row + row) * (heads + 2 * kv_heads) + head) * DIM : nullptr;
        }
    }
    // What the warp's lines see together, and what all of them see.
    const u32 of_warp = line0 + warp * 16 * M_TILES, last_of_warp = min(of_warp + 16 * M_TILES, lines) - 1;
    const bool idle = of_warp >= lines;
    const u32 some = idle ? 0 : past + last_of_warp / group + 1, all = of_warp + 16 * M_TILES <= lines ? past + of_warp / group + 1 : 0;
    const u32 some_first = window && past + of_warp / group + 1 > window ? past + of_warp / group + 1 - window : 0;
    const u32 all_first = window && some > window ? some - window : 0;
#if QUERIES_SHARED
    float4* of_queries = (float4*)(shared + 2 * STAGE_BYTES) + warp * M_TILES * STEPS * 64 + lane;
#else
    u32 q[M_TILES][STEPS][PARTS][4];
#endif
#pragma unroll
    for (u32 m = 0; m < M_TILES; m++) {
#pragma unroll
        for (u32 s = 0; s < STEPS; s++) {
            float2 x[4] = {};
#pragma unroll
            for (u32 half = 0; half < 2; half++) {
                if (query[m][half]) {
                    x[half] = *(const float2*)(query[m][half] + first_pair(s, t));
                    x[2 + half] = *(const float2*)(query[m][half] + second_pair(s, t));
                }
            }
#if QUERIES_SHARED
            of_queries[(m * STEPS + s) * 64] = make_float4(x[0].x, x[0].y, x[1].x, x[1].y);
            of_queries[(m * STEPS + s) * 64 + 32] = make_float4(x[2].x, x[2].y, x[3].x, x[3].y);
#else
#pragma unroll
            for (u32 i = 0; i < 4; i++) {
                u32 parts[PARTS];
                parts_of(x[i].x, x[i].y, parts);
#pragma unroll
                for (u32 part = 0; part < PARTS; part++) q[m][s][part][i] = parts[part];
            }
#endif
        }
    }

    const u32 last = ceil_div(end, (u32)TOKENS);
    u32 step = begin / TOKENS;
    bring(shared + step % 2 * STAGE_BYTES, keys, values, step, end);
    cp_async_commit();
    for (; step < last; step++) {
        cp_async_wait<0>();
        // Everybody's part of this stage is there, and everybody is done with the other.
        __syncthreads();
        if (step + 1 < last) bring(shared + (step + 1) % 2 * STAGE_BYTES, keys, values, step + 1, end);
        cp_async_commit();
        const u32 slot0 = step * TOKENS;
        if (slot0 >= some || slot0 + TOKENS <= some_first) continue;
        const u8* key = shared + step % 2 * STAGE_BYTES + t * 64 + ((g / 2 ^ (t & 2)) << 4) + (g & 1) * 8;
        float score[M_TILES][BLOCKS][2][4] = {};
#pragma unroll
        for (u32 s = 0; s < STEPS; s++) {
#if QUERIES_SHARED
            u32 q_now[M_TILES][PARTS][4];
#pragma unroll
            for (u32 m = 0; m < M_TILES; m++) {
                const float4 upper = of_queries[(m * STEPS + s) * 64], lower = of_queries[(m * STEPS + s) * 64 + 32];
                const float pairs[4][2] = {{upper.x, upper.y}, {upper.z, upper.w}, {lower.x, lower.y}, {lower.z, lower.w}};
#pragma unroll
                for (u32 i = 0; i < 4; i++) {
                    u32 parts[PARTS];
                    parts_of(pairs[i][0], pairs[i][1], parts);
#pragma unroll
                    for (u32 part = 0; part < PARTS; part++) q_now[m][part][i] = parts[part];
                }
            }
#define QUERY(m, part) q_now[m][part]
#else
#define QUERY(m, part) q[m][s][part]
#endif
#pragma unroll
            for (u32 b = 0; b < BLOCKS; b++) {
                u32 right[2][2];
#if KV == KV_FP8
                const uint2 words = *(const uint2*)(key + b * KEY_BYTES + s * 256);
                e4m3x4_to_bf16x4(words.x, right[0]);
                e4m3x4_to_bf16x4(words.y, right[1]);
#else
                const uint2 near = *(const uint2*)(key + b * KEY_BYTES + s * 512), far = *(const uint2*)(key + b * KEY_BYTES + s * 512 + 256);
                right[0][0] = near.x, right[0][1] = far.x, right[1][0] = near.y, right[1][1] = far.y;
#endif
#pragma unroll
                for (u32 m = 0; m < M_TILES; m++) {
#pragma unroll
                    for (u32 j = 0; j < 2; j++) {
#pragma unroll
                        for (u32 part = 0; part < PARTS; part++) mma_bf16(score[m][b][j], QUERY(m, part), right[j]);
                    }
                }
            }
        }
        // Scores in powers of two; a line's largest, over the four lanes that share it.
        const bool masked = slot0 + TOKENS > all || slot0 < all_first;
        bool larger = false;
        float kept[M_TILES][2];
#pragma unroll
        for (u32 m = 0; m < M_TILES; m++) {
            float largest[2] = {most[m][0], most[m][1]};
#pragma unroll
            for (u32 b = 0; b < BLOCKS; b++) {
#pragma unroll
                for (u32 j = 0; j < 2; j++) {
#pragma unroll
                    for (u32 i = 0; i < 4; i++) {
                        float x = score[m][b][j][i] * scale;
                        if (cap != 0.0f) x = bent(x, cap);
                        const u32 slot = slot0 + 16 * b + 4 * t + 2 * (i % 2) + j, half = i / 2;
                        if (masked && (slot >= seen[m][half] || slot < first[m][half])) x = -SPARK_INF;
                        score[m][b][j][i] = x;
                        largest[half] = fmaxf(largest[half], x);
                    }
                }
            }
#pragma unroll
            for (u32 half = 0; half < 2; half++) {
                largest[half] = fmaxf(largest[half], __shfl_xor_sync(~0u, largest[half], 1));
                largest[half] = fmaxf(largest[half], __shfl_xor_sync(~0u, largest[half], 2));
                kept[m][half] = power(most[m][half], largest[half]);
                larger |= most[m][half] != largest[half];
                most[m][half] = largest[half];
            }
        }
        if (__any_sync(~0u, larger)) {
#pragma unroll
            for (u32 m = 0; m < M_TILES; m++) {
                total[m][0] *= kept[m][0], total[m][1] *= kept[m][1];
#pragma unroll
                for (u32 n = 0; n < 2 * STEPS; n++) {
                    sums[m][n][0] *= kept[m][0], sums[m][n][1] *= kept[m][0];
                    sums[m][n][2] *= kept[m][1], sums[m][n][3] *= kept[m][1];
                }
            }
        }
#pragma unroll
        for (u32 b = 0; b < BLOCKS; b++) {
            // Powers as the left operand: rows g and g + 8, tokens 4t and 4t + 1, then 4t + 2 and 4t + 3.
            u32 left[M_TILES][PARTS][4];
#pragma unroll
            for (u32 m = 0; m < M_TILES; m++) {
#pragma unroll
                for (u32 i = 0; i < 4; i++) {
                    // What sees nothing yet has no largest score: its powers are of minus infinity.
                    const float x = power(score[m][b][0][i], most[m][i / 2]), y = power(score[m][b][1][i], most[m][i / 2]);
                    total[m][i / 2] += x + y;
                    u32 parts[PARTS];
                    parts_of(x, y, parts);
#pragma unroll
                    for (u32 part = 0; part < PARTS; part++) left[m][part][i / 2 + 2 * (i % 2)] = parts[part];
                }
            }
            const u8* value = shared + step % 2 * STAGE_BYTES + BLOCKS * KEY_BYTES + b * VALUE_BYTES;
#if KV == KV_FP8
            // Of four tokens that stand together the last may never have been written.
            const u32 whole = end - min(end, slot0 + 16 * b + 4 * t), mask = whole >= 4 ? ~0u : (1u << 8 * whole) - 1;
#endif
#pragma unroll
            for (u32 s = 0; s < STEPS; s++) {
                u32 right[4];
#if KV == KV_FP8
                const u32* words = (const u32*)(value + t * VALUE_ROW) + 16 * s + g;
                e4m3x4_to_bf16x4(words[0] & mask, right);
                e4m3x4_to_bf16x4(words[8] & mask, right + 2);
#else
                ldmatrix_x4_trans(right, value + ((lane >> 3 & 1) * 8 + lane % 8) * VALUE_ROW + (2 * s + lane / 16) * 16);
#endif
#pragma unroll
                for (u32 m = 0; m < M_TILES; m++) {
#pragma unroll
                    for (u32 part = 0; part < PARTS; part++) {
                        mma_bf16(sums[m][2 * s], left[m][part], right);
                        mma_bf16(sums[m][2 * s + 1], left[m][part], right + 2);
                    }
                }
            }
        }
    }
#pragma unroll
    for (u32 m = 0; m < M_TILES; m++) {
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            float sum = total[m][half];
            sum += __shfl_xor_sync(~0u, sum, 1);
            sum += __shfl_xor_sync(~0u, sum, 2);
            if (seen[m][half] == 0) continue;
            const u32 row = first_row + seen[m][half] - past - 1, line = line0 + (warp * M_TILES + m) * 16 + 8 * half + g;
            float2* to = (float2*)(out + ((u64)row * heads + kv_head * group + line % group) * DIM) + t;
#pragma unroll
            for (u32 n = 0; n < 2 * STEPS; n++) to[4 * n] = make_float2(sums[m][n][2 * half] / sum, sums[m][n][2 * half + 1] / sum);
        }
    }
}
