// What attention does with scores, whatever computes them: the softcap, and powers of e relative to the largest score.
#pragma once
#include "exact.cuh"

#define LOG2_E 1.44269504f

DEVICE float low(u32 pair) { return __uint_as_float(pair << 16); }
DEVICE float high(u32 pair) { return __uint_as_float(pair & 0xffff0000u); }

// cap·tanh(score ÷ cap).
DEVICE float bent(float score, float cap) {
    const float t = exact_exp(-2.0f * fabsf(score / cap)), to = cap * ((1.0f - t) / (1.0f + t));
    return score < 0.0f ? -to : to;
}
// 2^x within 2 ulp, what is below 2^-126 as 0: one instruction.
DEVICE float exp2_fast(float x) {
#if defined(SPARK_CUDA_ON_CPU)
    return exp2f(x);
#else
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
#endif
}
// e^(x − most), where nothing yet is minus infinity. The product rounds the exponent by |x − most| · 2^-24: as much as a score's own
// last addition, of which the bound allows head_dim.
DEVICE float power(float x, float most) { return x == -SPARK_INF ? 0.0f : exp2_fast((x - most) * LOG2_E); }
