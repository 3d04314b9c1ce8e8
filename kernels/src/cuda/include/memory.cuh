// Loads and stores that say what caches are to do, and copies from global to shared memory that pass no register.
#pragma once
#include "types.cuh"

#if defined(SPARK_CUDA_ON_CPU)
DEVICE uint4 ld_nc_v4(const void* at) { return spark::load<uint4>(at); }
DEVICE uint2 ld_nc_v2(const void* at) { return spark::load<uint2>(at); }
DEVICE u32 ld_nc_u32(const void* at) { return spark::load<u32>(at); }
DEVICE u16 ld_nc_u16(const void* at) { return spark::load<u16>(at); }
DEVICE u8 ld_nc_u8(const void* at) { return spark::load<u8>(at); }
DEVICE uint4 ld_cg_v4(const void* at) { return spark::load<uint4>(at); }
DEVICE uint4 ld_ca_v4(const void* at) { return spark::load<uint4>(at); }
DEVICE void st_cs_v4(void* at, uint4 x) { spark::store(at, x); }
DEVICE u32 ld_cv_u32(const void* at) { return *(const volatile u32*)at; }
DEVICE u64 ld_cv_u64(const void* at) { return *(const volatile u64*)at; }
DEVICE u64 ld_chase(const u64* at) { return *(const volatile u64*)at; }
DEVICE u64 ld_chase_cg(const u64* at) { return *(const volatile u64*)at; }
DEVICE void prefetch_l2(const void*) {}
DEVICE void cp_async_16(void* shared, const void* global) { spark::copy_later(shared, global, 16, true); }
DEVICE void cp_async_16_or_zero(void* shared, const void* global, bool valid) { spark::copy_later(shared, global, 16, valid); }
DEVICE void cp_async_commit() { spark::copy_commit(); }
template <int PENDING> DEVICE void cp_async_wait() { spark::copy_wait(PENDING); }
#else
// Weights are read once: nothing of L1 is given to them, and L2 fetches two sectors' neighbours along.
DEVICE uint4 ld_nc_v4(const void* at) {
    uint4 x;
    asm("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
        : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
        : "l"(__cvta_generic_to_global(at)));
    return x;
}
DEVICE uint2 ld_nc_v2(const void* at) {
    uint2 x;
    asm("ld.global.nc.L1::no_allocate.L2::256B.v2.u32 {%0, %1}, [%2];"
        : "=r"(x.x), "=r"(x.y)
        : "l"(__cvta_generic_to_global(at)));
    return x;
}
DEVICE u32 ld_nc_u32(const void* at) {
    u32 x;
    asm("ld.global.nc.L1::no_allocate.L2::256B.u32 %0, [%1];" : "=r"(x) : "l"(__cvta_generic_to_global(at)));
    return x;
}
DEVICE u16 ld_nc_u16(const void* at) { return __ldg((const u16*)at); }
DEVICE u8 ld_nc_u8(const void* at) { return __ldg((const u8*)at); }
DEVICE uint4 ld_cg_v4(const void* at) {
    uint4 x;
    asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
                 : "l"(__cvta_generic_to_global(at)));
    return x;
}
// Through L1 too, and again however often a loop comes to the same place.
DEVICE uint4 ld_ca_v4(const void* at) {
    uint4 x;
    asm volatile("ld.global.ca.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(x.x), "=r"(x.y), "=r"(x.z), "=r"(x.w)
                 : "l"(__cvta_generic_to_global(at)));
    return x;
}
DEVICE void st_cs_v4(void* at, uint4 x) {
    asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(at)), "r"(x.x), "r"(x.y), "r"(x.z),
                 "r"(x.w)
                 : "memory");
}
DEVICE u32 ld_cv_u32(const void* at) {
    u32 x;
    asm volatile("ld.global.cv.u32 %0, [%1];" : "=r"(x) : "l"(__cvta_generic_to_global(at)) : "memory");
    return x;
}
DEVICE u64 ld_cv_u64(const void* at) {
    u64 x;
    asm volatile("ld.global.cv.u64 %0, [%1];" : "=l"(x) : "l"(__cvta_generic_to_global(at)) : "memory");
    return x;
}
// Links of a chase: through L1, and through L2 only.
DEVICE u64 ld_chase(const u64* at) {
    u64 x;
    asm volatile("ld.global.ca.u64 %0, [%1];" : "=l"(x) : "l"(__cvta_generic_to_global(at)));
    return x;
}
DEVICE u64 ld_chase_cg(const u64* at) {
    u64 x;
    asm volatile("ld.global.cg.u64 %0, [%1];" : "=l"(x) : "l"(__cvta_generic_to_global(at)));
    return x;
}
DEVICE void prefetch_l2(const void* at) { asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(at))); }

DEVICE void cp_async_16(void* shared, const void* global) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global))
                 : "memory");
}
// With nothing to read the address is not touched, so it may be anywhere.
DEVICE void cp_async_16_or_zero(void* shared, const void* global, bool valid) {
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "r"(valid ? 16 : 0)
                 : "memory");
}
DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Until at most PENDING of this thread's groups are under way; other threads' copies want a barrier after it.
template <int PENDING> DEVICE void cp_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory"); }
#endif
