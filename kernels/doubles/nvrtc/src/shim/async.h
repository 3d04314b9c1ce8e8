// Copies that arrive later: they are carried out only when somebody waits for them, so that a wait which is missing shows.
#pragma once
#include "builtins.h"

namespace spark {
// A copy of cp.async under way, the newest first; `group` counts the commits before it.
struct Copy {
    Copy* next;
    unsigned char* to;
    const unsigned char* from;
    unsigned bytes, group;
    bool valid;
};
static unsigned committed[1024];

inline void carry_out(Copy* copy) {
    if (!copy) return;
    carry_out(copy->next);
    if (copy->valid) __builtin_memcpy(copy->to, copy->from, copy->bytes);
    else __builtin_memset(copy->to, 0, copy->bytes);
    free(copy);
}
// What nobody waited for never comes.
inline void forget_copies(Thread& thread) {
    while (Copy* copy = thread.copies) {
        thread.copies = copy->next;
        free(copy);
    }
    committed[thread.rank] = 0;
}
inline void copy_later(void* to, const void* from, unsigned bytes, bool valid) {
    if ((__UINTPTR_TYPE__)to % bytes || (valid && (__UINTPTR_TYPE__)from % bytes)) fault("a copy of cp.async whose ends are not aligned");
    __builtin_memset(to, 0xff, bytes);
    Copy* copy = (Copy*)malloc(sizeof(Copy));
    *copy = {current->copies, (unsigned char*)to, (const unsigned char*)from, bytes, committed[current->rank], valid};
    current->copies = copy;
}
inline void copy_commit() { committed[current->rank]++; }
inline void copy_wait(unsigned pending) {
    // Groups up to here are waited for; those not yet committed never are.
    unsigned all = committed[current->rank], until = all < pending ? 0 : all - pending;
    Copy** at = &current->copies;
    while (*at && (*at)->group >= until) at = &(*at)->next;
    carry_out(*at);
    *at = nullptr;
    if (!current->copies) committed[current->rank] = 0;
}

// A barrier of shared memory in its 64 bits: arrivals wanted and still to come, the parity of its phase, bytes still to come.
struct Phase {
    unsigned short wanted, left;
    int bytes : 31;
    unsigned parity : 1;
};
static_assert(sizeof(Phase) == 8, "a barrier is a u64");
// A bulk copy, held back until its barrier is waited for.
struct Bulk {
    Bulk* next;
    void (*run)(Bulk&);
    unsigned char* to;
    const void* from;
    unsigned long long* barrier;
    unsigned bytes;
    int column, row;
};
static Bulk* bulks;

inline void may_end(Phase& phase) {
    if (phase.left || phase.bytes) return;
    phase.left = phase.wanted;
    phase.parity ^= 1;
}
inline void barrier_init(unsigned long long* barrier, unsigned arrivals) {
    if ((__UINTPTR_TYPE__)barrier % 8 || !arrivals || arrivals > 1024) fault("a barrier that is misaligned or of no arrivals");
    *(Phase*)barrier = {(unsigned short)arrivals, (unsigned short)arrivals, 0, 0};
}
inline void barrier_arrive(unsigned long long* barrier, unsigned bytes) {
    Phase& phase = *(Phase*)barrier;
    if (!phase.left || phase.left > phase.wanted) fault("an arrival at a barrier that was not made or has all it wants");
    phase.left--;
    phase.bytes += (int)bytes;
    may_end(phase);
}
// Carries out what was asked of this barrier; whether there was anything.
inline bool bring(unsigned long long* barrier) {
    bool any = false;
    for (Bulk** at = &bulks; *at;) {
        Bulk* bulk = *at;
        if (bulk->barrier != barrier) {
            at = &bulk->next;
            continue;
        }
        *at = bulk->next;
        bulk->run(*bulk);
        Phase& phase = *(Phase*)barrier;
        phase.bytes -= (int)bulk->bytes;
        may_end(phase);
        free(bulk);
        any = true;
    }
    return any;
}
// Waits that nothing ends are told from long ones by the rounds in which nobody else did anything but wait.
inline void barrier_wait(unsigned long long* barrier, unsigned parity) {
    Phase& phase = *(Phase*)barrier;
    if (!phase.wanted || phase.left > phase.wanted) fault("a wait at a barrier that was not made");
    while (phase.parity == (parity & 1)) {
        if (!bring(barrier)) {
            if (++spins > 64ull * (count + 1) * 64) fault("a wait for bytes or arrivals that do not come");
            yield();
        }
    }
    spins = 0;
}
inline void later(Bulk bulk) {
    if ((__UINTPTR_TYPE__)bulk.to % 16 || bulk.bytes % 16) fault("a bulk copy whose ends are no multiples of 16 bytes");
    __builtin_memset(bulk.to, 0xff, bulk.bytes);
    Bulk* held = (Bulk*)malloc(sizeof(Bulk));
    *held = bulk;
    held->next = nullptr;
    Bulk** end = &bulks;
    while (*end) end = &(*end)->next;
    *end = held;
}
inline void bulk_load(void* to, const void* from, unsigned bytes, unsigned long long* barrier) {
    if ((__UINTPTR_TYPE__)from % 16) fault("a bulk copy whose ends are no multiples of 16 bytes");
    auto run = [](Bulk& b) { __builtin_memcpy(b.to, b.from, b.bytes); };
    later({nullptr, run, (unsigned char*)to, from, barrier, bytes, 0, 0});
}
}  // namespace spark
