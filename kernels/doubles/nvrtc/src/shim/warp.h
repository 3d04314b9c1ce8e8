// What the lanes of a warp hand each other: shuffles, votes, sums.
#pragma once
#include "builtins.h"

namespace spark {
struct Shuffle {
    unsigned long long value;
    unsigned source;
};
inline void shuffle_work(Meeting& m) {
    unsigned long long values[32];
    for (unsigned i = 0; i < 32; i++) {
        if (m.arrived >> i & 1) values[i] = ((Shuffle*)m.brought[i])->value;
    }
    for (unsigned i = 0; i < 32; i++) {
        if (!(m.arrived >> i & 1)) continue;
        Shuffle& mine = *(Shuffle*)m.brought[i];
        if (!(m.arrived >> mine.source & 1)) fault("a shuffle from a lane that takes no part in it");
        mine.value = values[mine.source];
    }
}
template <class T> T shuffle(unsigned mask, T x, unsigned source) {
    static_assert(sizeof(T) <= 8, "a shuffle moves four or eight bytes");
    Shuffle mine{0, source};
    __builtin_memcpy(&mine.value, &x, sizeof x);
    meet(mask, shuffle_work, &mine, false);
    __builtin_memcpy(&x, &mine.value, sizeof x);
    return x;
}

inline void nothing(Meeting&) {}

// A word each, and what becomes of all of them, the same for all.
struct Vote {
    unsigned x, out;
};
template <class F> void vote_work(Meeting& m) {
    unsigned out = F::start;
    for (unsigned i = 0; i < 32; i++) {
        if (m.arrived >> i & 1) out = F::add(out, ((Vote*)m.brought[i])->x, i);
    }
    for (unsigned i = 0; i < 32; i++) {
        if (m.arrived >> i & 1) ((Vote*)m.brought[i])->out = out;
    }
}
template <class F> unsigned vote(unsigned mask, unsigned x) {
    Vote mine{x, 0};
    meet(mask, vote_work<F>, &mine, false);
    return mine.out;
}
struct Ballot { static constexpr unsigned start = 0; static unsigned add(unsigned all, unsigned x, unsigned lane) { return all | (unsigned)(x != 0) << lane; } };
struct Any { static constexpr unsigned start = 0; static unsigned add(unsigned all, unsigned x, unsigned) { return all | (x != 0); } };
struct All { static constexpr unsigned start = 1; static unsigned add(unsigned all, unsigned x, unsigned) { return all & (x != 0); } };
struct Sum { static constexpr unsigned start = 0; static unsigned add(unsigned all, unsigned x, unsigned) { return all + x; } };
struct Or { static constexpr unsigned start = 0; static unsigned add(unsigned all, unsigned x, unsigned) { return all | x; } };
struct And { static constexpr unsigned start = ~0u; static unsigned add(unsigned all, unsigned x, unsigned) { return all & x; } };
struct Greatest { static constexpr unsigned start = 0; static unsigned add(unsigned all, unsigned x, unsigned) { return all > x ? all : x; } };
struct Least { static constexpr unsigned start = ~0u; static unsigned add(unsigned all, unsigned x, unsigned) { return all < x ? all : x; } };
}  // namespace spark

inline void __syncwarp(unsigned mask = ~0u) {
    char mine = 0;
    spark::meet(mask, spark::nothing, &mine, false);
}
inline unsigned __activemask() { return ~0u; }

// Lanes are taken in groups of `width`; a source outside the group is the lane itself.
template <class T> T __shfl_sync(unsigned mask, T x, int source, int width = 32) {
    unsigned group = spark::lane() & ~(width - 1);
    return spark::shuffle(mask, x, group + (source & (width - 1)));
}
template <class T> T __shfl_up_sync(unsigned mask, T x, unsigned by, int width = 32) {
    unsigned group = spark::lane() & ~(width - 1), own = spark::lane();
    return spark::shuffle(mask, x, own < group + by ? own : own - by);
}
template <class T> T __shfl_down_sync(unsigned mask, T x, unsigned by, int width = 32) {
    unsigned own = spark::lane(), end = (own & ~(width - 1)) + width;
    return spark::shuffle(mask, x, own + by >= end ? own : own + by);
}
template <class T> T __shfl_xor_sync(unsigned mask, T x, int by, int width = 32) {
    unsigned own = spark::lane(), other = own ^ by, end = (own & ~(width - 1)) + width;
    return spark::shuffle(mask, x, other >= end ? own : other);
}
inline unsigned __ballot_sync(unsigned mask, int truth) { return spark::vote<spark::Ballot>(mask, truth); }
inline int __any_sync(unsigned mask, int truth) { return (int)spark::vote<spark::Any>(mask, truth); }
inline int __all_sync(unsigned mask, int truth) { return (int)spark::vote<spark::All>(mask, truth); }
inline unsigned __reduce_add_sync(unsigned mask, unsigned x) { return spark::vote<spark::Sum>(mask, x); }
inline int __reduce_add_sync(unsigned mask, int x) { return (int)spark::vote<spark::Sum>(mask, x); }
inline unsigned __reduce_max_sync(unsigned mask, unsigned x) { return spark::vote<spark::Greatest>(mask, x); }
inline unsigned __reduce_min_sync(unsigned mask, unsigned x) { return spark::vote<spark::Least>(mask, x); }
// Signed order is unsigned order with the sign turned around.
inline int __reduce_max_sync(unsigned mask, int x) { return (int)(spark::vote<spark::Greatest>(mask, x ^ 0x80000000u) ^ 0x80000000u); }
inline int __reduce_min_sync(unsigned mask, int x) { return (int)(spark::vote<spark::Least>(mask, x ^ 0x80000000u) ^ 0x80000000u); }
inline unsigned __reduce_or_sync(unsigned mask, unsigned x) { return spark::vote<spark::Or>(mask, x); }
inline unsigned __reduce_and_sync(unsigned mask, unsigned x) { return spark::vote<spark::And>(mask, x); }
