// Copies of whole tiles into shared memory that an engine carries out by itself, and the barriers that tell when they are there.
//
// A barrier is a u64 in shared memory. Its phase ends when its arrivals and the bytes they expect have come; waiting names the parity
// of the phase: 0 for the first, 1 for the second, 0 for the third. sm_90 and up.
#pragma once
#include "types.cuh"

// What cuTensorMapEncodeTiled fills; a kernel takes it as `const __grid_constant__ TensorMap`.
struct __align__(64) TensorMap {
    u64 words[16];
};

// A tile of rows of 128 bytes that stands at a multiple of 1024: where byte `byte` of row `row` lies under the 128-byte swizzle.
DEVICE u32 swizzle128(u32 row, u32 byte) { return row * 128 + ((byte >> 4 ^ (row & 7)) << 4) + (byte & 15); }

#if SPARK_HAS_TMA
#if defined(SPARK_CUDA_ON_CPU)
DEVICE void barrier_init(u64* barrier, u32 arrivals) { spark::barrier_init(barrier, arrivals); }
DEVICE void barrier_init_fence() {}
DEVICE void barrier_arrive(u64* barrier) { spark::barrier_arrive(barrier, 0); }
DEVICE void barrier_expect(u64* barrier, u32 bytes) { spark::barrier_arrive(barrier, bytes); }
DEVICE void barrier_wait(u64* barrier, u32 parity) { spark::barrier_wait(barrier, parity); }
DEVICE void bulk_load(void* shared, const void* global, u32 bytes, u64* barrier) { spark::bulk_load(shared, global, bytes, barrier); }
DEVICE void tma_load_2d(void* shared, const TensorMap* map, i32 column, i32 row, u64* barrier) {
    spark::tma_load_2d(shared, map->words, column, row, barrier);
}
DEVICE void tma_prefetch(const TensorMap*) {}
DEVICE void fence_async_shared() {}
#else
DEVICE void barrier_init(u64* barrier, u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
}
// Makes freshly made barriers known to the copy engine; a __syncthreads() makes them known to the block.
DEVICE void barrier_init_fence() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
DEVICE void barrier_arrive(u64* barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}
// One arrival, which says how many bytes the copies of this phase will bring.
DEVICE void barrier_expect(u64* barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes) : "memory");
}
DEVICE void barrier_wait(u64* barrier, u32 parity) {
    u32 done = 0;
    while (!done) {
        asm volatile("{\n.reg .pred done;\nmbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\nselp.u32 %0, 1, 0, done;\n}"
                     : "=r"(done)
                     : "r"(shared_address(barrier)), "r"(parity)
                     : "memory");
    }
}
// Both addresses and the length are multiples of 16. One thread asks for it.
DEVICE void bulk_load(void* shared, const void* global, u32 bytes, u64* barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "r"(bytes), "r"(shared_address(barrier))
                 : "memory");
}
// The box of `map` whose first element is (row, column); column counts elements. What lies outside the tensor comes as zeros.
DEVICE void tma_load_2d(void* shared, const TensorMap* map, i32 column, i32 row, u64* barrier) {
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(
            shared_address(shared)),
        "l"(map), "r"(column), "r"(row), "r"(shared_address(barrier))
        : "memory");
}
DEVICE void tma_prefetch(const TensorMap* map) { asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory"); }
// What threads wrote to shared memory is seen by the engines that read it (wgmma, TMA) after this and a barrier.
DEVICE void fence_async_shared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
#endif
#endif

// A barrier of `threads` threads, numbered 1 … 15, beside __syncthreads() which is number 0.
DEVICE void named_barrier(u32 id, u32 threads) {
#if defined(SPARK_CUDA_ON_CPU)
    spark::named_barrier(id, threads);
#else
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
#endif
}
