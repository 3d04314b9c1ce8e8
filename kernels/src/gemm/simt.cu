// Weights as GGUF files hold them (affine.cuh), and f16 and f32, times rows in f32 on the CUDA cores: any number of rows.
//
// A warp makes OUTPUTS = 4 outputs × up to ROWS rows. Of 256 elements along k a lane reads the codes of eight, four and four APART, so that
// the warp reads the nibbles of a block of 256 as 128 bytes in a row; it makes eight f32 of them, rounded once as the format says, and
// multiplies them with each row. Nothing is packed: what is resident is the file's bytes.
//
// Bytes: each weight once for ROWS rows; a row of x costs 1 KiB of L1 for 4 × 144 bytes of Q4_K. In flight at one row: 2 · 4 · 144 bytes a
// warp: of GB10's 16 warps an SM 18 KiB, where an SM with 6 GB/s and a microsecond needs 6; of an H200's 24 27 KiB, where one needs 29.
// Work at one row: some five instructions a weight (its byte to f32 in two, the line, the product, a share of the scales), so that GB10's
// 48 · 128 lanes at 2.5 GHz decode 3 · 10^12 weights/s, six times what its memory brings of Q4_K; an H200's 132 SMs about 0.7 of what
// its memory brings. At 8 rows it is an FMA and half an instruction a product, and L1 gives the rows in as many cycles as they take.
// Occupancy: 256 threads; two blocks an SM with at most 128 registers, or three with 80 at one row before sm_120.
//
// WEIGHTS as in weights.cuh: F16, F32, Q4_1 … Q6_K.
#include "reduce.cuh"
#include "weights.cuh"

#define WARPS 8
#define OUTPUTS 4
#define SPAN 256
// Blocks of one row an SM: Spark's memory needs fewer bytes in flight, and its compiler more registers.
#if __CUDA_ARCH__ >= 1200
#define ROW_BLOCKS 2
#else
#define ROW_BLOCKS 3
#endif
// From a lane's first four elements to its other four.
#define APART (WEIGHTS <= F32 ? 4 : WEIGHTS == Q6_K ? 64 : WEIGHTS >= Q4_K ? 32 : 16)

// Byte `i` of `bytes` as f32: in the lowest places of 2^23.
DEVICE float byte_to_f32(u32 bytes, u32 i) { return __uint_as_float(__byte_perm(bytes, 0x4b000000u, 0x7540u | i)) - 8388608.0f; }

// Four bits to the lowest of four bytes each.
DEVICE u32 spread(u32 bits) { return (bits & 15) * 0x00204081u & 0x01010101u; }

// Where blocks stand at even addresses only, in halves.
DEVICE u32 four_bytes(const u8* at) {
#if WEIGHTS == Q5_0 || WEIGHTS == Q6_K
    const u16* halves = (const u16*)at;
    return __ldg(halves) | (u32)__ldg(halves + 1) << 16;
#else
    return __ldg((const u32*)at);
#endif
}

