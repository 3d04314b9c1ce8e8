// A GPU's block on one CPU thread: its threads are fibers, which change over only where they wait for each other.
//
// A fiber starts a thread and, when that thread has ended without waiting, the next one: a kernel without barriers is a plain loop
// on one stack. Where a thread waits, its fiber is put aside and another takes up the threads that have not begun. Blocks run one
// after another. What can go wrong on a GPU silently is a fault here: lanes of a warp that meet at different operations, a value
// taken from a lane that is not there, a barrier that not all come to.
#pragma once

extern "C" {
int snprintf(char*, __SIZE_TYPE__, const char*, ...);
int posix_memalign(void**, __SIZE_TYPE__, __SIZE_TYPE__) noexcept;
void* malloc(__SIZE_TYPE__) noexcept;
void free(void*) noexcept;
// Where GNU's linker says the shared memory of fixed size begins and ends.
extern unsigned char __start_spark_shared[] __attribute__((weak, visibility("hidden")));
extern unsigned char __stop_spark_shared[] __attribute__((weak, visibility("hidden")));
void spark_switch(void** leave, void* enter) __attribute__((visibility("hidden")));
}

#if defined(__x86_64__)
// What a call must leave as it was, pushed onto the stack that is left.
asm(".text\n.type spark_switch,@function\n.globl spark_switch\n.hidden spark_switch\nspark_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp,(%rdi)\nmovq %rsi,%rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n");
#define SPARK_FRAME_WORDS 8
#define SPARK_FRAME_RETURN 6
#elif defined(__aarch64__)
asm(".text\n.type spark_switch,%function\n.globl spark_switch\n.hidden spark_switch\nspark_switch:\n"
    "sub sp,sp,#160\nstp x19,x20,[sp]\nstp x21,x22,[sp,#16]\nstp x23,x24,[sp,#32]\nstp x25,x26,[sp,#48]\nstp x27,x28,[sp,#64]\n"
    "stp x29,x30,[sp,#80]\nstp d8,d9,[sp,#96]\nstp d10,d11,[sp,#112]\nstp d12,d13,[sp,#128]\nstp d14,d15,[sp,#144]\n"
    "mov x9,sp\nstr x9,[x0]\nmov sp,x1\n"
    "ldp x19,x20,[sp]\nldp x21,x22,[sp,#16]\nldp x23,x24,[sp,#32]\nldp x25,x26,[sp,#48]\nldp x27,x28,[sp,#64]\n"
    "ldp x29,x30,[sp,#80]\nldp d8,d9,[sp,#96]\nldp d10,d11,[sp,#112]\nldp d12,d13,[sp,#128]\nldp d14,d15,[sp,#144]\n"
    "add sp,sp,#160\nret\n");
#define SPARK_FRAME_WORDS 20
#define SPARK_FRAME_RETURN 11
#else
#error "the double changes stacks on x86-64 and aarch64 only"
#endif

