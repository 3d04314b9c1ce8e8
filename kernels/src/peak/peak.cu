// Multiply-adds of one type with everything in registers: what the tensor cores (f32: the cores) of this architecture do at most.
//
// Each SM owns TILES_AN_SM tiles of 16 × 8 sums, and adds the same product A·B to each of them in every iteration, where A has 16
// rows and B 8 columns of 32 bytes along k (sparse: B 64). Warps own TILES_AN_SM ÷ WARPS tiles each, 16 or 32 of them, whose sums
// depend on nothing but their own past: 8 or 16 warps × 16 or 32 chains, where 8 × 4 are said to be enough.
// Occupancy: one block an SM, 8 warps × 32 tiles = 128 registers of sums a thread (16 warps: 64), 10 to 20 registers of operands: below
// the 255 (128) that one block of 256 (512) threads leaves each. Bytes: 1 KiB of operands in, the sums out, once a launch.
//
// TYPE: 0 f32, 1 bf16, 2 int8, 3 fp8, 4 mxfp4, 5 nvfp4. SPARSE = 1: two of four (FP4: pairs of) elements of A along k stand for zeros.
#include "memory.cuh"
#include "mma.cuh"
#include "mma_scaled.cuh"
#include "mma_sparse.cuh"
#include "types.cuh"

#define TILES_AN_SM 256
#define TILES (TILES_AN_SM / WARPS)
#if TYPE == 2
typedef i32 Sum;
#else
typedef float Sum;
#endif
// Bytes of a column of B.
#define COLUMN (SPARSE ? 64 : 32)

struct Operands {
    u32 a[4], b[4], scale_a, scale_b;
};

DEVICE void multiply(Sum c[4], const Operands& of) {
#if TYPE == 0
    c[0] = fmaf(__uint_as_float(of.a[0]), __uint_as_float(of.b[0]), c[0]);
    c[1] = fmaf(__uint_as_float(of.a[0]), __uint_as_float(of.b[1]), c[1]);
    c[2] = fmaf(__uint_as_float(of.a[1]), __uint_as_float(of.b[0]), c[2]);
    c[3] = fmaf(__uint_as_float(of.a[1]), __uint_as_float(of.b[1]), c[3]);
#elif TYPE == 1 && SPARSE
    mma_sp_bf16(c, of.a, of.b);
#elif TYPE == 1
    mma_bf16(c, of.a, of.b);
#elif TYPE == 2 && SPARSE
    mma_sp_s8(c, of.a, of.b);
#elif TYPE == 2
    mma_s8(c, of.a, of.b);
#elif TYPE == 3 && SPARSE
    mma_sp_e4m3(c, of.a, of.b);
#elif TYPE == 3
    mma_e4m3(c, of.a, of.b);
#elif TYPE == 4
    mma_mxfp4(c, of.a, of.b, of.scale_a, of.scale_b);
#elif TYPE == 5 && SPARSE
    mma_sp_nvfp4(c, of.a, of.b, SPARSE_FIRST_TWO, of.scale_a, of.scale_b);
#else
    mma_nvfp4(c, of.a, of.b, of.scale_a, of.scale_b);
#endif
}

// a: 16 rows of 32 bytes (f32: of one float). b: 8 columns of COLUMN bytes (f32: of one float). scales: a word for each row of A and
// column of B. start: one tile, row-major. sums: TILES_AN_SM tiles of each block, row-major.
extern "C" __global__ void __launch_bounds__(32 * WARPS, 1)
    burn(const u8* a, const u8* b, const u32* scales, const Sum* start, Sum* sums, u32 iterations) {
    const u32 g = lane_id() / 4, t = lane_id() % 4, g8 = g + 8;
    const u32 *rows = (const u32*)a, *columns = (const u32*)b;
    Operands of;
#if TYPE == 0
    of.a[0] = rows[g], of.a[1] = rows[g8], of.a[2] = of.a[3] = 0;
    of.b[0] = columns[2 * t], of.b[1] = columns[2 * t + 1], of.b[2] = of.b[3] = 0;
    of.scale_a = of.scale_b = 0;
#else
    of.a[0] = rows[8 * g + t], of.a[1] = rows[8 * g8 + t], of.a[2] = rows[8 * g + 4 + t], of.a[3] = rows[8 * g8 + 4 + t];
    for (u32 i = 0; i < 4; i++) of.b[i] = 4 * i < COLUMN / 4 ? columns[COLUMN / 4 * g + 4 * i + t] : 0;
    of.scale_a = scales[g + 8 * (t & 1)], of.scale_b = scales[16 + g];
#endif
    Sum c[TILES][4];
    const Sum* mine = start + 8 * g + 2 * t;
#pragma unroll
    for (u32 tile = 0; tile < TILES; tile++) c[tile][0] = mine[0], c[tile][1] = mine[1], c[tile][2] = mine[64], c[tile][3] = mine[65];
#pragma unroll 1
    for (u32 i = 0; i < iterations; i++) {
#pragma unroll
        for (u32 tile = 0; tile < TILES; tile++) multiply(c[tile], of);
    }
    Sum* out = sums + ((u64)blockIdx.x * TILES_AN_SM + warp_id() * TILES) * 128 + 8 * g + 2 * t;
#pragma unroll
    for (u32 tile = 0; tile < TILES; tile++, out += 128) out[0] = c[tile][0], out[1] = c[tile][1], out[64] = c[tile][2], out[65] = c[tile][3];
}
