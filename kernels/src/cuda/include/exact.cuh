// Functions that give the bits of kernels/src/math.rs: nothing here is contracted into fused operations.
#pragma once
#include "types.cuh"

// 2^n for -126 <= n <= 127.
DEVICE float exact_power(i32 n) { return __int_as_float((n + 127) << 23); }

// e^x within 2 ulp. Below -103.98 it is 0, above 88.73 infinite, of NaN NaN.
DEVICE float exact_exp(float x) {
    if (x != x) return x;
    if (x > 88.73f) return SPARK_INF;
    if (x < -103.98f) return 0.0f;
    const float round = 12582912.0f;
    const float n = __fadd_rn(__fadd_rn(__fmul_rn(x, 1.44269504088896340736f), round), -round);
    float r = __fadd_rn(x, -__fmul_rn(n, __int_as_float(0x3f317200)));
    r = __fadd_rn(r, -__fmul_rn(n, __int_as_float(0x35bfbe8e)));
    float tail = __fadd_rn(1.0f / 720.0f, __fmul_rn(r, 1.0f / 5040.0f));
    tail = __fadd_rn(1.0f / 120.0f, __fmul_rn(r, tail));
    tail = __fadd_rn(1.0f / 24.0f, __fmul_rn(r, tail));
    tail = __fadd_rn(1.0f / 6.0f, __fmul_rn(r, tail));
    tail = __fadd_rn(1.0f / 2.0f, __fmul_rn(r, tail));
    const float mantissa = __fadd_rn(1.0f, __fadd_rn(r, __fmul_rn(__fmul_rn(r, r), tail)));
    const i32 whole = (i32)n, half = whole / 2;
    return __fmul_rn(__fmul_rn(mantissa, exact_power(half)), exact_power(whole - half));
}