namespace spark {
struct Dim3 {
    unsigned x, y, z;
};

// What the double of the driver hands over; its twin is in the Rust code that calls.
struct Launch {
    Dim3 grid, block;
    unsigned shared_bytes;
    unsigned stack_bytes;
    void** parameters;
    unsigned char* stacks;
    char* message;
    __SIZE_TYPE__ message_room;
};

struct Copy;
struct Fiber;
// A CUDA thread.
struct Thread {
    Dim3 index;
    unsigned rank;
    bool ended;
    Fiber* fiber;
    Copy* copies;
    Thread* next;
};
struct Fiber {
    void* sp;
    Thread* thread;
    Fiber* next;
};

// A meeting of the lanes of a warp: each brings operands, the last to come works for all.
struct Meeting {
    unsigned mask, arrived;
    void (*work)(Meeting&);
    void* brought[32];
    bool aligned;
};
struct Warp {
    Meeting meetings[4];
    unsigned existing, ended;
};
// A barrier of the block or of a part of it.
struct Barrier {
    unsigned arrived, ones;
    Thread* waiting;
};

static Thread* current;
static Dim3 block_index, block_size, grid_size;
static Thread threads[1024];
static Warp warps[32];
static Barrier barriers[16];
static Fiber fibers[1024];
static Fiber* idle;
static Thread *ready, **ready_end;
static unsigned fiber_count, started, count, ended;
static void *scheduler, *entry;
static void (*call)(void*, void**);
static const Launch* launch;
static unsigned char* dynamic;
static unsigned long long spins;
static int failed;

inline void* dynamic_shared() { return dynamic; }

inline void leave() {
    Fiber* self = current->fiber;
    spark_switch(&self->sp, scheduler);
}

// Ends the launch: nothing of this block goes on.
[[noreturn]] inline void fault(const char* why) {
    if (!failed) {
        snprintf(launch->message, launch->message_room, "%s (block %u,%u,%u thread %u,%u,%u)", why, block_index.x, block_index.y,
                 block_index.z, current->index.x, current->index.y, current->index.z);
    }
    failed = 719;
    for (;;) leave();
}

inline void make_ready(Thread* thread) {
    thread->next = nullptr;
    *ready_end = thread;
    ready_end = &thread->next;
}

// Lets the others run first.
inline void yield() {
    make_ready(current);
    leave();
}

inline unsigned lane() { return current->rank & 31; }

// Does what the lanes met for, once all of them that still run are there; `last` is the one that need not be woken.
inline bool met(Warp& warp, Meeting& meeting, unsigned first, Thread* last) {
    unsigned expected = meeting.mask & warp.existing & ~warp.ended;
    if (!meeting.arrived || (meeting.arrived & expected) != expected) return false;
    if (meeting.aligned && meeting.arrived != ~0u) fault("an operation of a whole warp in a warp of which lanes are missing");
    meeting.work(meeting);
    for (unsigned i = 0; i < 32; i++) {
        if (meeting.arrived >> i & 1 && &threads[first + i] != last) make_ready(&threads[first + i]);
    }
    meeting.arrived = 0;
    return true;
}

// `aligned`: the instruction wants all 32 lanes, also those that have ended.
inline void meet(unsigned mask, void (*work)(Meeting&), void* mine, bool aligned) {
    Warp& warp = warps[current->rank / 32];
    unsigned bit = 1u << lane();
    if (!(mask & bit)) fault("a lane takes part in an operation whose mask leaves it out");
    Meeting *found = nullptr, *empty = nullptr;
    for (Meeting& each : warp.meetings) {
        if (!each.arrived) empty = empty ? empty : &each;
        else if (each.mask & mask) found = &each;
    }
    if (found && (found->mask != mask || found->work != work || found->arrived & bit)) {
        fault("lanes of a warp meet at different operations");
    }
    if (!found) {
        if (!empty) fault("a warp has parted into more than four groups");
        found = empty;
        found->mask = mask;
        found->work = work;
        found->aligned = aligned;
    }
    found->brought[lane()] = mine;
    found->arrived |= bit;
    if (!met(warp, *found, current->rank & ~31u, current)) leave();
}

inline bool open(Barrier& barrier, unsigned expected, Thread* last) {
    if (!barrier.arrived || barrier.arrived < expected) return false;
    while (Thread* thread = barrier.waiting) {
        barrier.waiting = thread->next;
        if (thread != last) make_ready(thread);
    }
    barrier.arrived = 0;
    return true;
}

// How many of the threads that came brought a truth; kept until the barrier is next used, which all have left by then.
static unsigned outcome[2], turn;
inline unsigned block_barrier(bool truth) {
    Barrier& barrier = barriers[0];
    barrier.arrived++;
    barrier.ones += truth;
    unsigned mine = turn;
    if (barrier.arrived >= count - ended) {
        outcome[turn] = barrier.ones;
        barrier.ones = 0;
        turn ^= 1;
        open(barrier, count - ended, nullptr);
    } else {
        current->next = barrier.waiting;
        barrier.waiting = current;
        leave();
    }
    return outcome[mine];
}
inline void named_barrier(unsigned id, unsigned expected) {
    if (id < 1 || id > 15 || expected % 32 || expected > count) fault("a named barrier is 1 to 15, of whole warps of the block");
    Barrier& barrier = barriers[id];
    barrier.arrived++;
    if (barrier.arrived == expected) {
        open(barrier, expected, nullptr);
    } else {
        current->next = barrier.waiting;
        barrier.waiting = current;
        leave();
    }
}

void forget_copies(Thread&);

// A thread has ended: those that wait for it at the barrier or in its warp wait no longer.
inline void end(Thread* thread) {
    thread->ended = true;
    ended++;
    if (thread->copies) forget_copies(*thread);
    Warp& warp = warps[thread->rank / 32];
    warp.ended |= 1u << (thread->rank & 31);
    for (Meeting& each : warp.meetings) {
        if (each.arrived) met(warp, each, thread->rank & ~31u, nullptr);
    }
    Barrier& barrier = barriers[0];
    if (barrier.arrived && barrier.arrived >= count - ended) {
        outcome[turn] = barrier.ones;
        barrier.ones = 0;
        turn ^= 1;
        open(barrier, count - ended, nullptr);
    }
}

inline void work() {
    Fiber* self = current->fiber;
    for (;;) {
        call(entry, launch->parameters);
        end(current);
        if (started < count) {
            current = &threads[started++];
            current->fiber = self;
            self->thread = current;
        } else {
            self->next = idle;
            idle = self;
            leave();
        }
    }
}

inline Fiber* new_fiber() {
    Fiber* fiber = &fibers[fiber_count];
    unsigned char* top = launch->stacks + (__SIZE_TYPE__)launch->stack_bytes * (fiber_count + 1);
    void** frame = (void**)top - SPARK_FRAME_WORDS;
    for (unsigned i = 0; i < SPARK_FRAME_WORDS; i++) frame[i] = nullptr;
    frame[SPARK_FRAME_RETURN] = (void*)&work;
    fiber->sp = frame;
    fiber_count++;
    return fiber;
}
}  // namespace spark
