// Many rows of activations times weights on Hopper's warpgroup tensor cores: bf16 × bf16, FP8 × FP8, and FP4 weights × bf16.
//
// A block makes 128 outputs × N rows, again and again (as many blocks as SMs go through all tiles), with one thread that brings and two
// warpgroups that multiply: a ring of STAGES stages of 128 bytes along k, brought by the copy engine (swizzled, zeros beyond every edge) and
// handed over by two barriers each. Weights are the left operand, 64 outputs a warpgroup; a tile of rows is read by both.
// FP4 never stands unpacked in shared memory: a lane reads 16 bytes, its part of 16 outputs × 64, and makes of them and of the blocks' scales
// the bf16 pairs of wgmma's register operand, exactly (2 bits of an element times 4 of a scale fit the 8 of bf16). One warpgroup unpacks (some 100
// instructions a warp and stage) while the other's products run (512 cycles at N = 256). Elements are a quarter of what they stand for, so that no scale of MXFP4 takes them out of range.
// FP8's tensor cores keep some 14 bits of a sum (see `peak`): each stage of 128 is summed by itself and added in f32.
// Bytes: with N = 256 a stage of m64n256k16 reads B at 64 of the 128 bytes a cycle that shared memory gives, A at 16 more (FP4: registers).
// A tile's weights come once for N rows, its rows once for 128 outputs; tiles go in strips 16 wide, so that those under way at a time share both in L2.
// Occupancy: one block of 384 threads an SM; 40 registers of those that bring, 232 of those that multiply, of which sums are N ÷ 2 (FP8: N); STAGES of
// 48 KiB (bf16, N = 256: 4), 37 (FP4: 6), 32 (N = 128: 6), of the 227 KiB that a block of sm_90 may have. 16 rows and fewer are a
// stream of weights, which gemv.cu and gemv_float.cu are made for; here such a call takes a tile of 64 rows and n ÷ 128 blocks.
//
// KIND: 0 bf16, 1 FP8, 2 FP4. FORMAT (of FP4) as in tile.cuh, packed by wgmma_pack.cu.
#include "convert.cuh"
#include "tile.cuh"
#include "unpack.cuh"
#include "wgmma.cuh"

#define OUTPUTS 128
#define STRIP 16
#define KIND_BF16 0
#define KIND_FP8 1
#define KIND_FP4 2
// Elements along k in a stage, and bytes of its weights.
#define STAGE_K (KIND == KIND_FP8 ? 128u : 64u)
#if KIND == KIND_FP4
#define CODE_BYTES (OUTPUTS * 32)
#define LEFT_BYTES (CODE_BYTES + OUTPUTS * 64 / BLOCK)
#else
#define LEFT_BYTES (OUTPUTS * 128)
#endif
// The next stage's rows begin at a multiple of 1024.
#define LEFT_ROOM ((LEFT_BYTES + 1023) / 1024 * 1024)

// Stages of N rows, and where they and the two barriers of each stand in shared memory.
template <int N> struct Ring {
    static constexpr u32 RIGHT_BYTES = N * 128, STAGE_BYTES = RIGHT_BYTES + LEFT_ROOM;
    static constexpr u32 STAGES = KIND != KIND_FP4 && N == 256 ? 4 : 6;
    u8* base;
    // Counts stages over all tiles of the block.
    u32 step;
    DEVICE_MEMBER u8* right() const { return base + step % STAGES * STAGE_BYTES; }
    DEVICE_MEMBER u8* left() const { return right() + RIGHT_BYTES; }
    DEVICE_MEMBER u64* full(u32 of) const { return (u64*)(base + STAGES * STAGE_BYTES) + of % STAGES; }
    DEVICE_MEMBER u64* empty(u32 of) const { return full(of) + STAGES; }
    // In which round over the ring a step is: even ones wait for the first phase, odd ones for the second.
    DEVICE_MEMBER u32 round() const { return step / STAGES & 1; }
};

struct Operands {
    const TensorMap *x, *weights;
    const u8* packed;
    const float *factors, *bias, *row_scales;
    float* y;
    u32 rows, n, k_steps, n_tiles, m_tiles;
};

