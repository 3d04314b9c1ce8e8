// Many rows of activations in bf16, or FP8 as f16, times bf16 or FP8 weights, on the 16-bit tensor cores of sm_80 and later: prefill.
//
// A block of 8 warps makes 128 outputs × M_TILE rows, a warp 32 × M_TILE ÷ 2, in m16n8k16 with the weights on the left; FP8 becomes bf16
// (f16 for FP8 activations) in registers, exactly. Sums stay in the accumulators of the tensor cores over the whole of k.
// Per 32 elements along k a warp loads 4 + M_TILE ÷ 16 · 1 vectors of 16 bytes from shared memory, without bank conflicts, for 2 · 2 ·
// M_TILE ÷ 16 instructions: at M_TILE = 128 384 cycles of shared memory for 256 instructions of the block, which sm_121's tensor cores take
// 1024 cycles for and an H200's about 400 (wgmma does twice that; see wgmma_sm90a.cu where it is there).
// Occupancy: STAGES = 3 stages of 32 KiB at M_TILE = 128 (24 KiB with FP8 weights), 96 KiB of the 99 that a block of sm_12x may have;
// at most 128 registers: two blocks an SM on H200 (with some 50 bytes of spills), one with more registers on sm_12x.
// Bytes: a block reads its weights once for M_TILE rows and its rows once for 128 outputs, mostly from L2.
//
// FORMAT BF16 or FP8; AS_F16 = 1 for FP8 times FP8; M_TILE is 32 or 128.
// EXPERTS = 1: its functions over tiles of experts' rows (experts.cuh), in place of those over one matrix.
#define FLOATING 1
#include "mma.cuh"
#include "stage.cuh"
#include "unpack.cuh"

#define STAGES 3
// Blocks of 128 rows an SM: where shared memory holds one only (100 KiB an SM), its warps may have all registers.
#if __CUDA_ARCH__ == 860 || __CUDA_ARCH__ == 890 || __CUDA_ARCH__ >= 1200
#define WIDE_BLOCKS 1
#else
#define WIDE_BLOCKS 2
#endif
// 32 elements along k are 16 bytes of a lane's activations: two instructions.
#define QUARTER_K 32
#define QUARTERS (STAGE_K / QUARTER_K)

// This lane's eight elements of one output of 32 along k, as pairs.
DEVICE void left(const u8* tile, u32 lane, u32 quarter, u32 pairs[4]) {
#if FORMAT == BF16
    const uint4 four = chunk_of(tile + lane * 16);
    pairs[0] = four.x, pairs[1] = four.y, pairs[2] = four.z, pairs[3] = four.w;
#else
    const uint2 two = *(const uint2*)(tile + lane * 16 + quarter * 8);
#if AS_F16
    pairs[0] = e4m3x2_to_f16x2((u16)two.x), pairs[1] = e4m3x2_to_f16x2((u16)(two.x >> 16));
    pairs[2] = e4m3x2_to_f16x2((u16)two.y), pairs[3] = e4m3x2_to_f16x2((u16)(two.y >> 16));
#else
    e4m3x4_to_bf16x4(two.x, pairs);
    e4m3x4_to_bf16x4(two.y, pairs + 2);
#endif
#endif
}

template <int M_TILE>
DEVICE void multiply(const u8* shared, float sums[2][COLUMNS][4]) {
    const u32 lane = lane_id(), g = lane / 4, t = lane % 4, n_warp = warp_id() % 4, m_warp = warp_id() / 4;
    const u8* x = shared + WEIGHT_STAGE;
#pragma unroll
    for (u32 quarter = 0; quarter < QUARTERS; quarter++) {
        u32 upper[2][4], lower[2][4];
#pragma unroll
        for (u32 i = 0; i < 2; i++) {
            const u8* tile = shared + ((2 * n_warp + i) * K_TILES + quarter / (K_TILE / QUARTER_K)) * TILE_BYTES;
            left(tile, lane, quarter % (K_TILE / QUARTER_K), upper[i]);
            left(tile + 512, lane, quarter % (K_TILE / QUARTER_K), lower[i]);
        }
#pragma unroll
        for (u32 j = 0; j < COLUMNS; j++) {
            const u32 row = (m_warp * COLUMNS + j) * 8 + g;
            const uint4 four = chunk_of(x + x_chunk(row, K_TILE == 64 ? 2 * t + quarter : 4 * quarter + t));
            const u32 right[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
            for (u32 i = 0; i < 2; i++) {
#pragma unroll
                for (u32 step = 0; step < 2; step++) {
                    const u32 a[4] = {upper[i][2 * step], lower[i][2 * step], upper[i][2 * step + 1], lower[i][2 * step + 1]};
#if AS_F16
                    mma_f16(sums[i][j], a, right + 2 * step);
#else
                    mma_bf16(sums[i][j], a, right + 2 * step);
#endif
                }
            }
        }
    }
}

template <int M_TILE> DEVICE void gemm(const Part& of, const u8* __restrict__ x) {
    SHARED_DYNAMIC(shared);
    float sums[2][COLUMNS][4] = {};
    ring<STAGES>(
        shared, STAGE_BYTES, ceil_div(of.k_tiles(), (u32)K_TILES), [&](u8* stage, u32 at) { bring<M_TILE>(stage, of, x, at); },
        [&](const u8* stage, u32) { multiply<M_TILE>(stage, sums); });
    store_sums<M_TILE>(sums, of);
}

#if !EXPERTS
// y[rows, n] = x · Wᵀ.
extern "C" __global__ void __launch_bounds__(256, 2) gemm_float_32(PART_PARAMETERS, const u8* __restrict__ x) { gemm<32>(PART(32), x); }
extern "C" __global__ void __launch_bounds__(256, WIDE_BLOCKS) gemm_float_128(PART_PARAMETERS, const u8* __restrict__ x) {
    gemm<128>(PART(128), x);
}
#else
// The same for each expert's rows, M_TILE a tile of `table`.
template <int M_TILE> DEVICE void experts(const Part& of, const u8* __restrict__ x, const uint4* table) {
    const Segment segment = segment_of(table, blockIdx.y, M_TILE);
    if (segment.rows > 0) gemm<M_TILE>(of_expert(of, segment), x);
}
extern "C" __global__ void __launch_bounds__(256, 2)
    experts_float_32(PART_PARAMETERS, const u8* __restrict__ x, const uint4* __restrict__ table) {
    experts<32>(PART(32), x, table);
}
extern "C" __global__ void __launch_bounds__(256, WIDE_BLOCKS)
    experts_float_128(PART_PARAMETERS, const u8* __restrict__ x, const uint4* __restrict__ table) {
    experts<128>(PART(128), x, table);
}
#endif
