// A few rows of activations (1 … 8 · COLUMN_TILES) times FP4, Q8_0 or Q4_0 weights, in integers: decode, which reads each weight once.
//
// Bytes: the tiles of weights once, 16 a load, 1 KiB a warp and tile, past L1, neighbouring warps neighbouring tiles; scales 1/16 (mxfp4)
// to 1/8 of that. Rows of x come from L1 and L2: 1/(2·16) of the weights' bytes a row for FP4, so COLUMN_TILES = 2 still reads less than
// it streams. Each warp holds DEPTH tiles in registers and asks for the next DEPTH before it works on them: 2 · DEPTH KiB a warp,
// with 24 warps an SM (3 blocks of 8, at most 80 registers; of 16 rows, or where GROUPED, 2 blocks, at most 128) and DEPTH = 2 96 (64) KiB an SM, where 4.8 TB/s · 700 ns ÷ 132 ask for 26.
// Work: the weights are the left operand of m16n8k32, so that 16 outputs × 8 rows cost one instruction for each 32 of k however few rows
// are live; unpacking FP4 takes 9 integer instructions for 8 elements (tile.cuh), and two additions-and-multiplications an
// accumulator and block scale it. Shared memory: 4 KiB a column tile, for adding up the warps' parts of k.
//
// FORMAT as in tile.cuh; GROUPED = 1 where activations carry a scale for each block of weights along k.
// EXPERTS = 1: its functions over tiles of experts' rows (experts.cuh), in place of those over one matrix.
#include "experts.cuh"
#include "mma.cuh"
#include "stream.cuh"

// The sum of a block as f32. FP4 codes are twice their values.
DEVICE float sum_of(i32 bits) {
#if FORMAT == MXFP4 || FORMAT == NVFP4
    return fmaf(__int_as_float(bits), 0.5f, -0.5f * SUM_BASE);
#else
    return __int_as_float(bits) - SUM_BASE;
#endif
}

// The left operand of block `b`: outputs g and g + 8, this lane's elements of the block.
DEVICE void left(const Fragment& f, u32 b, u32 a[4]) {
#if FORMAT == MXFP4
    e2m1x8_twice_plus_12(word(f.codes[0], b), a[0], a[2]);
    e2m1x8_twice_plus_12(word(f.codes[1], b), a[1], a[3]);
#elif FORMAT == NVFP4
    // A word holds four elements of each of two blocks; half of the instruction's k stays empty.
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 codes = word(f.codes[half], b / 2) >> 16 * (b % 2);
        a[half] = e2m1x4_twice_plus_12(codes, codes & 0x7777u);
        a[half + 2] = 0;
    }
#elif FORMAT == Q8_0
#pragma unroll
    for (u32 half = 0; half < 2; half++) a[half] = word(f.codes[half], 2 * b), a[half + 2] = word(f.codes[half], 2 * b + 1);
#else
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        u32 codes = word(f.codes[half], b);
        a[half] = codes & 0x0f0f0f0fu, a[half + 2] = codes >> 4 & 0x0f0f0f0fu;
    }
#endif
}

// Words of activations of one lane, row and tile.
#define X_WORDS (K_TILE / 16)

