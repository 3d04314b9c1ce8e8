// Eight four-bit codes of a word, unpacked in order (the low nibble first) into bytes or pairs, by table look-ups of `prmt`.
//
// `prmt` picks bytes of a table of eight by the low three bits of each of four nibbles; its fourth bit would spread a sign, so it is
// masked away and put back. Eight codes cost 2 look-ups for bytes and 4 more for pairs, about one instruction an element.
#pragma once
#include "convert.cuh"

// Bytes of table (low, high) at the codes of the low four nibbles.
DEVICE u32 look_up4(u32 low, u32 high, u32 nibbles) { return __byte_perm(low, high, nibbles & 0x7777u); }

// The sign bits of the low four nibbles, each at the top of its byte.
DEVICE u32 signs4(u32 nibbles) {
    u32 pairs = (nibbles & 0x88u) | (nibbles & 0x8800u) << 8;
    return (pairs & 0x00800080u) << 8 | (pairs & 0x00080008u) << 4;
}

// E2M1 as E4M3, exactly.
DEVICE void e2m1x8_to_e4m3x8(u32 codes, u32 out[2]) {
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 nibbles = codes >> 16 * half;
        out[half] = look_up4(0x3c383000u, 0x4c484440u, nibbles) | signs4(nibbles);
    }
}

// Twice the value of E2M1 as int8, exactly: two's complement negates byte by byte as (x ^ m) + (m & 1), and -0 is 0.
DEVICE void e2m1x8_to_twice_s8x8(u32 codes, u32 out[2]) {
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 nibbles = codes >> 16 * half;
        u32 sign = signs4(nibbles) >> 7, mask = sign * 0xffu;
        u32 flipped = look_up4(0x03020100u, 0x0c080604u, nibbles) ^ mask;
        // A zero with a sign is 0xff here, and adding 1 to it must not carry into the next byte.
        out[half] = ((flipped & 0x7f7f7f7fu) + sign) ^ (flipped & 0x80808080u);
    }
}

// Pairs whose upper bytes come from one table and whose lower bytes from another.
DEVICE void look_up_pairs(u32 codes, u32 low_low, u32 low_high, u32 high_low, u32 high_high, u32 out[4]) {
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 nibbles = codes >> 16 * half;
        u32 low = look_up4(low_low, low_high, nibbles);
        u32 high = look_up4(high_low, high_high, nibbles) | signs4(nibbles);
        out[2 * half] = __byte_perm(low, high, 0x5140);
        out[2 * half + 1] = __byte_perm(low, high, 0x7362);
    }
}

// 0, ½, 1, 1½, 2, 3, 4, 6 in bf16 are 0000 3f00 3f80 3fc0 4000 4040 4080 40c0.
DEVICE void e2m1x8_to_bf16x8(u32 codes, u32 out[4]) {
    look_up_pairs(codes, 0xc0800000u, 0xc0804000u, 0x3f3f3f00u, 0x40404040u, out);
}

// A quarter of each, 0, ⅛, ¼, ⅜, ½, ¾, 1, 1½, in bf16: 0000 3e00 3e80 3ec0 3f00 3f40 3f80 3fc0.
DEVICE void e2m1x8_to_quarter_bf16x8(u32 codes, u32 out[4]) {
    look_up_pairs(codes, 0xc0800000u, 0xc0804000u, 0x3e3e3e00u, 0x3f3f3f3fu, out);
}

// In f16 they are 0000 3800 3c00 3e00 4000 4200 4400 4600: the lower bytes are all 0.
DEVICE void e2m1x8_to_f16x8(u32 codes, u32 out[4]) {
    look_up_pairs(codes, 0, 0, 0x3e3c3800u, 0x46444240u, out);
}

// Codes of Q4_0: the nibble less 8, as int8.
DEVICE void q4x8_to_s8x8(u32 codes, u32 out[2]) {
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 nibbles = codes >> 16 * half;
        u32 spread = (nibbles & 0x00ffu) | (nibbles & 0xff00u) << 8;
        spread = (spread & 0x000f000fu) | (spread & 0x00f000f0u) << 4;
        // Nibble ^ 8 is the result in four bits of two's complement; the multiplication spreads its sign.
        u32 flipped = spread ^ 0x08080808u;
        out[half] = flipped | (flipped & 0x08080808u) * 0x1eu;
    }
}

// The same as bf16: 2^23 + nibble has the nibble at the end of its mantissa, and 2^23 + 8 less is exact.
DEVICE void q4x8_to_bf16x8(u32 codes, u32 out[4]) {
#pragma unroll
    for (u32 pair = 0; pair < 4; pair++) {
        u32 byte = codes >> 8 * pair;
        float low = __uint_as_float(0x4b000000u | (byte & 15)) - 8388616.0f;
        float high = __uint_as_float(0x4b000000u | (byte >> 4 & 15)) - 8388616.0f;
        out[pair] = __byte_perm(__float_as_uint(low), __float_as_uint(high), 0x7632);
    }
}

// E4M3 by way of f16, which holds each exactly.
DEVICE void e4m3x4_to_bf16x4(u32 codes, u32 out[2]) {
#pragma unroll
    for (u32 pair = 0; pair < 2; pair++) {
        float2 x = f16x2_to_f32x2(e4m3x2_to_f16x2((u16)(codes >> 16 * pair)));
        out[pair] = f32x2_to_bf16x2(x.x, x.y);
    }
}
