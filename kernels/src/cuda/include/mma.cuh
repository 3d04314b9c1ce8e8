// Products of one warp's tensor cores, D += A·B, and the loads of their fragments; layouts by the PTX ISA's tables.
//
// g = lane / 4, t = lane % 4. A has 16 rows, k contiguous; B has 8 columns, k contiguous. A word holds 2, 4 or 8 elements along k:
//   a[0] row g, a[1] row g + 8, both first half of k; a[2], a[3] the same rows, second half;  b[0], b[1] column g, the two halves of k;
//   the word of lane t is the t-th of its half.  c[0], c[1] row g, columns 2t, 2t + 1;  c[2], c[3] row g + 8.
#pragma once
#include "types.cuh"

#if defined(SPARK_CUDA_ON_CPU)
DEVICE void mma_bf16(float c[4], const u32 a[4], const u32 b[2]) { spark::mma<spark::Bf16>(c, a, b); }
DEVICE void mma_f16(float c[4], const u32 a[4], const u32 b[2]) { spark::mma<spark::Fp16>(c, a, b); }
DEVICE void mma_s8(i32 c[4], const u32 a[4], const u32 b[2]) { spark::mma<spark::S8>(c, a, b); }
DEVICE void ldmatrix_x4(u32 r[4], const void* row) { spark::ldmatrix<4, false>(r, row); }
DEVICE void ldmatrix_x2(u32 r[2], const void* row) { spark::ldmatrix<2, false>(r, row); }
DEVICE void ldmatrix_x4_trans(u32 r[4], const void* row) { spark::ldmatrix<4, true>(r, row); }
DEVICE void ldmatrix_x2_trans(u32 r[2], const void* row) { spark::ldmatrix<2, true>(r, row); }
#else
// The operands of one mma.sync whose sums have the constraint F.
#define SPARK_MMA(INSTRUCTION, F) \
    asm volatile(INSTRUCTION " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
                 : "+" F(c[0]), "+" F(c[1]), "+" F(c[2]), "+" F(c[3]) \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))

DEVICE void mma_bf16(float c[4], const u32 a[4], const u32 b[2]) {
    SPARK_MMA("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "f");
}
DEVICE void mma_f16(float c[4], const u32 a[4], const u32 b[2]) {
    SPARK_MMA("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", "f");
}
DEVICE void mma_s8(i32 c[4], const u32 a[4], const u32 b[2]) {
    SPARK_MMA("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32", "r");
}

// Each lane gives the address of one row of 16 bytes: lanes 8i … 8i + 7 those of matrix i. Row g, word t of matrix i comes to r[i].
DEVICE void ldmatrix_x4(u32 r[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}
DEVICE void ldmatrix_x2(u32 r[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
}
DEVICE void ldmatrix_x4_trans(u32 r[4], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
}
DEVICE void ldmatrix_x2_trans(u32 r[2], const void* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
}
#endif

#if SPARK_HAS_E4M3_MMA
DEVICE void mma_e4m3(float c[4], const u32 a[4], const u32 b[2]) {
#if defined(SPARK_CUDA_ON_CPU)
    spark::mma<spark::E4m3>(c, a, b);
#else
    SPARK_MMA("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32", "f");
#endif
}
#endif