// This lane's eight of the span that begins at `row`, of which there are enough.
DEVICE void eight(const u8* row, u32 lane, float w[8]) {
#if WEIGHTS == F16
    const uint4 four = __ldg((const uint4*)row + lane);
    const u32 pairs[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
    for (u32 i = 0; i < 4; i++) {
        const float2 two = f16x2_to_f32x2(pairs[i]);
        w[2 * i] = two.x, w[2 * i + 1] = two.y;
    }
#elif WEIGHTS == F32
#pragma unroll
    for (u32 i = 0; i < 2; i++) {
        const float4 four = __ldg((const float4*)row + 2 * lane + i);
        w[4 * i] = four.x, w[4 * i + 1] = four.y, w[4 * i + 2] = four.z, w[4 * i + 3] = four.w;
    }
#else
    // The block; which four bytes of its nibbles; and those that stand above them.
    const u32 lanes = Affine<WEIGHTS>::ELEMENTS / 8, in_block = lane % lanes;
    const u8* block = row + lane / lanes * Affine<WEIGHTS>::BYTES;
    const u32 nibbles = four_bytes(block + Affine<WEIGHTS>::NIBBLES + 4 * in_block);
    u32 codes[2] = {nibbles & 0x0f0f0f0fu, nibbles >> 4 & 0x0f0f0f0fu};
    Line lines[2];
#if WEIGHTS == Q6_K
    const u32 half = lane / 16, quarter = lane % 16 / 8, upper = four_bytes(block + 128 + 32 * half + 4 * (lane % 8));
    const float d = half_at(block + 208);
#pragma unroll
    for (u32 i = 0; i < 2; i++) {
        codes[i] |= (upper >> 2 * (quarter + 2 * i) & 0x03030303u) << 4;
        lines[i] = line_of(d, (i8)__ldg(block + 192 + 8 * half + 2 * (quarter + 2 * i) + lane % 8 / 4));
    }
#elif WEIGHTS >= Q4_K
    const uint4 head = __ldg((const uint4*)block);
    const u32 words[3] = {head.y, head.z, head.w}, group = lane / 8 * 2;
    const u32 s = six_bits_s(words, group >= 4) >> 8 * (group % 4), t = six_bits_t(words, group >= 4) >> 8 * (group % 4);
    const float2 both = f16x2_to_f32x2(head.x);
#if WEIGHTS == Q5_K
    const u32 fifths = four_bytes(block + 16 + 4 * (lane % 8));
#endif
#pragma unroll
    for (u32 i = 0; i < 2; i++) {
#if WEIGHTS == Q5_K
        codes[i] |= (fifths >> (group + i) & 0x01010101u) << 4;
#endif
        lines[i] = line_of(both.x, both.y, s >> 8 * i & 63, t >> 8 * i & 63);
    }
#else
#if WEIGHTS != Q4_1
    const u32 fifths = four_bytes(block + Affine<WEIGHTS>::NIBBLES - 4) >> 4 * in_block;
    codes[0] |= spread(fifths) << 4, codes[1] |= spread(fifths >> 16) << 4;
#endif
    lines[0] = lines[1] = line_of<WEIGHTS>(block);
#endif
#pragma unroll
    for (u32 i = 0; i < 8; i++) w[i] = fmaf(byte_to_f32(codes[i / 4], i % 4), lines[i / 4].scale, lines[i / 4].offset);
#endif
}

// Grid: outputs by WARPS · OUTPUTS, rows by ROWS.
template <int ROWS>
DEVICE void simt(const u8* __restrict__ weights, const float* __restrict__ bias, const float* __restrict__ x, float* __restrict__ y, u32 m,
                 u32 n, u32 k) {
    const u32 lane = lane_id(), first = (blockIdx.x * WARPS + warp_id()) * OUTPUTS, row = blockIdx.y * ROWS;
    if (first >= n) return;
    const u32 rows = min(m - row, (u32)ROWS);
    const u64 row_bytes = (u64)(k / Stored<WEIGHTS>::ELEMENTS) * Stored<WEIGHTS>::BYTES;
    const u32 span_bytes = SPAN / Stored<WEIGHTS>::ELEMENTS * Stored<WEIGHTS>::BYTES;
    // Outputs beyond the last are it once more, and not stored.
    const u8* of[OUTPUTS];
#pragma unroll
    for (u32 o = 0; o < OUTPUTS; o++) of[o] = weights + min(first + o, n - 1) * row_bytes;
    const u32 place = lane / (APART / 4) * (2 * APART) + 4 * (lane % (APART / 4));
    const float* at = x + (u64)row * k + place;
    float sums[ROWS][OUTPUTS] = {};
    // Where k is no multiple of a span, the last has nothing for some lanes.
#pragma unroll(ROWS == 1 ? 2 : 1)
    for (u32 e = place; e < k; e += SPAN, at += SPAN) {
        float w[OUTPUTS][8];
#pragma unroll
        for (u32 o = 0; o < OUTPUTS; o++) {
            eight(of[o], lane, w[o]);
            of[o] += span_bytes;
        }
#pragma unroll
        for (u32 r = 0; r < ROWS; r++) {
            if (r >= rows) break;
            const float4 a = __ldg((const float4*)(at + (u64)r * k)), b = __ldg((const float4*)(at + (u64)r * k + APART));
            const float values[8] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
#pragma unroll
            for (u32 o = 0; o < OUTPUTS; o++) {
                // Eight by themselves: a long k is not added one by one.
                float sum = w[o][0] * values[0];
#pragma unroll
                for (u32 i = 1; i < 8; i++) sum = fmaf(w[o][i], values[i], sum);
                sums[r][o] += sum;
            }
        }
    }
#pragma unroll
    for (u32 r = 0; r < ROWS; r++) {
        if (r >= rows) break;
#pragma unroll
        for (u32 o = 0; o < OUTPUTS; o++) {
            const float sum = warp_sum(sums[r][o]);
            const u32 output = first + o;
            if (lane == 0 && output < n) y[(u64)(row + r) * n + output] = bias ? sum + bias[output] : sum;
        }
    }
}

// y[m, n] = x[m, k] · W[n, k]ᵀ (+ bias).
extern "C" __global__ void __launch_bounds__(32 * WARPS, ROW_BLOCKS)
    simt_1(const u8* weights, const float* bias, const float* x, float* y, u32 m, u32 n, u32 k) {
    simt<1>(weights, bias, x, y, m, n, k);
}
extern "C" __global__ void __launch_bounds__(32 * WARPS, 2)
    simt_8(const u8* weights, const float* bias, const float* x, float* y, u32 m, u32 n, u32 k) {
    simt<8>(weights, bias, x, y, m, n, k);
}
