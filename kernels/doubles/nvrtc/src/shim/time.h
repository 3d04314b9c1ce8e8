// Clocks of the double: the host's nanoseconds, and a made-up clock of two ticks to each.
#pragma once
#include "builtins.h"

namespace spark {
struct Moment {
    long seconds, nanoseconds;
};
extern "C" int clock_gettime(int, Moment*) noexcept;
inline unsigned long long nanoseconds() {
    Moment now;
    clock_gettime(1, &now);
    return (unsigned long long)now.seconds * 1000000000ull + (unsigned long long)now.nanoseconds;
}
// A word that another block or the host writes: blocks run one after another here, so that waiting for one that never changes is a fault.
inline unsigned acquire(const unsigned* at) {
    unsigned x = __atomic_load_n(at, __ATOMIC_ACQUIRE);
    if (++spins > 1ull << 26) fault("a word was waited for too long: blocks run one after another here");
    if (spins % 16 == 0) yield();
    return x;
}
// A word that the host writes: it runs beside, on a thread of its own, which may have to be let in. Waiting for half a minute is a fault.
static unsigned long long waiting_since;
extern "C" int sched_yield(void) noexcept;
inline unsigned acquire_from_host(const unsigned* at) {
    unsigned x = __atomic_load_n(at, __ATOMIC_ACQUIRE);
    if (++spins % 64) return x;
    sched_yield();
    unsigned long long now = nanoseconds();
    if (!waiting_since) waiting_since = now;
    if (now - waiting_since > 30000000000ull) fault("the host was waited for too long");
    yield();
    return x;
}
}  // namespace spark
inline long long clock64() { return (long long)(2 * spark::nanoseconds()); }
inline long long clock() { return clock64(); }
