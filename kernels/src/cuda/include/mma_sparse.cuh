// Products of one warp whose left operand has two zeros in every four elements along k that are not stored: for peaks.
//
// A is stored as that of the dense instruction with half of k (mma.cuh); B has all of k: b[i] is the t-th word of its i-th quarter, of
// column g. The metadata here say that elements 0 and 1 of every four are those stored, in every lane alike.
#pragma once
#include "mma.cuh"

#define SPARSE_FIRST_TWO 0x44444444u

#if defined(SPARK_CUDA_ON_CPU)
// Word `i` of this lane's column of B.
DEVICE u32 sparse_word(const u32 b[4], u32 i) {
    u32 found = 0;
    for (u32 quarter = 0; quarter < 4; quarter++) {
        u32 word = __shfl_sync(~0u, b[quarter], (lane_id() & ~3u) | (i & 3));
        if (i / 4 == quarter) found = word;
    }
    return found;
}
// The dense right operand of what is stored: of pairs every other word, of bytes the first two of every word.
DEVICE void sparse_pairs(const u32 b[4], u32 dense[2]) {
    u32 t = lane_id() % 4;
    dense[0] = sparse_word(b, 2 * t), dense[1] = sparse_word(b, 8 + 2 * t);
}
DEVICE void sparse_bytes(const u32 b[4], u32 dense[2]) {
    u32 t = lane_id() % 4;
    for (u32 half = 0; half < 2; half++) {
        u32 low = sparse_word(b, 8 * half + 2 * t), high = sparse_word(b, 8 * half + 2 * t + 1);
        dense[half] = (low & 0xffff) | high << 16;
    }
}
DEVICE void mma_sp_bf16(float c[4], const u32 a[4], const u32 b[4]) {
    u32 dense[2];
    sparse_pairs(b, dense);
    mma_bf16(c, a, dense);
}
DEVICE void mma_sp_s8(i32 c[4], const u32 a[4], const u32 b[4]) {
    u32 dense[2];
    sparse_bytes(b, dense);
    mma_s8(c, a, dense);
}
#if SPARK_HAS_E4M3_MMA
DEVICE void mma_sp_e4m3(float c[4], const u32 a[4], const u32 b[4]) {
    u32 dense[2];
    sparse_bytes(b, dense);
    mma_e4m3(c, a, dense);
}
#endif
#else
#define SPARK_MMA_SPARSE(INSTRUCTION, F) \
    asm volatile(INSTRUCTION " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9, %10, %11}, {%0, %1, %2, %3}, %12, 0x0;" \
                 : "+" F(c[0]), "+" F(c[1]), "+" F(c[2]), "+" F(c[3]) \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(SPARSE_FIRST_TWO))

// m16n8k32
DEVICE void mma_sp_bf16(float c[4], const u32 a[4], const u32 b[4]) {
    SPARK_MMA_SPARSE("mma.sp::ordered_metadata.sync.aligned.m16n8k32.row.col.f32.bf16.bf16.f32", "f");
}
// m16n8k64
DEVICE void mma_sp_s8(i32 c[4], const u32 a[4], const u32 b[4]) {
    SPARK_MMA_SPARSE("mma.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.s32.s8.s8.s32", "r");
}
#if SPARK_HAS_E4M3_MMA
DEVICE void mma_sp_e4m3(float c[4], const u32 a[4], const u32 b[4]) {
    SPARK_MMA_SPARSE("mma.sp::ordered_metadata.sync.aligned.m16n8k64.row.col.f32.e4m3.e4m3.f32", "f");
}
#endif
#endif
