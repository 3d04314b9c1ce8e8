// A grid, block after block: shared memory poisoned, threads set up, fibers changed until all have ended.
#pragma once
#include "machine.h"

namespace spark {
inline void enter(Thread* thread) {
    current = thread;
    spark_switch(&scheduler, thread->fiber->sp);
}

inline void set_up_block() {
    started = ended = 0;
    ready = nullptr;
    ready_end = &ready;
    spins = 0;
    waiting_since = 0;
    for (unsigned w = 0; w < (count + 31) / 32; w++) {
        unsigned lanes = count - 32 * w;
        warps[w].existing = lanes >= 32 ? ~0u : (1u << lanes) - 1;
        warps[w].ended = 0;
        for (Meeting& each : warps[w].meetings) each.arrived = 0;
    }
    for (Barrier& each : barriers) each = Barrier{};
    for (unsigned i = 0; i < count; i++) threads[i].ended = false;
    // Every bit set is a NaN, a code that no format has, an index out of all bounds: what is read before it is written shows.
    __builtin_memset(dynamic, 0xff, launch->shared_bytes);
    if (__start_spark_shared) __builtin_memset(__start_spark_shared, 0xff, __stop_spark_shared - __start_spark_shared);
}

inline void run_block() {
    set_up_block();
    for (;;) {
        if (started < count) {
            Fiber* fiber = idle;
            if (fiber) idle = fiber->next;
            else fiber = new_fiber();
            Thread* thread = &threads[started++];
            thread->fiber = fiber;
            fiber->thread = thread;
            enter(thread);
        } else if (ready) {
            Thread* thread = ready;
            ready = thread->next;
            if (!ready) ready_end = &ready;
            enter(thread);
        } else {
            break;
        }
        if (failed) return;
    }
    if (ended == count) return;
    failed = 719;
    unsigned first = 0;
    while (threads[first].ended) first++;
    snprintf(launch->message, launch->message_room, "a barrier that not all come to: %u of %u threads wait for ever (block %u,%u,%u, first of them thread %u)",
             count - ended, count, block_index.x, block_index.y, block_index.z, first);
}

inline int run_grid(void (*how)(void*, void**), void* kernel, const Launch* of) {
    launch = of;
    call = how;
    entry = kernel;
    failed = 0;
    block_size = of->block;
    grid_size = of->grid;
    count = of->block.x * of->block.y * of->block.z;
    fiber_count = 0;
    idle = nullptr;
    // Of just that size, so that a sanitizer's fence begins where it ends.
    void* shared = nullptr;
    if (posix_memalign(&shared, 1024, of->shared_bytes ? of->shared_bytes : 1)) {
        snprintf(of->message, of->message_room, "the host has no memory for the shared memory of a block");
        return 2;
    }
    dynamic = (unsigned char*)shared;
    for (unsigned i = 0; i < count; i++) {
        Thread& thread = threads[i];
        thread.index = {i % of->block.x, i / of->block.x % of->block.y, i / of->block.x / of->block.y};
        thread.rank = i;
        thread.copies = nullptr;
    }
    for (unsigned z = 0; z < of->grid.z && !failed; z++)
        for (unsigned y = 0; y < of->grid.y && !failed; y++)
            for (unsigned x = 0; x < of->grid.x && !failed; x++) {
                block_index = {x, y, z};
                run_block();
            }
    free(dynamic);
    return failed;
}

// Calls a kernel with its arguments, each of which stands where a pointer of the list says.
template <class T> T argument(void* at) {
    T value;
    __builtin_memcpy((void*)&value, at, sizeof(T));
    return value;
}
template <class T> struct Plain {
    using Type = T;
};
template <class T> struct Plain<const T> {
    using Type = T;
};
template <unsigned... I> struct Numbers {};
template <unsigned N, unsigned... I> struct Count : Count<N - 1, N - 1, I...> {};
template <unsigned... I> struct Count<0, I...> {
    using Type = Numbers<I...>;
};
template <class... A, unsigned... I> void apply(void (*kernel)(A...), void** at, Numbers<I...>) {
    kernel(argument<typename Plain<A>::Type>(at[I])...);
}
// What the driver's double asks of a kernel; its twin is in the Rust code.
struct About {
    unsigned max_threads, shared_bytes, parameters, with_host;
    const unsigned* sizes;
};
template <class... A> struct Kernel {
    static void call(void* kernel, void** at) { apply((void (*)(A...))kernel, at, typename Count<sizeof...(A)>::Type{}); }
    static constexpr unsigned sizes[sizeof...(A) + 1] = {sizeof(A)..., 0};
};
template <class... A> int run(void (*kernel)(A...), const Launch* of) {
    return run_grid(&Kernel<A...>::call, (void*)kernel, of);
}
template <class... A> About about(void (*)(A...), unsigned max_threads, bool with_host) {
    return {max_threads, (unsigned)(__stop_spark_shared - __start_spark_shared), sizeof...(A), with_host, Kernel<A...>::sizes};
}
}  // namespace spark
