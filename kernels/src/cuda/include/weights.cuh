// Canonical weights, as kernels/src/format stores them: an element of a row, and a block of it as integers.
#pragma once
#include "affine.cuh"

// The order of Format::ALL.
#define MXFP4 0
#define NVFP4 1
#define Q8_0 2
#define Q4_0 3
#define FP8 4
#define BF16 5
#define F16 6
#define F32 7

template <int KIND> struct Stored {
    static constexpr int ELEMENTS = KIND == NVFP4 ? 16 : KIND <= Q4_0 ? 32 : KIND >= Q4_1 ? Affine<KIND>::ELEMENTS : 1;
    static constexpr int BYTES = KIND >= Q4_1 ? Affine<KIND>::BYTES : KIND == MXFP4 ? 17 : KIND == NVFP4 ? 9 : KIND == Q8_0 ? 34 : KIND == Q4_0 ? 18
        : KIND == FP8 ? 1 : KIND == F32 ? 4 : 2;
};

// Blocks stand at odd addresses: bytes are what can be read everywhere.
DEVICE u16 two_bytes(const u8* at) { return (u16)(at[0] | at[1] << 8); }

// Element i of a row, without the scale of the tensor or the row.
template <int KIND> DEVICE float stored_value(const u8* row, int i) {
    const u8* block = row + (size_t)(i / Stored<KIND>::ELEMENTS) * Stored<KIND>::BYTES;
    const int at = i % Stored<KIND>::ELEMENTS;
    if (KIND == MXFP4) return e2m1_to_f32(block[1 + at / 2] >> (4 * (at & 1)) & 15) * e8m0_to_f32(block[0]);
    if (KIND == NVFP4) return e2m1_to_f32(block[1 + at / 2] >> (4 * (at & 1)) & 15) * e4m3_to_f32(block[0]);
    if (KIND == Q8_0) return (float)(i8)block[2 + at] * f16_to_f32(two_bytes(block));
    if (KIND == Q4_0) {
        const int code = at < 16 ? block[2 + at] & 15 : block[2 + at - 16] >> 4;
        return (float)(code - 8) * f16_to_f32(two_bytes(block));
    }
    if (KIND == FP8) return e4m3_to_f32(block[0]);
    if (KIND == BF16) return bf16_to_f32(*(const u16*)block);
    if (KIND == F16) return f16_to_f32(*(const u16*)block);
    if (KIND >= Q4_1) return affine_value<KIND>(block, at);
    return *(const float*)block;
}

// Twice the value of an E2M1 code.
DEVICE i32 e2m1_twice(u32 code) {
    const i32 magnitude = (i32)(0xc8643210u >> (4 * (code & 7)) & 15);
    return code & 8 ? -magnitude : magnitude;
}

// The integer of element `at` of a block; the value is that times stored_scale.
template <int KIND> DEVICE i32 stored_code(const u8* block, int at) {
    if (KIND == MXFP4 || KIND == NVFP4) return e2m1_twice(block[1 + at / 2] >> (4 * (at & 1)) & 15);
    if (KIND == Q8_0) return (i8)block[2 + at];
    return (at < 16 ? block[2 + at] & 15 : block[2 + at - 16] >> 4) - 8;
}
template <int KIND> DEVICE float stored_scale(const u8* block) {
    if (KIND == MXFP4) return 0.5f * e8m0_to_f32(block[0]);
    if (KIND == NVFP4) return 0.5f * e4m3_to_f32(block[0]);
    return f16_to_f32(two_bytes(block));
}
