// Attention over the CPU's cache layout: new tokens appended by one warp each, then one block a row and query head.
//
// A block goes through the tokens 128 at a time, a score a thread, with the running maximum and sum of an online softmax, then
// sums values a thread an element. Keys stand transposed in blocks of 16 tokens, so neighbouring threads read neighbouring
// words; every query head of a group reads the cache again, from L2. At depth 4096 and 8 heads a group that is an eighth of
// the read roof; it is what faster kernels are compared with. ROUNDED = 1: queries are rounded to bf16 first. Shared memory: 2·head_dim + 128 floats.
#include "exact.cuh"
#include "convert.cuh"
#include "reduce.cuh"

#define KV_F32 0
#define KV_BF16 1
#define KV_INT8 2
#define KV_FP8 3

#if KV == KV_F32
typedef float Cell;
#elif KV == KV_BF16
typedef u16 Cell;
#else
typedef u8 Cell;
#endif

#define LANES 16
#define PAIR (4 / (int)sizeof(Cell))
#define TOKENS (sizeof(Cell) == 1 ? 4 : 1)
#define TAIL (KV == KV_INT8 ? LANES * 4 : 0)

DEVICE size_t block_cells(int dim) { return (size_t)LANES * dim + TAIL; }
DEVICE size_t key_cell(int dim, int lane, int d) { return (size_t)(d / PAIR * LANES + lane) * PAIR + d % PAIR; }
DEVICE size_t value_cell(int dim, int lane, int d) { return (size_t)(lane / TOKENS * dim + d) * TOKENS + lane % TOKENS; }
// An int8 block ends in its 16 scales, aligned to four bytes because head_dim is a multiple of four.
DEVICE float* block_scales(Cell* block, int dim) { return (float*)(block + (size_t)LANES * dim); }

DEVICE float key_of(const Cell* block, int dim, int lane, int d) {
    const Cell cell = block[key_cell(dim, lane, d)];
#if KV == KV_F32
    return cell;
#elif KV == KV_BF16
    return bf16_to_f32(cell);
#elif KV == KV_FP8
    return e4m3_to_f32(cell);
#else
    return (float)(i8)(cell - 128) * block_scales((Cell*)block, dim)[lane];
#endif
}
DEVICE float value_of(const Cell* block, int dim, int lane, int d) {
    const Cell cell = block[value_cell(dim, lane, d)];
#if KV == KV_F32
    return cell;
#elif KV == KV_BF16
    return bf16_to_f32(cell);
#elif KV == KV_FP8
    return e4m3_to_f32(cell);
#else
    return (float)(i8)cell * block_scales((Cell*)block, dim)[lane];
#endif
}

// Stores one key (offset 128) or value (offset 0) of token `lane` of a block: a whole warp.
DEVICE void put(Cell* block, int dim, int lane, const float* x, bool key) {
    float inverse = 0.0f;
#if KV == KV_INT8
    float most = 0.0f;
    for (int d = lane_id(); d < dim; d += 32) most = max_or_nan(most, fabsf(x[d]));
    most = warp_max(most);
    const bool finite = most <= 3.4028235e38f, there = most >= __uint_as_float(27u << 23);
    if (finite && there) inverse = __fdiv_rn(127.0f, most);
    if (lane_id() == 0) block_scales(block, dim)[lane] = !finite ? SPARK_NAN : there ? __fdiv_rn(most, 127.0f) : 0.0f;
#endif
    for (int d = lane_id(); d < dim; d += 32) {
        Cell& cell = block[key ? key_cell(dim, lane, d) : value_cell(dim, lane, d)];
#if KV == KV_F32
        cell = x[d];
#elif KV == KV_BF16
        cell = f32_to_bf16(x[d]);
#elif KV == KV_FP8
        cell = f32_to_e4m3(x[d]);
#else
        const float scaled = __fmul_rn(x[d], inverse);
        const int code = scaled == scaled ? __float2int_rn(scaled) : 0;
        cell = (u8)(code + (key ? 128 : 0));
#endif
    }
}

