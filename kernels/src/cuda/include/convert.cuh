// Number formats, one element or one pair at a time: bf16, f16, E4M3, E8M0, E2M1 to f32 and back, rounded to nearest even.
//
// The rules are those of kernels/src/format, code for code: saturating E4M3 and E2M1, NaN to 0x7f in E4M3 and to +6 in E2M1.
#pragma once
#include "types.cuh"

DEVICE float bf16_to_f32(u16 x) { return __uint_as_float((u32)x << 16); }
DEVICE float2 bf16x2_to_f32x2(u32 x) { return make_float2(__uint_as_float(x << 16), __uint_as_float(x & 0xffff0000u)); }

#if defined(SPARK_CUDA_ON_CPU)
DEVICE u32 f32x2_to_bf16x2(float lo, float hi) { return spark::bf16(lo) | (u32)spark::bf16(hi) << 16; }
DEVICE float f16_to_f32(u16 x) { return spark::from_f16(x); }
DEVICE u32 f32x2_to_f16x2(float lo, float hi) { return spark::f16(lo) | (u32)spark::f16(hi) << 16; }
#else
DEVICE u32 f32x2_to_bf16x2(float lo, float hi) {
    u32 out;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(hi), "f"(lo));
    return out;
}
DEVICE float f16_to_f32(u16 x) {
    float out;
    asm("cvt.f32.f16 %0, %1;" : "=f"(out) : "h"(x));
    return out;
}
DEVICE u32 f32x2_to_f16x2(float lo, float hi) {
    u32 out;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(hi), "f"(lo));
    return out;
}
#endif

// Products of pairs of bf16, each rounded once; sm_90 and up have them in one instruction.
#if defined(SPARK_CUDA_ON_CPU) || __CUDA_ARCH__ < 900
DEVICE u32 mul_bf16x2(u32 a, u32 b) {
    const float2 x = bf16x2_to_f32x2(a), y = bf16x2_to_f32x2(b);
    return f32x2_to_bf16x2(__fmul_rn(x.x, y.x), __fmul_rn(x.y, y.y));
}
#else
DEVICE u32 mul_bf16x2(u32 a, u32 b) {
    u32 out;
    asm("mul.rn.bf16x2 %0, %1, %2;" : "=r"(out) : "r"(a), "r"(b));
    return out;
}
#endif

DEVICE u16 f32_to_bf16(float x) { return (u16)f32x2_to_bf16x2(x, 0.0f); }
DEVICE u16 f32_to_f16(float x) { return (u16)f32x2_to_f16x2(x, 0.0f); }
DEVICE float2 f16x2_to_f32x2(u32 x) { return make_float2(f16_to_f32((u16)x), f16_to_f32((u16)(x >> 16))); }

// E4M3 moved into the exponent of an f32, which is 120 too small for it: one exact multiplication, subnormals included.
DEVICE float e4m3_to_f32(u8 x) {
    float value = __uint_as_float((u32)(x & 0x7f) << 20) * 0x1p120f;
    u32 bits = (x & 0x7f) == 0x7f ? 0x7fc00000u : __float_as_uint(value);
    return __uint_as_float(bits | (u32)(x & 0x80) << 24);
}

#if defined(SPARK_CUDA_ON_CPU) || __CUDA_ARCH__ < 890
DEVICE u8 f32_to_e4m3(float x) {
    u32 bits = __float_as_uint(x), a = bits & 0x7fffffffu, sign = bits >> 24 & 0x80;
    if (a > 0x7f800000u) return 0x7f;
    // Below 2^-6 the unit in the last place of 2^14 is the subnormal step, so the addition does the rounding.
    float small = __fadd_rn(__uint_as_float(a), 16384.0f);
    u32 normal = ((a + 0x7ffffu + (a >> 20 & 1)) >> 20) - 960;
    u32 code = a >= 0x43e00000u ? 0x7eu : a < 0x3c800000u ? __float_as_uint(small) - 0x46800000u : normal;
    return (u8)(sign | code);
}
DEVICE u16 f32x2_to_e4m3x2(float lo, float hi) { return (u16)(f32_to_e4m3(lo) | f32_to_e4m3(hi) << 8); }
DEVICE u32 e4m3x2_to_f16x2(u16 x) { return f32x2_to_f16x2(e4m3_to_f32((u8)x), e4m3_to_f32((u8)(x >> 8))); }
#else
DEVICE u16 f32x2_to_e4m3x2(float lo, float hi) {
    u16 out;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(out) : "f"(hi), "f"(lo));
    return out;
}
DEVICE u8 f32_to_e4m3(float x) { return (u8)f32x2_to_e4m3x2(x, 0.0f); }
DEVICE u32 e4m3x2_to_f16x2(u16 x) {
    u32 out;
    asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(out) : "h"(x));
    return out;
}
#endif

DEVICE u32 f32x4_to_e4m3x4(float a, float b, float c, float d) {
    return f32x2_to_e4m3x2(a, b) | (u32)f32x2_to_e4m3x2(c, d) << 16;
}

DEVICE float e8m0_to_f32(u8 x) {
    return __uint_as_float(x == 0 ? 0x400000u : x == 0xff ? 0x7fc00000u : (u32)x << 23);
}
// The largest power of two not above x: its exponent field; NaN for what is negative or NaN.
DEVICE u8 f32_to_e8m0_floor(float x) { return !(x >= 0.0f) ? 0xff : (u8)(__float_as_uint(x) >> 23); }

DEVICE float e2m1_to_f32(u32 code) {
    return __uint_as_float((code & 7) << 22) * 0x1p126f * (code & 8 ? -1.0f : 1.0f);
}

#if defined(SPARK_CUDA_ON_CPU) || !SPARK_HAS_FP4_CVT
// Counts the midpoints passed; the one above an odd code is passed on equality: ties to even.
DEVICE u8 f32_to_e2m1(float x) {
    u32 bits = __float_as_uint(x);
    float a = fabsf(x);
    u32 code = (a > 0.25f) + (a >= 0.75f) + (a > 1.25f) + (a >= 1.75f) + (a > 2.5f) + (a >= 3.5f) + (a > 5.0f);
    return a != a ? 7 : (u8)(bits >> 28 & 8 | code);
}
DEVICE u8 f32x2_to_e2m1x2(float lo, float hi) { return (u8)(f32_to_e2m1(lo) | f32_to_e2m1(hi) << 4); }
#else
DEVICE u8 f32x2_to_e2m1x2(float lo, float hi) {
    u16 out;
    asm("{\n.reg .b8 pair;\ncvt.rn.satfinite.e2m1x2.f32 pair, %1, %2;\ncvt.u16.u8 %0, pair;\n}" : "=h"(out) : "f"(hi), "f"(lo));
    return (u8)out;
}
DEVICE u8 f32_to_e2m1(float x) { return f32x2_to_e2m1x2(x, 0.0f) & 15; }
#endif

DEVICE u32 f32x8_to_e2m1x8(const float x[8]) {
    return f32x2_to_e2m1x2(x[0], x[1]) | (u32)f32x2_to_e2m1x2(x[2], x[3]) << 8 | (u32)f32x2_to_e2m1x2(x[4], x[5]) << 16
        | (u32)f32x2_to_e2m1x2(x[6], x[7]) << 24;
}
