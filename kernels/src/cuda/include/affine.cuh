// Blocks of the formats of GGUF whose values are code · scale + offset; the table of their bytes is that of kernels/src/format/affine.rs.
//
// code · scale is exact in f32, so that the addition is the only rounding, fused or not. Blocks stand at even addresses, those of Q4_1 and
// Q5_1 at multiples of 4, those of Q4_K and Q5_K at multiples of 16.
#pragma once
#include "convert.cuh"

// The order of Format::ALL.
#define Q4_1 8
#define Q5_0 9
#define Q5_1 10
#define Q4_K 11
#define Q5_K 12
#define Q6_K 13

// Where the nibbles of a block begin, and of Q5_0, Q5_1 and Q5_K, four or 32 bytes before them, the fifth bits.
template <int KIND> struct Affine {
    static constexpr int ELEMENTS = KIND >= Q4_K ? 256 : 32;
    static constexpr int BYTES = KIND == Q4_1 ? 20 : KIND == Q5_0 ? 22 : KIND == Q5_1 ? 24 : KIND == Q4_K ? 144 : KIND == Q5_K ? 176 : 210;
    static constexpr int NIBBLES = KIND == Q4_1 ? 4 : KIND == Q5_0 ? 6 : KIND == Q5_1 ? 8 : KIND == Q4_K ? 16 : KIND == Q5_K ? 48 : 0;
};

// What a code is multiplied with, and what is added.
struct Line {
    float scale, offset;
};

DEVICE float half_at(const u8* at) { return f16_to_f32(*(const u16*)at); }

// The bytes s (or t) of four groups of Q4_K and Q5_K: `words` are the twelve bytes behind d and m; groups 4 … 7 if `upper`.
DEVICE u32 six_bits_s(const u32 words[3], bool upper) {
    return upper ? (words[2] & 0x0f0f0f0fu) | (words[0] >> 2 & 0x30303030u) : words[0] & 0x3f3f3f3fu;
}
DEVICE u32 six_bits_t(const u32 words[3], bool upper) {
    return upper ? (words[2] >> 4 & 0x0f0f0f0fu) | (words[1] >> 2 & 0x30303030u) : words[1] & 0x3f3f3f3fu;
}

DEVICE Line line_of(float d, float m, u32 s, u32 t) { return {d * (float)s, -(m * (float)t)}; }
// Of Q6_K, whose s are signed.
DEVICE Line line_of(float d, i8 s) {
    const float scale = d * (float)s;
    return {scale, -32.0f * scale};
}
// Of a whole block of Q4_1, Q5_0 or Q5_1.
template <int KIND> DEVICE Line line_of(const u8* block) {
    const float d = half_at(block);
    return {d, KIND == Q5_0 ? -16.0f * d : half_at(block + 2)};
}

// Element `at` of a block.
template <int KIND> DEVICE float affine_value(const u8* block, int at) {
    const u8* nibbles = block + Affine<KIND>::NIBBLES;
    u32 code;
    Line line;
    if (KIND == Q6_K) {
        // Quarters of a half: the first two low, the last two high.
        const int half = at / 128, quarter = at % 128 / 32, l = at % 32;
        code = nibbles[64 * half + 32 * (quarter % 2) + l] >> 4 * (quarter / 2) & 15;
        code |= (u32)(block[128 + 32 * half + l] >> 2 * quarter & 3) << 4;
        line = line_of(half_at(block + 208), (i8)block[192 + at / 16]);
    } else if (KIND >= Q4_K) {
        const u32* words = (const u32*)block;
        const int group = at / 32, l = at % 32, shift = 8 * (group % 4);
        code = nibbles[32 * (group / 2) + l] >> 4 * (group % 2) & 15;
        if (KIND == Q5_K) code |= (u32)(block[16 + l] >> group & 1) << 4;
        line = line_of(half_at(block), half_at(block + 2), six_bits_s(words + 1, group >= 4) >> shift & 63,
                       six_bits_t(words + 1, group >= 4) >> shift & 63);
    } else {
        code = nibbles[at % 16] >> 4 * (at / 16) & 15;
        if (KIND != Q4_1) code |= (u32)(nibbles[at / 8 - 4] >> at % 8 & 1) << 4;
        line = line_of<KIND>(block);
    }
    return fmaf((float)code, line.scale, line.offset);
}
