// Products of a warpgroup's tensor cores (128 threads), D += A·Bᵀ, operands read from swizzled tiles of shared memory; for sm_90a.
//
// A tile has rows of 128 bytes with k along them (64 bf16 or 128 E4M3), stands at a multiple of 1024 and is swizzled as TMA writes it:
// see swizzle128. A has 64 rows, B has N; `k_byte` 0, 32, 64 or 96 is where in the rows this product's k begins. The sums of warp w:
// d[4j], d[4j + 1] = row 16w + g, columns 8j + 2t, 8j + 2t + 1; d[4j + 2], d[4j + 3] = row 16w + g + 8. With A in registers a warp
// holds the fragment of its 16 rows as mma.sync does.
#pragma once
#include "tma.cuh"

#if SPARK_HAS_WGMMA
// What a product is told of a tile whose first byte for it stands at `address`: bits 0 to 13 address ÷ 16, 16 to 29 the distance along k ÷ 16
// (not looked at under a swizzle, 1 by custom), 32 to 45 that of eight rows from the next eight ÷ 16, 49 to 51 where in the pattern of the
// swizzle tiles begin (0: at multiples of 1024), 62 and 63 the swizzle (1: over 128 bytes).
DEVICE u64 wgmma_descriptor(u32 address) {
    return (u64)(address & 0x3ffff) >> 4 | (u64)1 << 16 | (u64)(1024 >> 4) << 32 | (u64)1 << 62;
}

#if defined(SPARK_CUDA_ON_CPU)
DEVICE void wgmma_fence() {}
DEVICE void wgmma_commit() { spark::wgmma_commit(); }
template <int PENDING> DEVICE void wgmma_wait() { spark::wgmma_wait(PENDING); }
template <int N> DEVICE void wgmma_bf16(float (&d)[N / 2], const void* a, const void* b, u32 k_byte) {
    spark::wgmma<spark::Bf16, N>(d, a, nullptr, b, k_byte);
}
template <int N> DEVICE void wgmma_e4m3(float (&d)[N / 2], const void* a, const void* b, u32 k_byte) {
    spark::wgmma<spark::E4m3, N>(d, a, nullptr, b, k_byte);
}
template <int N> DEVICE void wgmma_bf16_ra(float (&d)[N / 2], const u32 a[4], const void* b, u32 k_byte) {
    spark::wgmma<spark::Bf16, N>(d, nullptr, a, b, k_byte);
}
template <int N> DEVICE void wgmma_e4m3_ra(float (&d)[N / 2], const u32 a[4], const void* b, u32 k_byte) {
    spark::wgmma<spark::E4m3, N>(d, nullptr, a, b, k_byte);
}
DEVICE void wgmma_operand(u32&) {}
template <int R> DEVICE void registers_take() {}
template <int R> DEVICE void registers_give() {}
#else
// Before the first product, and between touching sums by hand and the next one.
DEVICE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
// Holds a register of A where it is: computed before this, and so before the fence that follows. What is computed behind the fence would be waited for.
DEVICE void wgmma_operand(u32& a) { asm volatile("" : "+r"(a)::"memory"); }
DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// Until at most PENDING groups are under way; sums may be read, and tiles written, only after it.
template <int PENDING> DEVICE void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory"); }
template <int R> DEVICE void registers_take() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(R)); }
template <int R> DEVICE void registers_give() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(R)); }

DEVICE u64 wgmma_tile(const void* tile, u32 k_byte) { return wgmma_descriptor(shared_address(tile) + k_byte); }

#define SPARK_D4(i) "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3])
#define SPARK_D8(i) SPARK_D4(i), SPARK_D4(i + 4)
#define SPARK_D16(i) SPARK_D8(i), SPARK_D8(i + 8)
#define SPARK_D32(i) SPARK_D16(i), SPARK_D16(i + 16)
#define SPARK_D64(i) SPARK_D32(i), SPARK_D32(i + 32)
#define SPARK_D128(i) SPARK_D64(i), SPARK_D64(i + 64)
#define SPARK_R4 "%0, %1, %2, %3"
#define SPARK_R8 SPARK_R4 ", %4, %5, %6, %7"
#define SPARK_R16 SPARK_R8 ", %8, %9, %10, %11, %12, %13, %14, %15"
#define SPARK_R32 SPARK_R16 ", %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define SPARK_R64 SPARK_R32 \
    ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47" \
    ", %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define SPARK_R128 SPARK_R64 \
    ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79" \
    ", %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95" \
    ", %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111" \
    ", %112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"

