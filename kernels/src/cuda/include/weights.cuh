// Canonical weights, as kernels/src/format stores them: an element of a row, and a block of it as integers.
#pragma once
#include "convert.cuh"

// The order of Format::ALL.
#define MXFP4 0
#define NVFP4 1
#define Q8_0 2
#define Q4_0 3
#define FP8 4
#define BF16 5
#define F16 6
#define F32 7

template <int FORMAT> struct Stored {
    static constexpr int ELEMENTS = FORMAT == NVFP4 ? 16 : FORMAT <= Q4_0 ? 32 : 1;
    static constexpr int BYTES = FORMAT == MXFP4 ? 17 : FORMAT == NVFP4 ? 9 : FORMAT == Q8_0 ? 34 : FORMAT == Q4_0 ? 18
        : FORMAT == FP8 ? 1 : FORMAT == F32 ? 4 : 2;
};

// Blocks stand at odd addresses: bytes are what can be read everywhere.
DEVICE u16 two_bytes(const u8* at) { return (u16)(at[0] | at[1] << 8); }

// Element i of a row, without the scale of the tensor or the row.
template <int FORMAT> DEVICE float stored_value(const u8* row, int i) {
    const u8* block = row + (size_t)(i / Stored<FORMAT>::ELEMENTS) * Stored<FORMAT>::BYTES;
    const int at = i % Stored<FORMAT>::ELEMENTS;
    if (FORMAT == MXFP4) return e2m1_to_f32(block[1 + at / 2] >> (4 * (at & 1)) & 15) * e8m0_to_f32(block[0]);
    if (FORMAT == NVFP4) return e2m1_to_f32(block[1 + at / 2] >> (4 * (at & 1)) & 15) * e4m3_to_f32(block[0]);
    if (FORMAT == Q8_0) return (float)(i8)block[2 + at] * f16_to_f32(two_bytes(block));
    if (FORMAT == Q4_0) {
        const int code = at < 16 ? block[2 + at] & 15 : block[2 + at - 16] >> 4;
        return (float)(code - 8) * f16_to_f32(two_bytes(block));
    }
    if (FORMAT == FP8) return e4m3_to_f32(block[0]);
    if (FORMAT == BF16) return bf16_to_f32(*(const u16*)block);
    if (FORMAT == F16) return f16_to_f32(*(const u16*)block);
    return *(const float*)block;
}

// Twice the value of an E2M1 code.
DEVICE i32 e2m1_twice(u32 code) {
    const i32 magnitude = (i32)(0xc8643210u >> (4 * (code & 7)) & 15);
    return code & 8 ? -magnitude : magnitude;
}

// The integer of element `at` of a block; the value is that times stored_scale.
template <int FORMAT> DEVICE i32 stored_code(const u8* block, int at) {
    if (FORMAT == MXFP4 || FORMAT == NVFP4) return e2m1_twice(block[1 + at / 2] >> (4 * (at & 1)) & 15);
    if (FORMAT == Q8_0) return (i8)block[2 + at];
    return (at < 16 ? block[2 + at] & 15 : block[2 + at - 16] >> 4) - 8;
}
template <int FORMAT> DEVICE float stored_scale(const u8* block) {
    if (FORMAT == MXFP4) return 0.5f * e8m0_to_f32(block[0]);
    if (FORMAT == NVFP4) return 0.5f * e4m3_to_f32(block[0]);
    return f16_to_f32(two_bytes(block));
}
