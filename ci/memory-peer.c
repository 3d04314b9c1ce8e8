// The best plain loops over memory that C with intrinsics gives, as a peer of `read`, `copy`, `triad` and `chase`.
//
// memory-peer OP BYTES THREADS MILLISECONDS: tries each variant for that long and prints its name and the median time of a run in
// nanoseconds with the bytes (or hops) of one, a line a variant. Arrays stand on huge pages where the kernel grants them, threads are
// pinned to the first processors, large arrays are read in windows of 64 MiB in turn: all as spark-bench does it.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512i vec;
#define LANE 64
#define LOAD(p) _mm512_load_si512((const void *)(p))
#define STORE(p, v) _mm512_store_si512((void *)(p), v)
#define STREAM(p, v) _mm512_stream_si512((void *)(p), v)
#define ADD(a, b) _mm512_add_epi64(a, b)
#define ZERO() _mm512_setzero_si512()
#define FENCE() _mm_sfence()
#define TRIAD(b, s, c) _mm512_castps_si512(_mm512_fmadd_ps(_mm512_castsi512_ps(c), _mm512_set1_ps(s), _mm512_castsi512_ps(b)))
static uint64_t sum_of(vec v) { return (uint64_t)_mm512_reduce_add_epi64(v); }
#elif defined(__AVX2__)
#include <immintrin.h>
typedef __m256i vec;
#define LANE 32
#define LOAD(p) _mm256_load_si256((const __m256i *)(p))
#define STORE(p, v) _mm256_store_si256((__m256i *)(p), v)
#define STREAM(p, v) _mm256_stream_si256((__m256i *)(p), v)
#define ADD(a, b) _mm256_add_epi64(a, b)
#define ZERO() _mm256_setzero_si256()
#define FENCE() _mm_sfence()
#define TRIAD(b, s, c) _mm256_castps_si256(_mm256_fmadd_ps(_mm256_castsi256_ps(c), _mm256_set1_ps(s), _mm256_castsi256_ps(b)))
static uint64_t sum_of(vec v) { return (uint64_t)v[0] + (uint64_t)v[1] + (uint64_t)v[2] + (uint64_t)v[3]; }
#elif defined(__aarch64__)
#include <arm_neon.h>
typedef uint64x2_t vec;
#define LANE 16
#define LOAD(p) vld1q_u64((const uint64_t *)(p))
#define STORE(p, v) vst1q_u64((uint64_t *)(p), v)
#define STREAM(p, v) __builtin_nontemporal_store(v, (uint64x2_t *)(p))
#define ADD(a, b) vaddq_u64(a, b)
#define ZERO() vdupq_n_u64(0)
#define FENCE() atomic_thread_fence(memory_order_seq_cst)
#define TRIAD(b, s, c) vreinterpretq_u64_f32(vfmaq_n_f32(vreinterpretq_f32_u64(b), vreinterpretq_f32_u64(c), s))
#if !defined(__clang__)
#undef STREAM
#define STREAM(p, v) __asm__ volatile("stnp %q0, %q0, [%1]" ::"w"(v), "r"(p) : "memory")
#define NO_STREAM 1
#endif
static uint64_t sum_of(vec v) { return vgetq_lane_u64(v, 0) + vgetq_lane_u64(v, 1); }
#else
#error "write the vectors of this processor here"
#endif

#define WINDOW (64u << 20)
#define HOPS (1 << 14)

struct job {
    char *a, *b, *c;
    size_t bytes; // of this thread's share
    uint64_t result;
};
typedef void (*kernel)(struct job *);

#define READ(NAME, STREAMS, SPAN)                                                                  \
    static void NAME(struct job *j) {                                                              \
        enum { UNROLL = 16 / STREAMS < 4 ? 4 : 16 / STREAMS };                                     \
        size_t span = SPAN ? SPAN : j->bytes / STREAMS / (UNROLL * LANE) * (UNROLL * LANE);        \
        size_t block = span * STREAMS, blocks = block ? j->bytes / block : 0;                      \
        vec s[8];                                                                                  \
        for (int i = 0; i < 8; i++) s[i] = ZERO();                                                 \
        for (size_t k = 0; k < blocks; k++) {                                                      \
            const char *p = j->a + k * block;                                                      \
            for (size_t at = 0; at < span; at += UNROLL * LANE)                                    \
                for (int t = 0; t < STREAMS; t++)                                                  \
                    for (int i = 0; i < UNROLL; i++)                                               \
                        s[(t * UNROLL + i) % 8] = ADD(s[(t * UNROLL + i) % 8], LOAD(p + t * span + at + i * LANE)); \
        }                                                                                          \
        for (size_t at = blocks * block; at < j->bytes; at += LANE) s[0] = ADD(s[0], LOAD(j->a + at)); \
        for (int i = 1; i < 8; i++) s[0] = ADD(s[0], s[i]);                                        \
        j->result = sum_of(s[0]);                                                                  \
    }
READ(read_plain, 1, 0)
READ(read_streams2, 2, 0)
READ(read_streams4, 4, 0)
READ(read_pages2, 2, 4096)
READ(read_pages4, 4, 4096)
READ(read_pages8, 8, 4096)

#define WALK(NAME, PUT, VALUE)                                              \
    static void NAME(struct job *j) {                                       \
        for (size_t at = 0; at < j->bytes; at += 8 * LANE)                  \
            for (int i = 0; i < 8; i++) PUT(j->a + at + i * LANE, VALUE);   \
        FENCE();                                                            \
    }
