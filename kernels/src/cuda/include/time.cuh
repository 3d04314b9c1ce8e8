// The clocks that a kernel can read, and where it runs.
#pragma once
#include "types.cuh"

// Nanoseconds of the GPU's wall clock; its steps are up to a microsecond long.
DEVICE u64 globaltimer() {
#if defined(SPARK_CUDA_ON_CPU)
    return spark::nanoseconds();
#else
    u64 ns;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(ns)::"memory");
    return ns;
#endif
}
// Ticks of this SM's clock.
DEVICE u64 sm_clock() { return (u64)clock64(); }
DEVICE u32 sm_id() {
#if defined(SPARK_CUDA_ON_CPU)
    return 0;
#else
    u32 id;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(id));
    return id;
#endif
}