// Where tile `i` begins: strips of STRIP tiles along n, along which tiles run first.
DEVICE uint2 tile_at(const Operands& of, u32 i) {
    const u32 strip = i / (STRIP * of.m_tiles), in = i % (STRIP * of.m_tiles), width = min(of.n_tiles - strip * STRIP, (u32)STRIP);
    return make_uint2(strip * STRIP + in % width, in / width);
}

// One thread: asks for every stage of every tile as soon as its place is free.
template <int N> DEVICE void bring(Ring<N> ring, const Operands& of) {
    tma_prefetch(of.x);
    if (KIND != KIND_FP4) tma_prefetch(of.weights);
    for (u32 i = blockIdx.x; i < of.n_tiles * of.m_tiles; i += gridDim.x) {
        const uint2 tile = tile_at(of, i);
        for (u32 k = 0; k < of.k_steps; k++, ring.step++) {
            u64* full = ring.full(ring.step);
            barrier_wait(ring.empty(ring.step), ring.round() ^ 1);
            barrier_expect(full, Ring<N>::RIGHT_BYTES + LEFT_BYTES);
            tma_load_2d(ring.right(), of.x, (i32)(k * STAGE_K), (i32)(tile.y * N), full);
#if KIND == KIND_FP4
            bulk_load(ring.left(), of.packed + ((u64)tile.x * of.k_steps + k) * LEFT_BYTES, LEFT_BYTES, full);
#else
            tma_load_2d(ring.left(), of.weights, (i32)(k * STAGE_K), (i32)(tile.x * OUTPUTS), full);
#endif
        }
    }
}

// This warp is through with step `step`.
template <int N> DEVICE void release(const Ring<N>& ring, u32 step) {
    __syncwarp();
    if (lane_id() == 0) barrier_arrive(ring.empty(step));
}

#if KIND == KIND_FP4
// A pair of scales of output `row` for the `step`-th 16 along k, as bf16.
DEVICE u32 scale_pair(const u8* scales, u32 row, u32 step) {
#if FORMAT == NVFP4
    // The exponent of E4M3 moved under that of bf16, which is 120 too small for it.
    return mul_bf16x2(scales[row * 4 + step] * 0x00100010u, 0x7b807b80u);
#else
    const u32 code = scales[row * 2 + step / 2];
    return (code == 0 ? 0x40u : code << 7) * 0x00010001u;
#endif
}

// The register operand of the four products of a stage: lanes of warp `warp` of the block's eight, 16 outputs each.
DEVICE void unpack(const u8* left, u32 warp, u32 (&a)[4][4]) {
    const u32 lane = lane_id(), row = 16 * warp + lane / 4;
    const uint4 codes = *(const uint4*)(left + (warp * 32 + lane) * 16);
    const u32 words[4] = {codes.x, codes.y, codes.z, codes.w};
    const u8* scales = left + CODE_BYTES;
    u32 upper = 0, lower = 0;
#pragma unroll
    for (u32 step = 0; step < 4; step++) {
        if (step * 16 % BLOCK == 0) upper = scale_pair(scales, row, step), lower = scale_pair(scales, row + 8, step);
        u32 pairs[4];
        e2m1x8_to_quarter_bf16x8(words[step], pairs);
        a[step][0] = mul_bf16x2(pairs[0], upper), a[step][2] = mul_bf16x2(pairs[1], upper);
        a[step][1] = mul_bf16x2(pairs[2], lower), a[step][3] = mul_bf16x2(pairs[3], lower);
    }
}

#endif