// Grid: rows, kv heads; one warp.
extern "C" __global__ void append(const float* qkv, Cell* keys, Cell* values, const uint2* rows, int heads, int kv_heads, int dim,
                                  int slots) {
    const int row = blockIdx.x, kv_head = blockIdx.y;
    const u32 sequence = rows[row].x, slot = rows[row].y;
    const size_t region = ((size_t)sequence * kv_heads + kv_head) * (slots / LANES), at = (region + slot / LANES) * block_cells(dim);
    const float* input = qkv + (size_t)row * (heads + 2 * kv_heads) * dim;
    put(keys + at, dim, slot % LANES, input + (size_t)(heads + kv_head) * dim, true);
    put(values + at, dim, slot % LANES, input + (size_t)(heads + kv_heads + kv_head) * dim, false);
}

// Grid: rows, query heads; 128 threads. window: tokens a row sees at most, 0 for all; cap: of scores, 0 for none.
extern "C" __global__ void attend(const float* qkv, float* out, const Cell* keys, const Cell* values, const uint2* rows,
                                  const float* sinks, int heads, int kv_heads, int dim, int slots, int window, float scale, float cap) {
    __shared__ float scratch[32];
    SHARED_DYNAMIC(bytes);
    float* query = (float*)bytes;
    float* sums = query + dim;
    float* powers = sums + dim;
    const int row = blockIdx.x, head = blockIdx.y, kv_head = head / (heads / kv_heads), threads = blockDim.x;
    const u32 sequence = rows[row].x;
    const int seen = (int)rows[row].y + 1, first = window && seen > window ? seen - window : 0;
    const size_t region = ((size_t)sequence * kv_heads + kv_head) * (slots / LANES) * block_cells(dim);
    keys += region;
    values += region;
    for (int d = threadIdx.x; d < dim; d += threads) {
        const float q = qkv[((size_t)row * (heads + 2 * kv_heads) + head) * dim + d];
        query[d] = ROUNDED ? bf16_to_f32(f32_to_bf16(q)) : q;
        sums[d] = 0.0f;
    }
    float most = sinks ? sinks[head] : -SPARK_INF, total = sinks ? 1.0f : 0.0f;
    __syncthreads();
    for (int start = first; start < seen; start += threads) {
        const int slot = start + threadIdx.x;
        float score = -SPARK_INF;
        if (slot < seen) {
            const Cell* block = keys + slot / LANES * block_cells(dim);
            score = 0.0f;
            for (int d = 0; d < dim; d++) score += query[d] * key_of(block, dim, slot % LANES, d);
            score *= scale;
            if (cap != 0.0f) {
                const float t = exact_exp(-2.0f * fabsf(score / cap)), bent = cap * ((1.0f - t) / (1.0f + t));
                score = score < 0.0f ? -bent : bent;
            }
        }
        const float before = most;
        most = max_or_nan(most, block_max(score, scratch));
        // Where all is still minus infinity nothing has been summed.
        const float kept = before == most ? 1.0f : exact_exp(before - most);
        const float power = slot < seen ? exact_exp(score - most) : 0.0f;
        powers[threadIdx.x] = power;
        total = total * kept + block_sum(power, scratch);
        __syncthreads();
        const int count = min(seen - start, threads);
        for (int d = threadIdx.x; d < dim; d += threads) {
            float sum = sums[d] * kept;
            for (int i = 0; i < count; i++) {
                const Cell* block = values + (start + i) / LANES * block_cells(dim);
                sum += powers[i] * value_of(block, dim, (start + i) % LANES, d);
            }
            sums[d] = sum;
        }
        __syncthreads();
    }
    for (int d = threadIdx.x; d < dim; d += threads) out[((size_t)row * heads + head) * dim + d] = sums[d] / total;
}
