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
}  // namespace spark
inline long long clock64() { return (long long)(2 * spark::nanoseconds()); }
inline long long clock() { return clock64(); }
