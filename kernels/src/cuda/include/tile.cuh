// Weights packed in tiles of 16 outputs, 1 KiB each, so that a warp reads a fragment of mma.sync with two coalesced loads of 16 bytes.
//
// A tile holds K_TILE elements along k of 16 outputs: [half][lane][16 bytes], lane = 4g + t; half 0 is output g, half 1 output g + 8.
// Tiles stand [output ÷ 16][k ÷ K_TILE], padded with zeros. The 16 bytes of lane t are, in order, its GROUP elements of each block of
// BLOCK along k: elements GROUP·t … of it. So every block's elements are spread over the four lanes of a row, as the instruction
// sums them, and activations in the same order along k (`x_place`) need no shuffle either.
// Scales stand [output ÷ 16][k ÷ K_TILE][16 outputs][blocks of a tile], as stored; one f32 an output stands beside them: the tensor's or
// the output's scale, NaN where a block's scale is NaN, since a NaN block makes every product of its output NaN.
#pragma once
#include "types.cuh"

#define MXFP4 0
#define NVFP4 1
#define Q8_0 2
#define Q4_0 3
#define FP8 4
#define BF16 5

#define TILE_BYTES 1024
#define TILE_OUTPUTS 16

#if FORMAT == MXFP4
#define K_TILE 128
#define BLOCK 32
#define BLOCK_BYTES 17
#define SCALE_BYTES 1
#elif FORMAT == NVFP4
#define K_TILE 128
#define BLOCK 16
#define BLOCK_BYTES 9
#define SCALE_BYTES 1
#elif FORMAT == Q4_0
#define K_TILE 128
#define BLOCK 32
#define BLOCK_BYTES 18
#define SCALE_BYTES 2
#elif FORMAT == Q8_0
#define K_TILE 64
#define BLOCK 32
#define BLOCK_BYTES 34
#define SCALE_BYTES 2
#elif FORMAT == FP8
#define K_TILE 64
#define BLOCK 32
#define SCALE_BYTES 0
#else
#define K_TILE 32
#define BLOCK 32
#define SCALE_BYTES 0
#endif
#define GROUP (BLOCK / 4)
#define BLOCKS (K_TILE / BLOCK)
// Bytes of scales of one output in one tile.
#define ROW_SCALES (BLOCKS * SCALE_BYTES)

// Where element `e` of a row of activations stands among those of the row, padded to whole tiles.
DEVICE u32 x_place(u32 e) {
    u32 in_tile = e % K_TILE, block = in_tile / BLOCK, lane = in_tile % BLOCK / GROUP;
    return e - in_tile + lane * (K_TILE / 4) + block * GROUP + in_tile % GROUP;
}

// PTX's byte permutation: a nibble of `selector` picks one of eight bytes by its low three bits, and with the fourth set gives the
// sign of that byte eight times. (__byte_perm promises nothing for the fourth.)
DEVICE u32 permute(u32 low, u32 high, u32 selector) {
#if defined(SPARK_CUDA_ON_CPU)
    u32 result = 0;
    for (u32 i = 0; i < 4; i++) {
        u32 nibble = selector >> 4 * i & 15, byte = (nibble & 4 ? high : low) >> 8 * (nibble & 3) & 0xff;
        if (nibble & 8) byte = byte & 0x80 ? 0xff : 0;
        result |= byte << 8 * i;
    }
    return result;
#else
    u32 result;
    asm("prmt.b32 %0, %1, %2, %3;" : "=r"(result) : "r"(low), "r"(high), "r"(selector));
    return result;
#endif
}

// Four E2M1 codes, the low 16 bits, as twice their value + 12: unsigned bytes of 0 … 24, in order. A code of 8 or more finds 0 in the
// table of doubled magnitudes, whose bytes have no sign, and 12 − m in the other; a code below finds 2m and 12 − m.
DEVICE u32 e2m1x4_twice_plus_12(u32 codes, u32 masked) {
    return permute(0x06040200u, 0x18100c08u, codes) + permute(0x090a0b0cu, 0x00040608u, masked);
}
DEVICE void e2m1x8_twice_plus_12(u32 codes, u32& low, u32& high) {
    u32 masked = codes & 0x77777777u;
    low = e2m1x4_twice_plus_12(codes, masked);
    high = e2m1x4_twice_plus_12(codes >> 16, masked >> 16);
}

// The same as twice the value, signed: 128 ± m has the bits of ±m but for the uppermost.
DEVICE u32 e2m1x4_twice(u32 codes, u32 masked) {
    return (permute(0x06040200u, 0x18100c08u, codes) + permute(0x7d7e7f80u, 0x74787a7cu, masked)) ^ 0x80808080u;
}
DEVICE void e2m1x8_twice(u32 codes, u32& low, u32& high) {
    u32 masked = codes & 0x77777777u;
    low = e2m1x4_twice(codes, masked);
    high = e2m1x4_twice(codes >> 16, masked >> 16);
}
// Four nibbles of Q4_0, the low ones of the bytes, less 8: 120 + nibble likewise.
DEVICE u32 q4x4_less_8(u32 codes) { return ((codes & 0x0f0f0f0fu) + 0x78787878u) ^ 0x80808080u; }

// What int32 sums of bytes start with, so that their bits are those of the f32 1.5 · 2^23 + sum: no conversion is needed then.
#define SUM_BITS 0x4b400000
#define SUM_BASE 12582912.0f

// What is added to each code instead of spreading its sign over a byte (they stay below 128); its part of a sum, OFFSET · Σ of the block's activations, is taken off at the start.
#if FORMAT == MXFP4 || FORMAT == NVFP4
#define OFFSET 12
#elif FORMAT == Q4_0
#define OFFSET 8
#else
#define OFFSET 0
#endif
