// Packs canonical weights into tiles (tile.cuh): once, when a gemm is prepared.
//
// Bytes: the weights once in and once out; a thread writes 16 bytes and gathers them from one block's few bytes each, through L1.
// FORMAT as in tile.cuh; ORDERED = 1 keeps FP4 elements as the block-scaled instruction wants them: 8t … 8t+7 of each 32, whatever the block.
// Occupancy: 256 threads, no shared memory; nobody waits for its speed.
#include "tile.cuh"

#if FORMAT == NVFP4 && ORDERED
#define SPAN 32
#else
#define SPAN BLOCK
#endif
// Elements of a lane in a span, and bytes of them.
#define SPAN_GROUP (SPAN / 4)

#if FORMAT <= Q4_0 && FORMAT != Q8_0
// Four bits of element `e` of a row of blocks.
DEVICE u32 nibble(const u8* row, u32 e) {
    const u8* codes = row + e / BLOCK * BLOCK_BYTES + SCALE_BYTES;
    u32 i = e % BLOCK;
#if FORMAT == Q4_0
    return i < 16 ? codes[i] & 15u : codes[i - 16] >> 4;
#else
    u32 code = codes[i / 2] >> 4 * (i % 2) & 15u;
#if FORMAT == NVFP4
    // A negative scale is a positive one of negated elements.
    if (row[e / BLOCK * BLOCK_BYTES] & 0x80) code ^= 8;
#else
    // Elements below a scale of NaN count for nothing: their output is NaN by its own scale.
    if (row[e / BLOCK * BLOCK_BYTES] == 0xff) code = 0;
#endif
    return code;
#endif
}
#endif

// Byte `i` of the 16 of lane t, of the tile that begins at element `from`; the row's canonical bytes, `k` elements of them.
DEVICE u8 packed(const u8* row, u32 k, u32 from, u32 t, u32 i) {
#if FORMAT == MXFP4 || FORMAT == NVFP4
    u32 e = from + i / (SPAN_GROUP / 2) * SPAN + SPAN_GROUP * t + 2 * (i % (SPAN_GROUP / 2));
    return e < k ? (u8)(nibble(row, e) | nibble(row, e + 1) << 4) : 0;
#elif FORMAT == Q4_0
    // Byte j of a word holds elements j and j + 4 of the lane's eight.
    u32 e = from + i / 4 * BLOCK + GROUP * t + i % 4;
    return e < k ? (u8)(nibble(row, e) | nibble(row, e + 4) << 4) : 0x88;
#elif FORMAT == Q8_0
    u32 e = from + i / GROUP * BLOCK + GROUP * t + i % GROUP;
    return e < k ? row[e / BLOCK * BLOCK_BYTES + SCALE_BYTES + e % BLOCK] : 0;
#elif FORMAT == FP8
    u32 e = from + i / GROUP * BLOCK + GROUP * t + i % GROUP;
    return e < k ? row[e] : 0;
#else
    u32 e = from + GROUP * t + i / 2;
    return e < k ? row[2 * e + i % 2] : 0;
#endif
}

// One thread for each 16 bytes of `tiles`.
extern "C" __global__ void __launch_bounds__(256) pack_tiles(const u8* weights, u64 row_bytes, u32 n, u32 k, uint4* tiles) {
    const u32 k_tiles = ceil_div(k, (u32)K_TILE);
    const u64 at = (u64)blockIdx.x * 256 + threadIdx.x, tile = at / 64;
    if (tile >= (u64)ceil_div(n, 16u) * k_tiles) return;
    const u32 half = at / 32 % 2, lane = at % 32, output = (u32)(tile / k_tiles) * 16 + 8 * half + lane / 4;
    const u32 from = (u32)(tile % k_tiles) * K_TILE;
    u32 words[4];
    for (u32 word = 0; word < 4; word++) {
        words[word] = 0;
        for (u32 i = 0; i < 4; i++) {
            u32 byte = output < n ? packed(weights + output * row_bytes, k, from, lane % 4, 4 * word + i) : FORMAT == Q4_0 ? 0x88 : 0;
            words[word] |= byte << 8 * i;
        }
    }
    tiles[at] = make_uint4(words[0], words[1], words[2], words[3]);
}

// One block of threads for each output, those beyond n too: `scales` and the factor of the output. Of `given`, one f32 is every output's
// (its stride is 0) or each has its own (1); without any it is 1.
extern "C" __global__ void __launch_bounds__(256)
    pack_scales(const u8* weights, u64 row_bytes, u32 n, u32 k, const float* given, u32 stride, u8* scales, float* factors) {
    const u32 output = blockIdx.x, k_tiles = ceil_div(k, (u32)K_TILE);
    int poisoned = 0;
#if SCALE_BYTES > 0
    const u8* row = weights + output * row_bytes;
    for (u32 block = threadIdx.x; block < k_tiles * BLOCKS; block += 256) {
        u32 bits = 0;
        if (output < n && block < k / BLOCK) {
            const u8* at = row + (u64)block * BLOCK_BYTES;
#if FORMAT == MXFP4
            bits = at[0];
            if (bits == 0xff) poisoned = 1, bits = 0;
#elif FORMAT == NVFP4
            bits = at[0] & 0x7f;
            if (bits == 0x7f) poisoned = 1, bits = 0;
#else
            bits = at[0] | (u32)at[1] << 8;
#endif
        }
        u8* out = scales + (((u64)(output / 16) * k_tiles + block / BLOCKS) * 16 + output % 16) * ROW_SCALES + block % BLOCKS * SCALE_BYTES;
        for (u32 i = 0; i < SCALE_BYTES; i++) out[i] = (u8)(bits >> 8 * i);
    }
#endif
    poisoned = __syncthreads_or(poisoned);
    if (threadIdx.x != 0) return;
    float factor = given && output < n ? given[(u64)output * stride] : 1.0f;
    factors[output] = poisoned ? SPARK_NAN : factor;
}
