// CUDA's short vectors, and the words of its language that mean nothing on a CPU.
#pragma once

#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#define __grid_constant__
#define __constant__ static
#define __restrict__ __restrict
// A section of its own, so that all of a module's shared memory is known and can be poisoned. ASan puts its fences only around what
// stands in no section.
#if defined(__SANITIZE_ADDRESS__)
#define __shared__ static
#else
#define __shared__ static __attribute__((section("spark_shared")))
#endif

#define SPARK_VECTORS(T, NAME, ALIGN) \
    struct NAME##1 { T x; }; \
    struct __align__(2 * ALIGN) NAME##2 { T x, y; }; \
    struct NAME##3 { T x, y, z; }; \
    struct __align__(4 * ALIGN > 16 ? 16 : 4 * ALIGN) NAME##4 { T x, y, z, w; }; \
    inline NAME##1 make_##NAME##1(T x) { return {x}; } \
    inline NAME##2 make_##NAME##2(T x, T y) { return {x, y}; } \
    inline NAME##3 make_##NAME##3(T x, T y, T z) { return {x, y, z}; } \
    inline NAME##4 make_##NAME##4(T x, T y, T z, T w) { return {x, y, z, w}; }
SPARK_VECTORS(signed char, char, 1)
SPARK_VECTORS(unsigned char, uchar, 1)
SPARK_VECTORS(short, short, 2)
SPARK_VECTORS(unsigned short, ushort, 2)
SPARK_VECTORS(int, int, 4)
SPARK_VECTORS(unsigned, uint, 4)
SPARK_VECTORS(long long, longlong, 8)
SPARK_VECTORS(unsigned long long, ulonglong, 8)
SPARK_VECTORS(float, float, 4)
SPARK_VECTORS(double, double, 8)
#undef SPARK_VECTORS

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};
typedef __SIZE_TYPE__ size_t;
