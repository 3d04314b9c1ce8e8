// Number formats as their standards define them, by arithmetic and search: no code is shared with what the kernels use.
#pragma once
#include "builtins.h"

namespace spark {
inline unsigned short bf16(float x) {
    unsigned b = bits<unsigned>(x);
    if (__builtin_isnan(x)) return 0x7fff;
    return (unsigned short)((b + 0x7fff + (b >> 16 & 1)) >> 16);
}
inline float from_bf16(unsigned short x) { return bits<float>((unsigned)x << 16); }

// A number of `exponent` and `mantissa` bits: its value, were every exponent a finite one.
inline float minifloat(unsigned code, int exponent, int mantissa, int bias) {
    unsigned e = code >> mantissa & ((1u << exponent) - 1), m = code & ((1u << mantissa) - 1);
    float value = e ? ldexpf((float)((1u << mantissa) + m), (int)e - bias - mantissa) : ldexpf((float)m, 1 - bias - mantissa);
    return code >> (exponent + mantissa) & 1 ? -value : value;
}
inline float from_f16(unsigned short x) {
    if ((x & 0x7c00) == 0x7c00) return x & 0x3ff ? __builtin_nanf("") : x & 0x8000 ? -__builtin_inff() : __builtin_inff();
    return minifloat(x, 5, 10, 15);
}
inline unsigned short f16(float x) {
    if (__builtin_isnan(x)) return 0x7fff;
    unsigned sign = bits<unsigned>(x) >> 16 & 0x8000;
    double a = __builtin_fabs((double)x);
    if (a >= 65520.0) return (unsigned short)(sign | 0x7c00);
    // The step at this size: 2^-24 for subnormals, else 2^(e - 10); rint rounds to even.
    int e = a < 0x1p-14 ? -14 : __builtin_ilogb(a);
    double units = __builtin_rint(__builtin_ldexp(a, 10 - e));
    unsigned code = a < 0x1p-14 ? (unsigned)units : ((unsigned)(e + 14) << 10) + (unsigned)units;
    return (unsigned short)(sign | code);
}
inline float from_e4m3(unsigned code) { return (code & 0x7f) == 0x7f ? __builtin_nanf("") : minifloat(code, 4, 3, 7); }
inline float from_e2m1(unsigned code) { return minifloat(code, 2, 1, 1); }
inline float from_e8m0(unsigned code) { return code == 255 ? __builtin_nanf("") : ldexpf(1.0f, (int)code - 127); }

// The values of all codes, made once: a product of tensor cores looks up thousands.
template <float VALUE(unsigned), int N> struct Table {
    float of[N];
    Table() {
        for (unsigned i = 0; i < N; i++) of[i] = VALUE(i);
    }
    static float at(unsigned code) {
        static const Table table;
        return table.of[code];
    }
};

// What a tensor core multiplies: bits an element, elements along k that one instruction takes, the type of its sums, the value.
struct Bf16 {
    static constexpr int bits = 16, k = 16;
    typedef float Sum;
    static float value(unsigned x) { return from_bf16((unsigned short)x); }
};
struct Fp16 {
    static constexpr int bits = 16, k = 16;
    typedef float Sum;
    static float of(unsigned x) { return from_f16((unsigned short)x); }
    static float value(unsigned x) { return Table<of, 65536>::at(x); }
};
struct E4m3 {
    static constexpr int bits = 8, k = 32;
    typedef float Sum;
    static float value(unsigned x) { return Table<from_e4m3, 256>::at(x); }
};
struct S8 {
    static constexpr int bits = 8, k = 32;
    typedef int Sum;
    static float value(unsigned x) { return (float)(signed char)x; }
};
struct E2m1 {
    static constexpr int bits = 4, k = 64;
    typedef float Sum;
    static float value(unsigned x) { return Table<from_e2m1, 16>::at(x); }
};
// Elements with a scale for each block of k.
struct Nvfp4 : E2m1 {
    static constexpr int block = 16;
    // The sign of a scale is not looked at: it is UE4M3.
    static float scale(unsigned x) { return Table<from_e4m3, 256>::at(x & 0x7f); }
};
struct Mxfp4 : E2m1 {
    static constexpr int block = 32;
    static float scale(unsigned x) { return Table<from_e8m0, 256>::at(x); }
};
struct Mxfp8 : E4m3 {
    static constexpr int block = 32;
    static float scale(unsigned x) { return Table<from_e8m0, 256>::at(x); }
};
}  // namespace spark
