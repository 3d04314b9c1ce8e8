// Stamps every SM's own clock and the GPU's wall clock: two stamps around a window give the clock the SMs really ran at inside it.
//
// clock64 of an SM runs on from kernel to kernel, so (ticks then − ticks now) ÷ (ns then − ns now) of one SM is its mean clock over all
// that ran between. Four small blocks an SM come to every SM; those that share one write the same line again, each a whole stamp of 16
// bytes in one store. Occupancy and registers do not matter.
#include "time.cuh"
#include "types.cuh"

struct __align__(16) Stamp {
    u64 ticks, ns;
};

// stamps: one for each SM. A change of the wall clock is waited for, because its steps are up to a microsecond long.
extern "C" __global__ void stamp(Stamp* stamps, u32 sms) {
    if (threadIdx.x != 0) return;
    const u64 before = globaltimer();
    u64 ns, ticks;
    do {
        ns = globaltimer();
        ticks = sm_clock();
    } while (ns == before);
    const u32 sm = sm_id();
    const uint4 both = make_uint4((u32)ticks, (u32)(ticks >> 32), (u32)ns, (u32)(ns >> 32));
    if (sm < sms) *(uint4*)(stamps + sm) = both;
}

// Keeps every SM busy for so many of its own ticks: a clock is read at work, not at rest.
extern "C" __global__ void spin(u64 ticks) {
    const u64 start = sm_clock();
    while (sm_clock() - start < ticks) {}
}
