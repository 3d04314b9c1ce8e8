// Packs canonical weights for wgmma_sm90a.cu, once, when a gemm is prepared: rows at a pitch that the copy engine takes, or FP4 as its lanes want it.
//
// FP4 stands [output ÷ 128][k ÷ 64]: 4 KiB of codes, [16 outputs][lane 4g + t][four words], and the scales, [128 outputs][blocks of 64]. A word is
// for 16 elements along k: those at 2t, 2t + 1, 2t + 8 and 2t + 9 of output g, then of output g + 8, in the order of wgmma's register operand.
// Bytes: the weights once in and once out, through L1. Occupancy: 256 threads without shared memory; nobody waits for its speed.
//
// FORMAT as in tile.cuh: MXFP4, NVFP4, FP8 or BF16.
#include "tile.cuh"

#if FORMAT == MXFP4 || FORMAT == NVFP4
#define SCALES (64 / BLOCK)
#define STAGE_BYTES (4096 + 128 * SCALES)

// The code of element `e` of a row, without the sign of an NVFP4 scale, which becomes the element's.
DEVICE u32 code_of(const u8* row, u32 e) {
    const u8* block = row + e / BLOCK * BLOCK_BYTES;
    u32 code = block[SCALE_BYTES + e % BLOCK / 2] >> 4 * (e % 2) & 15u;
#if FORMAT == NVFP4
    if (block[0] & 0x80) code ^= 8;
#endif
    return code;
}

// One thread for each word of codes.
extern "C" __global__ void __launch_bounds__(256) pack_codes(const u8* weights, u64 row_bytes, u32 n, u32 k, u8* packed) {
    const u32 k_steps = ceil_div(k, 64u);
    const u64 at = (u64)blockIdx.x * 256 + threadIdx.x, stage = at / 1024;
    if (stage >= (u64)ceil_div(n, 128u) * k_steps) return;
    const u32 in = (u32)(at % 1024), lane = in / 4 % 32, g = lane / 4, t = lane % 4;
    const u32 output = (u32)(stage / k_steps) * 128 + in / 128 * 16 + g, from = (u32)(stage % k_steps) * 64 + in % 4 * 16 + 2 * t;
    u32 word = 0;
    for (u32 i = 0; i < 8; i++) {
        const u32 of = output + i / 4 * 8, e = from + i % 4 / 2 * 8 + i % 2;
        if (of < n && e < k) word |= code_of(weights + of * row_bytes, e) << 4 * i;
    }
    *(u32*)(packed + stage * STAGE_BYTES + in * 4) = word;
}
#else
#define ELEMENT_BYTES (FORMAT == BF16 ? 2 : 1)
// One thread for each 16 bytes of rows of `pitch` bytes, a multiple of them.
extern "C" __global__ void __launch_bounds__(256) pack_rows(const u8* weights, u32 n, u32 k, u32 pitch, u8* packed) {
    const u64 at = (u64)blockIdx.x * 256 + threadIdx.x, row = at / (pitch / 16);
    if (row >= n) return;
    const u32 from = (u32)(at % (pitch / 16)) * 16, bytes = k * ELEMENT_BYTES;
    const u8* in = weights + row * bytes;
    u32 words[4] = {};
    for (u32 i = 0; i < 16; i++) {
        if (from + i < bytes) words[i / 4] |= (u32)in[from + i] << 8 * (i % 4);
    }
    ((uint4*)packed)[at] = make_uint4(words[0], words[1], words[2], words[3]);
}
#endif

// One block of threads for each output, those of a last part tile too: FP4's scales, and the factor of the output: of `given`, one f32 is every
// output's (its stride is 0) or each has its own (1); without any it is 1. FP4's is four times that, NaN where a block's scale is NaN.
extern "C" __global__ void __launch_bounds__(256)
    pack_factors(const u8* weights, u64 row_bytes, u32 n, u32 k, const float* given, u32 stride, u8* packed, float* factors) {
    const u32 output = blockIdx.x;
    int poisoned = 0;
    float factor = given && output < n ? given[(u64)output * stride] : 1.0f;
#if FORMAT == MXFP4 || FORMAT == NVFP4
    const u32 k_steps = ceil_div(k, 64u);
    const u8* row = weights + output * row_bytes;
    for (u32 block = threadIdx.x; block < k_steps * SCALES; block += 256) {
        u32 bits = 0;
        if (output < n && block < k / BLOCK) bits = row[(u64)block * BLOCK_BYTES];
        const u32 nan = FORMAT == NVFP4 ? 0x7f : 0xff;
        bits &= nan;
        // A NaN makes its output NaN by its factor, and is no number to multiply with.
        if (bits == nan) poisoned = 1, bits = 0;
        packed[((u64)(output / 128) * k_steps + block / SCALES) * STAGE_BYTES + 4096 + output % 128 * SCALES + block % SCALES] = (u8)bits;
    }
    poisoned = __syncthreads_or(poisoned);
    factor *= 4.0f;
#endif
    if (threadIdx.x == 0) factors[output] = poisoned ? SPARK_NAN : factor;
}
