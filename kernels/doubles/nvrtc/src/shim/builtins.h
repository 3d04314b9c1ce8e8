// The functions that CUDA's compiler knows without a header: bits, rounding, atomics, barriers, shuffles.
#pragma once
#include "machine.h"
#include "vectors.h"

#define threadIdx (spark::current->index)
#define blockIdx (spark::block_index)
#define blockDim (spark::block_size)
#define gridDim (spark::grid_size)
#define warpSize 32

extern "C" {
float expf(float) noexcept, exp2f(float) noexcept, exp10f(float) noexcept, expm1f(float) noexcept, logf(float) noexcept;
float log2f(float) noexcept, log10f(float) noexcept, log1pf(float) noexcept, powf(float, float) noexcept, sinf(float) noexcept;
float cosf(float) noexcept, tanf(float) noexcept, tanhf(float) noexcept, erff(float) noexcept, sqrtf(float) noexcept;
float fabsf(float) noexcept, floorf(float) noexcept, ceilf(float) noexcept, truncf(float) noexcept, rintf(float) noexcept;
float roundf(float) noexcept, nearbyintf(float) noexcept, fmaf(float, float, float) noexcept, fmaxf(float, float) noexcept;
float fminf(float, float) noexcept, fmodf(float, float) noexcept, ldexpf(float, int) noexcept, scalbnf(float, int) noexcept;
float copysignf(float, float) noexcept, frexpf(float, int*) noexcept;
double exp(double) noexcept, exp2(double) noexcept, log(double) noexcept, log2(double) noexcept, pow(double, double) noexcept;
double sin(double) noexcept, cos(double) noexcept, tanh(double) noexcept, sqrt(double) noexcept, fabs(double) noexcept;
double floor(double) noexcept, ceil(double) noexcept, rint(double) noexcept, fma(double, double, double) noexcept;
double fmax(double, double) noexcept, fmin(double, double) noexcept;
long lrintf(float) noexcept;
int printf(const char*, ...);
struct timespec;
}
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline void sincosf(float x, float* s, float* c) { *s = sinf(x), *c = cosf(x); }
template <class T> bool isnan(T x) { return __builtin_isnan(x); }
template <class T> bool isinf(T x) { return __builtin_isinf(x); }
template <class T> bool isfinite(T x) { return __builtin_isfinite(x); }
template <class T> bool signbit(T x) { return __builtin_signbit(x); }
inline int abs(int x) { return x < 0 ? -x : x; }