// One product of N columns: registers REGISTERS with the constraints SUMS; where A and B stand among the operands; the operands.
#define SPARK_WGMMA(N, K, TYPES, REGISTERS, SUMS, A, B, TAIL, ...) \
    asm volatile("{\n.reg .pred add;\nsetp.ne.b32 add, 1, 0;\nwgmma.mma_async.sync.aligned.m64n" #N "k" #K ".f32." TYPES \
                 " {" REGISTERS "}, " A ", " B ", add, 1, 1" TAIL ";\n}" \
                 : SUMS \
                 : __VA_ARGS__)
// The same for each N, operands from two tiles, and with A from registers.
#define SPARK_WGMMA_TILES(K, TYPES, TAIL) \
    if constexpr (N == 8) SPARK_WGMMA(8, K, TYPES, SPARK_R4, SPARK_D4(0), "%4", "%5", TAIL, "l"(left), "l"(right)); \
    if constexpr (N == 16) SPARK_WGMMA(16, K, TYPES, SPARK_R8, SPARK_D8(0), "%8", "%9", TAIL, "l"(left), "l"(right)); \
    if constexpr (N == 32) SPARK_WGMMA(32, K, TYPES, SPARK_R16, SPARK_D16(0), "%16", "%17", TAIL, "l"(left), "l"(right)); \
    if constexpr (N == 64) SPARK_WGMMA(64, K, TYPES, SPARK_R32, SPARK_D32(0), "%32", "%33", TAIL, "l"(left), "l"(right)); \
    if constexpr (N == 128) SPARK_WGMMA(128, K, TYPES, SPARK_R64, SPARK_D64(0), "%64", "%65", TAIL, "l"(left), "l"(right)); \
    if constexpr (N == 256) SPARK_WGMMA(256, K, TYPES, SPARK_R128, SPARK_D128(0), "%128", "%129", TAIL, "l"(left), "l"(right));
#define SPARK_WGMMA_REGISTERS(K, TYPES, TAIL) \
    if constexpr (N == 8) SPARK_WGMMA(8, K, TYPES, SPARK_R4, SPARK_D4(0), "{%4, %5, %6, %7}", "%8", TAIL, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(right)); \
    if constexpr (N == 16) SPARK_WGMMA(16, K, TYPES, SPARK_R8, SPARK_D8(0), "{%8, %9, %10, %11}", "%12", TAIL, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(right)); \
    if constexpr (N == 32) SPARK_WGMMA(32, K, TYPES, SPARK_R16, SPARK_D16(0), "{%16, %17, %18, %19}", "%20", TAIL, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(right)); \
    if constexpr (N == 64) SPARK_WGMMA(64, K, TYPES, SPARK_R32, SPARK_D32(0), "{%32, %33, %34, %35}", "%36", TAIL, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(right)); \
    if constexpr (N == 128) SPARK_WGMMA(128, K, TYPES, SPARK_R64, SPARK_D64(0), "{%64, %65, %66, %67}", "%68", TAIL, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(right)); \
    if constexpr (N == 256) SPARK_WGMMA(256, K, TYPES, SPARK_R128, SPARK_D128(0), "{%128, %129, %130, %131}", "%132", TAIL, "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(right));

// For bf16 the tail says that no operand is transposed; E4M3 cannot be.
template <int N> DEVICE void wgmma_bf16(float (&d)[N / 2], const void* a, const void* b, u32 k_byte) {
    u64 left = wgmma_tile(a, k_byte), right = wgmma_tile(b, k_byte);
    SPARK_WGMMA_TILES(16, "bf16.bf16", ", 0, 0")
}
template <int N> DEVICE void wgmma_e4m3(float (&d)[N / 2], const void* a, const void* b, u32 k_byte) {
    u64 left = wgmma_tile(a, k_byte), right = wgmma_tile(b, k_byte);
    SPARK_WGMMA_TILES(32, "e4m3.e4m3", "")
}
template <int N> DEVICE void wgmma_bf16_ra(float (&d)[N / 2], const u32 a[4], const void* b, u32 k_byte) {
    u64 right = wgmma_tile(b, k_byte);
    SPARK_WGMMA_REGISTERS(16, "bf16.bf16", ", 0")
}
template <int N> DEVICE void wgmma_e4m3_ra(float (&d)[N / 2], const u32 a[4], const void* b, u32 k_byte) {
    u64 right = wgmma_tile(b, k_byte);
    SPARK_WGMMA_REGISTERS(32, "e4m3.e4m3", "")
}
#endif
#endif