template <int COLUMN_TILES>
DEVICE void multiply(const Fragment& f, const u8* codes, u32 row_codes, u32 rows, const i32* starts, const float* scales, u32 columns,
                     u32 k_tile, float sums[COLUMN_TILES][4]) {
    const u32 g = lane_id() / 4, t = lane_id() % 4;
    u32 x[COLUMN_TILES][X_WORDS];
#pragma unroll
    for (u32 tile = 0; tile < COLUMN_TILES; tile++) {
        const u32 row = 8 * tile + g;
        const uint4* at = (const uint4*)(codes + (u64)row * row_codes + k_tile * K_TILE + t * (K_TILE / 4));
#pragma unroll
        for (u32 i = 0; i < X_WORDS; i += 4) {
            uint4 four = row < rows ? __ldg(at + i / 4) : make_uint4(0, 0, 0, 0);
            x[tile][i] = four.x, x[tile][i + 1] = four.y, x[tile][i + 2] = four.z, x[tile][i + 3] = four.w;
        }
    }
#pragma unroll
    for (u32 b = 0; b < BLOCKS; b++) {
        u32 a[4];
        left(f, b, a);
        const float scale0 = scale(f.scales[0], b), scale8 = scale(f.scales[1], b);
#pragma unroll
        for (u32 tile = 0; tile < COLUMN_TILES; tile++) {
#if OFFSET > 0 || GROUPED
            const u64 at = (u64)(k_tile * BLOCKS + b) * columns + 8 * tile + 2 * t;
#endif
#if OFFSET > 0
            const int2 start = __ldg((const int2*)(starts + at));
            i32 c[4] = {start.x, start.y, start.x, start.y};
#else
            i32 c[4] = {SUM_BITS, SUM_BITS, SUM_BITS, SUM_BITS};
#endif
#if FORMAT == NVFP4
            const u32 right[2] = {x[tile][b], 0};
#else
            const u32 right[2] = {x[tile][2 * b], x[tile][2 * b + 1]};
#endif
            mma_s8(c, a, right);
#if GROUPED
            const float2 of_x = __ldg((const float2*)(scales + at));
            sums[tile][0] = fmaf(sum_of(c[0]) * scale0, of_x.x, sums[tile][0]);
            sums[tile][1] = fmaf(sum_of(c[1]) * scale0, of_x.y, sums[tile][1]);
            sums[tile][2] = fmaf(sum_of(c[2]) * scale8, of_x.x, sums[tile][2]);
            sums[tile][3] = fmaf(sum_of(c[3]) * scale8, of_x.y, sums[tile][3]);
#else
            sums[tile][0] = fmaf(sum_of(c[0]), scale0, sums[tile][0]);
            sums[tile][1] = fmaf(sum_of(c[1]), scale0, sums[tile][1]);
            sums[tile][2] = fmaf(sum_of(c[2]), scale8, sums[tile][2]);
            sums[tile][3] = fmaf(sum_of(c[3]), scale8, sums[tile][3]);
#endif
        }
    }
}

// Activations, in the order of tiles: codes, what integer sums start with and scales, [block of weights][columns].
#define X_PARAMETERS const u8 *__restrict__ codes, const i32 *__restrict__ starts, const float *__restrict__ scales, u32 columns

// One block for each 16 outputs; rows of x begin at `row` of the activations.
template <int COLUMN_TILES> DEVICE void gemv(const Stream& of, X_PARAMETERS, u32 row) {
    const u32 row_codes = ceil_div(of.k, (u32)K_TILE) * K_TILE;
    codes += (u64)row * row_codes, starts += row, scales += row;
    stream<COLUMN_TILES>(of, [&](const Fragment& f, u32 tile, float (&sums)[COLUMN_TILES][4]) {
        multiply<COLUMN_TILES>(f, codes, row_codes, of.rows, starts, scales, columns, tile, sums);
    });
}

#if !EXPERTS
// y[rows, n] = x · Wᵀ. `factors` are the outputs' scales, `bias` may be null.
extern "C" __global__ void __launch_bounds__(32 * WARPS, GROUPED ? 2 : 3) gemv_integer_8(STREAM_PARAMETERS, X_PARAMETERS) {
    gemv<1>({tiles, tile_scales, factors, bias, row_scales, y, rows, n, k}, codes, starts, scales, columns, 0);
}
extern "C" __global__ void __launch_bounds__(32 * WARPS, 2) gemv_integer_16(STREAM_PARAMETERS, X_PARAMETERS) {
    gemv<2>({tiles, tile_scales, factors, bias, row_scales, y, rows, n, k}, codes, starts, scales, columns, 0);
}
#else
// The same for each expert's rows, 8 a tile of `table`.
extern "C" __global__ void __launch_bounds__(32 * WARPS, GROUPED ? 2 : 3)
    experts_integer_8(STREAM_PARAMETERS, X_PARAMETERS, const uint4* __restrict__ table) {
    const Segment segment = segment_of(table, blockIdx.y, 8);
    if (segment.rows == 0) return;
    gemv<1>(of_expert({tiles, tile_scales, factors, bias, row_scales, y, rows, n, k}, segment), codes, starts, scales, columns, segment.slot);
}
#endif