inline float max(float a, float b) { return fmaxf(a, b); }
inline float min(float a, float b) { return fminf(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
#define SPARK_EXTREMES(T) \
    inline T max(T a, T b) { return a > b ? a : b; } \
    inline T min(T a, T b) { return a < b ? a : b; }
SPARK_EXTREMES(int)
SPARK_EXTREMES(unsigned)
SPARK_EXTREMES(long long)
SPARK_EXTREMES(unsigned long long)
// CUDA's own mixture: an unsigned operand makes both so.
inline unsigned max(int a, unsigned b) { return max((unsigned)a, b); }
inline unsigned max(unsigned a, int b) { return max(a, (unsigned)b); }
inline unsigned min(int a, unsigned b) { return min((unsigned)a, b); }
inline unsigned min(unsigned a, int b) { return min(a, (unsigned)b); }
#undef SPARK_EXTREMES

#define __expf(x) expf(x)
#define __exp2f(x) exp2f(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __powf(x, y) powf(x, y)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __saturatef(x) fminf(fmaxf(x, 0.0f), 1.0f)
inline float __fdividef(float a, float b) { return a / b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __frsqrt_rn(float a) { return (float)(1.0 / sqrt((double)a)); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline int __float2int_rn(float x) { return (int)lrintf(x); }
inline int __float2int_rz(float x) { return (int)x; }
inline int __float2int_rd(float x) { return (int)floorf(x); }
inline unsigned __float2uint_rn(float x) { return (unsigned)lrintf(x); }
inline float __int2float_rn(int x) { return (float)x; }
inline float __uint2float_rn(unsigned x) { return (float)x; }

namespace spark {
template <class To, class From> To bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "bits are seen as others of the same number");
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}
// What a vector load wants of its address, a GPU traps without.
template <class T> T load(const void* at) {
    if ((__UINTPTR_TYPE__)at % alignof(T)) fault("a load from a misaligned address");
    return *(const T*)at;
}
template <class T> void store(void* at, T x) {
    if ((__UINTPTR_TYPE__)at % alignof(T)) fault("a store to a misaligned address");
    *(T*)at = x;
}
}  // namespace spark
inline unsigned __float_as_uint(float x) { return spark::bits<unsigned>(x); }
inline int __float_as_int(float x) { return spark::bits<int>(x); }
inline float __uint_as_float(unsigned x) { return spark::bits<float>(x); }
inline float __int_as_float(int x) { return spark::bits<float>(x); }
inline long long __double_as_longlong(double x) { return spark::bits<long long>(x); }
inline double __longlong_as_double(long long x) { return spark::bits<double>(x); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
    unsigned out = 0;
    for (int i = 0; i < 32; i++) out |= (x >> i & 1) << (31 - i);
    return out;
}
inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned by) {
    return (unsigned)(((unsigned long long)hi << 32 | lo) << (by & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned by) {
    return (unsigned)(((unsigned long long)hi << 32 | lo) >> (by & 31));
}
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned select) {
    unsigned long long table = (unsigned long long)b << 32 | a;
    unsigned out = 0;
    // The fourth bit of a selector spreads the sign of its byte, in PTX; CUDA's intrinsic ignores it.
    for (int i = 0; i < 4; i++) out |= (unsigned)(table >> 8 * (select >> 4 * i & 7) & 0xff) << 8 * i;
    return out;
}
inline int __dp4a(int a, int b, int c) {
    for (int i = 0; i < 4; i++) c += (int)(signed char)(a >> 8 * i) * (int)(signed char)(b >> 8 * i);
    return c;
}
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c) {
    for (int i = 0; i < 4; i++) c += (a >> 8 * i & 255) * (b >> 8 * i & 255);
    return c;
}
template <class T> T __ldg(const T* at) { return spark::load<T>(at); }
template <class T> T __ldcg(const T* at) { return spark::load<T>(at); }
template <class T> T __ldcs(const T* at) { return spark::load<T>(at); }
template <class T> void __stcs(T* at, T x) { spark::store(at, x); }
template <class T> void __stcg(T* at, T x) { spark::store(at, x); }
// An address within the shared memory of the block, which on a GPU has 32 bits.
inline size_t __cvta_generic_to_shared(const void* at) { return (size_t)at; }
inline size_t __cvta_generic_to_global(const void* at) { return (size_t)at; }
#define __trap() spark::fault("a trap")
#define assert(truth) ((truth) ? (void)0 : spark::fault("an assertion: " #truth))

// Fibers change over only where they wait, so that what stands between two waits happens at once.
template <class T, class U> T atomicAdd(T* at, U x) { T was = *at; *at = (T)(was + (T)x); return was; }
template <class T, class U> T atomicSub(T* at, U x) { T was = *at; *at = (T)(was - (T)x); return was; }
template <class T, class U> T atomicMax(T* at, U x) { T was = *at; *at = was < (T)x ? (T)x : was; return was; }
template <class T, class U> T atomicMin(T* at, U x) { T was = *at; *at = (T)x < was ? (T)x : was; return was; }
template <class T, class U> T atomicOr(T* at, U x) { T was = *at; *at = was | (T)x; return was; }
template <class T, class U> T atomicAnd(T* at, U x) { T was = *at; *at = was & (T)x; return was; }
template <class T, class U> T atomicXor(T* at, U x) { T was = *at; *at = was ^ (T)x; return was; }
template <class T, class U> T atomicExch(T* at, U x) { T was = *at; *at = (T)x; return was; }
template <class T, class U, class V> T atomicCAS(T* at, U is, V x) { T was = *at; if (was == (T)is) *at = (T)x; return was; }
inline unsigned atomicInc(unsigned* at, unsigned top) { unsigned was = *at; *at = was >= top ? 0 : was + 1; return was; }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_system() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __nanosleep(unsigned) { spark::yield(); }

inline void __syncthreads() { spark::block_barrier(false); }
inline int __syncthreads_count(int truth) { return (int)spark::block_barrier(truth); }
inline int __syncthreads_or(int truth) { return spark::block_barrier(truth) != 0; }
inline int __syncthreads_and(int truth) { return spark::block_barrier(!truth) == 0; }
