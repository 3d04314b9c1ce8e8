// Products of one warp whose operands carry block scales along k: NVFP4, MXFP4, MXFP8; for sm_120a and sm_121a.
//
// Fragments as in mma.cuh. `sa` holds the scales of row g + 8·(t & 1): lanes t = 0 and 1 are read; `sb` those of column g: lane t = 0 is.
// Byte j of them scales the j-th block of k: NVFP4 four E4M3 for 16 each, MXFP4 two E8M0 for 32 each, MXFP8 one E8M0.
#pragma once
#include "mma_sparse.cuh"
#include "types.cuh"

#if SPARK_HAS_FP4_MMA
#if defined(SPARK_CUDA_ON_CPU)
DEVICE void mma_nvfp4(float c[4], const u32 a[4], const u32 b[2], u32 sa, u32 sb) { spark::mma_scaled<spark::Nvfp4>(c, a, b, sa, sb); }
DEVICE void mma_mxfp4(float c[4], const u32 a[4], const u32 b[2], u32 sa, u32 sb) { spark::mma_scaled<spark::Mxfp4>(c, a, b, sa, sb); }
DEVICE void mma_mxfp8(float c[4], const u32 a[4], const u32 b[2], u32 sa, u32 sb) { spark::mma_scaled<spark::Mxfp8>(c, a, b, sa, sb); }
#else
#define SPARK_MMA_SCALED(INSTRUCTION) \
    asm volatile(INSTRUCTION " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3}, {%10}, {%11, %11}, {%12}, {%11, %11};" \
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]) \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(sa), "h"((u16)0), "r"(sb))

DEVICE void mma_nvfp4(float c[4], const u32 a[4], const u32 b[2], u32 sa, u32 sb) {
    SPARK_MMA_SCALED("mma.sync.aligned.m16n8k64.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3");
}
DEVICE void mma_mxfp4(float c[4], const u32 a[4], const u32 b[2], u32 sa, u32 sb) {
    SPARK_MMA_SCALED("mma.sync.aligned.m16n8k64.row.col.kind::mxf4.block_scale.scale_vec::2X.f32.e2m1.e2m1.f32.ue8m0");
}
DEVICE void mma_mxfp8(float c[4], const u32 a[4], const u32 b[2], u32 sa, u32 sb) {
    SPARK_MMA_SCALED("mma.sync.aligned.m16n8k32.row.col.kind::mxf8f6f4.block_scale.scale_vec::1X.f32.e4m3.e4m3.f32.ue8m0");
}
#endif
#endif

// Half of A is zeros that are not stored, and `meta` says which; only the exact architectures have it, the families have not. It is
// here for the peak of the sparse instruction, with elements 0 … 3 of every eight stored: the CPU double takes no other, and scales that are all alike.
#if SPARK_HAS_FP4_MMA && defined(__CUDA_ARCH_SPECIFIC__)
DEVICE void mma_sp_nvfp4(float c[4], const u32 a[4], const u32 b[4], u32 meta, u32 sa, u32 sb) {
#if defined(SPARK_CUDA_ON_CPU)
    if (meta != SPARSE_FIRST_TWO) spark::fault("the double carries out mma.sp with the metadata of SPARSE_FIRST_TWO alone");
    u32 dense[2];
    sparse_bytes(b, dense);
    mma_nvfp4(c, a, dense, sa, sb);
#else
    asm volatile("mma.sp::ordered_metadata.sync.aligned.m16n8k128.row.col.kind::mxf4nvf4.block_scale.scale_vec::4X.f32.e2m1.e2m1.f32.ue4m3 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9, %10, %11}, {%0, %1, %2, %3}, %12, 0x0, {%13}, {%14, %14}, {%15}, {%14, %14};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "r"(b[2]), "r"(b[3]), "r"(meta), "r"(sa),
                   "h"((u16)0), "r"(sb));
#endif
}
#endif