// The sums of one tile: this warpgroup's 64 outputs × N rows over all of k.
template <int N> DEVICE void multiply(Ring<N>& ring, u32 k_steps, float (&d)[N / 2]) {
    const u32 group = threadIdx.x / 128 - 1;
#pragma unroll
    for (u32 i = 0; i < N / 2; i++) d[i] = 0.0f;
#if KIND == KIND_FP4
    for (u32 k = 0; k < k_steps; k++, ring.step++) {
        u32 a[4][4];
        barrier_wait(ring.full(ring.step), ring.round());
        unpack(ring.left(), group * 4 + warp_id() % 4, a);
#pragma unroll
        for (u32 i = 0; i < 16; i++) wgmma_operand(a[i / 4][i % 4]);
        wgmma_fence();
#pragma unroll
        for (u32 step = 0; step < 4; step++) wgmma_bf16_ra<N>(d, a[step], ring.right(), 32 * step);
        wgmma_commit();
        // The registers of A have to stay until then; meanwhile the other warpgroup unpacks.
        wgmma_wait<0>();
        release(ring, ring.step);
    }
#elif KIND == KIND_BF16
    for (u32 k = 0; k < k_steps; k++, ring.step++) {
        barrier_wait(ring.full(ring.step), ring.round());
        wgmma_fence();
#pragma unroll
        for (u32 step = 0; step < 4; step++) wgmma_bf16<N>(d, ring.left() + group * 8192, ring.right(), 32 * step);
        wgmma_commit();
        wgmma_wait<1>();
        if (k > 0) release(ring, ring.step - 1);
    }
    wgmma_wait<0>();
    release(ring, ring.step - 1);
#else
    for (u32 k = 0; k < k_steps; k++, ring.step++) {
        float part[N / 2];
#pragma unroll
        for (u32 i = 0; i < N / 2; i++) part[i] = 0.0f;
        barrier_wait(ring.full(ring.step), ring.round());
        wgmma_fence();
#pragma unroll
        for (u32 step = 0; step < 4; step++) wgmma_e4m3<N>(part, ring.left() + group * 8192, ring.right(), 32 * step);
        wgmma_commit();
        wgmma_wait<0>();
        release(ring, ring.step);
#pragma unroll
        for (u32 i = 0; i < N / 2; i++) d[i] += part[i];
    }
#endif
}

template <int N> DEVICE void store(const Operands& of, uint2 tile, const float (&d)[N / 2]) {
    const u32 g = lane_id() / 4, t = lane_id() % 4, upper = tile.x * OUTPUTS + (warp_id() - 4) * 16 + g;
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        const u32 output = upper + 8 * half;
        if (output >= of.n) continue;
        const float factor = of.factors[output], add = of.bias ? of.bias[output] : 0.0f;
#pragma unroll
        for (u32 i = 0; i < N / 4; i++) {
            const u32 row = tile.y * N + i / 2 * 8 + 2 * t + i % 2;
            if (row < of.rows) of.y[(u64)row * of.n + output] = d[i / 2 * 4 + 2 * half + i % 2] * of.row_scales[row] * factor + add;
        }
    }
}

// y[rows, n] = x · Wᵀ. Of `weights` (a map) and `packed` one is looked at; `factors` are the outputs' scales, `bias` may be null.
template <int N>
DEVICE void gemm(const TensorMap& x, const TensorMap& weights, const u8* packed, const float* factors, const float* bias,
                 const float* row_scales, float* y, u32 rows, u32 n, u32 k) {
    SHARED_DYNAMIC(shared);
    Ring<N> ring = {shared, 0};
    const Operands of = {&x, &weights, packed, factors, bias, row_scales, y, rows, n, ceil_div(k, STAGE_K), ceil_div(n, (u32)OUTPUTS), ceil_div(rows, (u32)N)};
    if (threadIdx.x == 0) {
        for (u32 stage = 0; stage < Ring<N>::STAGES; stage++) {
            barrier_init(ring.full(stage), 1);
            // A warp's arrival each: of every warp that multiplies.
            barrier_init(ring.empty(stage), 8);
        }
        barrier_init_fence();
    }
    __syncthreads();
    if (threadIdx.x < 128) {
        registers_give<40>();
        if (threadIdx.x == 0) bring(ring, of);
        return;
    }
    registers_take<232>();
    for (u32 i = blockIdx.x; i < of.n_tiles * of.m_tiles; i += gridDim.x) {
        float d[N / 2];
        multiply(ring, of.k_steps, d);
        store<N>(of, tile_at(of, i), d);
    }
}

#define GEMM(N) \
    extern "C" __global__ void __launch_bounds__(384, 1) \
        gemm_wgmma_##N(const __grid_constant__ TensorMap x, const __grid_constant__ TensorMap weights, const u8* packed, \
                       const float* factors, const float* bias, const float* row_scales, float* y, u32 rows, u32 n, u32 k) { \
        gemm<N>(x, weights, packed, factors, bias, row_scales, y, rows, n, k); \
    }
GEMM(64)
GEMM(128)
#if KIND != KIND_FP8
// FP8 has two sets of sums, for which there are no registers with more rows.
GEMM(256)
#endif
