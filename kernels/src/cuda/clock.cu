// Stamps every SM's own clock and the GPU's wall clock: two stamps around a window give the clock the SMs really ran at inside it.
//
// clock64 of an SM runs on from kernel to kernel, so (ticks then − ticks now) ÷ (ns then − ns now) of one SM is its mean clock over all
// that ran between. Blocks of 1024 threads with most of the shared memory asked for are spread one an SM; a block that shares an SM with
// another writes the same line twice. One thread writes 16 bytes; occupancy and registers do not matter.
#include "time.cuh"
#include "types.cuh"

struct Stamp {
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
    if (sm < sms) stamps[sm] = Stamp{ticks, ns};
}