WALK(copy_plain, STORE, LOAD(j->b + at + i * LANE))
WALK(copy_nt, STREAM, LOAD(j->b + at + i * LANE))
WALK(triad_plain, STORE, TRIAD(LOAD(j->b + at + i * LANE), 1.5f, LOAD(j->c + at + i * LANE)))
WALK(triad_nt, STREAM, TRIAD(LOAD(j->b + at + i * LANE), 1.5f, LOAD(j->c + at + i * LANE)))
static void copy_libc(struct job *j) { memcpy(j->a, j->b, j->bytes); }

static void chase(struct job *j) {
    const uint64_t *links = (const uint64_t *)j->a;
    uint64_t at = j->result;
    for (int i = 0; i < HOPS; i++) at = links[at];
    j->result = at;
}

struct variant {
    const char *op, *name;
    kernel run;
    int arrays;
};
static const struct variant ALL[] = {
    {"read", "plain", read_plain, 1},     {"read", "streams2", read_streams2, 1}, {"read", "streams4", read_streams4, 1},
    {"read", "pages2", read_pages2, 1},   {"read", "pages4", read_pages4, 1},     {"read", "pages8", read_pages8, 1},
    {"copy", "plain", copy_plain, 2},     {"copy", "nt", copy_nt, 2},             {"copy", "memcpy", copy_libc, 2},
    {"triad", "plain", triad_plain, 3},   {"triad", "nt", triad_nt, 3},           {"chase", "plain", chase, 1},
};

static int threads;
static struct job jobs[256];
static kernel now;
static atomic_int epoch, busy;

static void pin(int index) {
    cpu_set_t allowed, one;
    sched_getaffinity(0, sizeof allowed, &allowed);
    CPU_ZERO(&one);
    for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && seen++ == index) CPU_SET(cpu, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
}

static void *work(void *of) {
    intptr_t index = (intptr_t)of;
    pin((int)index);
    for (int seen = 0;; seen++) {
        while (atomic_load(&epoch) == seen) {}
        now(&jobs[index]);
        atomic_fetch_sub(&busy, 1);
    }
    return NULL;
}

static double ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static int by_size(const void *a, const void *b) {
    double d = *(const double *)a - *(const double *)b;
    return (d > 0) - (d < 0);
}

static char *array(size_t bytes) {
    const size_t huge = 2u << 20;
    size_t len = (bytes + huge - 1) / huge * huge + huge;
    char *raw = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) exit(2);
    char *at = (char *)(((uintptr_t)raw + huge - 1) / huge * huge);
    madvise(at, bytes, MADV_HUGEPAGE);
    uint64_t x = 88172645463325252ull;
    for (size_t i = 0; i < bytes / 8; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        // Numbers between 1 and 2, so that a triad meets no subnormal.
        ((uint64_t *)at)[i] = (x & 0x007fffff007fffffull) | 0x3f8000003f800000ull;
    }
    return at;
}

int main(int argc, char **argv) {
    if (argc != 5) return fprintf(stderr, "memory-peer OP BYTES THREADS MILLISECONDS\n"), 2;
    const char *op = argv[1];
    size_t bytes = strtoull(argv[2], NULL, 10);
    threads = atoi(argv[3]);
    double budget = atof(argv[4]) * 1e6;
    int chasing = !strcmp(op, "chase");
    if (chasing) threads = 1;
    if (threads < 1 || threads > 256 || bytes % (4096 * (size_t)threads)) return 2;
    char *a = array(bytes), *b = NULL, *c = NULL;
    if (strcmp(op, "read") && !chasing) b = array(bytes);
    if (!strcmp(op, "triad")) c = array(bytes);
    if (chasing) {
        // Sattolo's shuffle: one cycle through every line.
        size_t lines = bytes / 64;
        uint32_t *next = malloc(lines * sizeof *next);
        uint64_t x = 88172645463325252ull;
        for (size_t i = 0; i < lines; i++) next[i] = (uint32_t)i;
        for (size_t i = lines - 1; i > 0; i--) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            size_t k = (size_t)(((unsigned __int128)x * i) >> 64);
            uint32_t t = next[i];
            next[i] = next[k], next[k] = t;
        }
        for (size_t i = 0; i < lines; i++) ((uint64_t *)a)[i * 8] = (uint64_t)next[i] * 8;
        free(next);
    }
    for (intptr_t i = 1; i < threads; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, work, (void *)i);
    }
    pin(0);
    size_t window = !strcmp(op, "read") && bytes > WINDOW ? WINDOW : bytes, windows = bytes / window;
    for (size_t v = 0; v < sizeof ALL / sizeof *ALL; v++) {
        if (strcmp(op, ALL[v].op)) continue;
#ifdef NO_STREAM
        if (!strcmp(ALL[v].name, "nt")) continue;
#endif
        static double taken[1 << 20];
        size_t count = 0, share = window / (size_t)threads;
        double began = ns();
        for (size_t run = 0; count < 1 << 20 && (count < 5 || ns() - began < budget); run++) {
            size_t offset = run % windows * window;
            for (int t = 0; t < threads; t++) {
                size_t at = offset + (size_t)t * share;
                uint64_t kept = chasing ? jobs[t].result : 0;
                jobs[t] = (struct job){a + (chasing ? 0 : at), b ? b + at : NULL, c ? c + at : NULL, share, kept};
            }
            now = ALL[v].run;
            atomic_store(&busy, threads - 1);
            double start = ns();
            atomic_fetch_add(&epoch, 1);
            now(&jobs[0]);
            while (atomic_load(&busy)) {}
            taken[count++] = ns() - start;
        }
        qsort(taken, count, sizeof *taken, by_size);
        double amount = chasing ? HOPS : (double)window * ALL[v].arrays;
        printf("%s %s %.0f %.0f %zu %llu\n", op, ALL[v].name, taken[count / 2], amount, count, (unsigned long long)jobs[0].result);
    }
    return 0;
}
