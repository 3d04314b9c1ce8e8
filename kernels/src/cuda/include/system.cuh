// Words that several blocks, or the GPU and the host, hand each other: loads that acquire, stores that release, atomics.
#pragma once
#include "types.cuh"

// Stands before the name of a kernel that waits for what the host does while it runs: the double then runs it beside the host.
#if defined(SPARK_CUDA_ON_CPU)
#define WITH_HOST spark_with_host
#else
#define WITH_HOST
#endif

#if defined(SPARK_CUDA_ON_CPU)
#define SPARK_ACQUIRE(SCOPE, FROM) \
    DEVICE u32 ld_acquire_##SCOPE(const u32* at) { return spark::FROM(at); } \
    DEVICE void st_release_##SCOPE(u32* at, u32 x) { __atomic_store_n(at, x, __ATOMIC_RELEASE); } \
    DEVICE u32 atomic_add_##SCOPE(u32* at, u32 x) { return __atomic_fetch_add(at, x, __ATOMIC_RELAXED); } \
    DEVICE u32 atomic_add_release_##SCOPE(u32* at, u32 x) { return __atomic_fetch_add(at, x, __ATOMIC_RELEASE); } \
    DEVICE u32 atomic_add_acq_rel_##SCOPE(u32* at, u32 x) { return __atomic_fetch_add(at, x, __ATOMIC_ACQ_REL); } \
    DEVICE u32 ld_relaxed_##SCOPE(const u32* at) { return spark::FROM(at); } \
    DEVICE void st_relaxed_##SCOPE(u32* at, u32 x) { __atomic_store_n(at, x, __ATOMIC_RELAXED); }
#else
#define SPARK_ACQUIRE(SCOPE, FROM) \
    DEVICE u32 ld_acquire_##SCOPE(const u32* at) { \
        u32 x; \
        asm volatile("ld.acquire." #SCOPE ".u32 %0, [%1];" : "=r"(x) : "l"(at) : "memory"); \
        return x; \
    } \
    DEVICE void st_release_##SCOPE(u32* at, u32 x) { \
        asm volatile("st.release." #SCOPE ".u32 [%0], %1;" ::"l"(at), "r"(x) : "memory"); \
    } \
    DEVICE u32 atomic_add_##SCOPE(u32* at, u32 x) { \
        u32 was; \
        asm volatile("atom.add.relaxed." #SCOPE ".u32 %0, [%1], %2;" : "=r"(was) : "l"(at), "r"(x) : "memory"); \
        return was; \
    } \
    DEVICE u32 atomic_add_release_##SCOPE(u32* at, u32 x) { \
        u32 was; \
        asm volatile("atom.add.release." #SCOPE ".u32 %0, [%1], %2;" : "=r"(was) : "l"(at), "r"(x) : "memory"); \
        return was; \
    } \
    DEVICE u32 atomic_add_acq_rel_##SCOPE(u32* at, u32 x) { \
        u32 was; \
        asm volatile("atom.add.acq_rel." #SCOPE ".u32 %0, [%1], %2;" : "=r"(was) : "l"(at), "r"(x) : "memory"); \
        return was; \
    } \
    DEVICE u32 ld_relaxed_##SCOPE(const u32* at) { \
        u32 x; \
        asm volatile("ld.relaxed." #SCOPE ".u32 %0, [%1];" : "=r"(x) : "l"(at) : "memory"); \
        return x; \
    } \
    DEVICE void st_relaxed_##SCOPE(u32* at, u32 x) { \
        asm volatile("st.relaxed." #SCOPE ".u32 [%0], %1;" ::"l"(at), "r"(x) : "memory"); \
    }
#endif

SPARK_ACQUIRE(gpu, acquire)
SPARK_ACQUIRE(sys, acquire_from_host)

DEVICE void fence_sys() { __threadfence_system(); }
