// Holds a stream until the host opens the gate, so that all that stands behind is enqueued before any of it begins.
//
// One thread; nothing is timed but what stands behind. After ten seconds it goes on by itself and says so: a host that has failed in
// between must not be waited for for ever.
#include "system.cuh"
#include "time.cuh"
#include "types.cuh"

extern "C" __global__ void WITH_HOST hold(const u32* turn, u32 wanted, u32* late) {
    const u64 until = globaltimer() + 10000000000ull;
    while (ld_acquire_sys(turn) != wanted) {
        if (globaltimer() > until) {
            *late = 1;
            return;
        }
    }
}
