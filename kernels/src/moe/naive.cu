// The choice of experts, the order of a call's choices by expert, and how many experts are touched: a thread each.
//
// Routers have 8 to 512 logits a token and decode has a few tokens: the launch is the cost, and order by counting all earlier
// choices, quadratic, stays below it up to some thousands of choices.
#include "exact.cuh"

DEVICE u64 mix(u64 z) {
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}
#define GAMMA 0x9e3779b97f4a7c15ull
DEVICE u64 derive(u64 seed, u64 index) { return mix(mix(seed + GAMMA) ^ index * 0xd6e8feb86659fd93ull); }

DEVICE bool among(u32 id, const u32* chosen, int count) {
    for (int i = 0; i < count; i++)
        if (chosen[i] == id) return true;
    return false;
}

// One thread a token. sums: of the weights of the ranks up to each, or null for the router's own choice; ranked: experts by rank.
extern "C" __global__ void route(const float* logits, u32* ids, float* weights, const uint2* places, const double* sums,
                                 const u32* ranked, u64 seed, int rows, int experts, int active, int shared, int normalised) {
    const int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= rows) return;
    const int taken = active + shared;
    logits += (size_t)row * (experts + (shared > 0));
    ids += (size_t)row * taken;
    weights += (size_t)row * taken;
    // The largest, the largest first, of equals the lower index: an insertion into what was found.
    int found = 0;
    bool nan = false;
    for (int expert = 0; expert < experts; expert++) {
        const float logit = logits[expert];
        nan |= logit != logit;
        int at = found;
        while (at > 0 && logits[ids[at - 1]] < logit) at--;
        if (at >= active) continue;
        const int end = found < active ? found : active - 1;
        for (int i = end; i > at; i--) ids[i] = ids[i - 1];
        ids[at] = expert;
        found = end + 1;
    }
    float most = logits[ids[0]];
    if (sums) {
        u64 state = derive(derive(seed, 1 + (u64)places[row].x), places[row].y);
        for (int drawn = 0; drawn < active;) {
            state += GAMMA;
            const double at = (double)(mix(state) >> 11) / 9007199254740992.0 * sums[experts - 1];
            // The first rank whose sum is above it.
            int low = 0, high = experts - 1;
            while (low < high) {
                const int middle = (low + high) / 2;
                if (sums[middle] <= at) low = middle + 1;
                else high = middle;
            }
            if (!among(ranked[low], ids, drawn)) ids[drawn++] = ranked[low];
        }
    }
    float sum = 0.0f;
    if (normalised) {
        most = -SPARK_INF;
        for (int i = 0; i < active; i++) most = fmaxf(most, logits[ids[i]]);
    } else {
        for (int expert = 0; expert < experts; expert++) sum += exact_exp(logits[expert] - most);
    }
    for (int i = 0; i < active; i++) {
        weights[i] = exact_exp(logits[ids[i]] - most);
        if (normalised) sum += weights[i];
    }
    for (int i = 0; i < active; i++) weights[i] = nan ? SPARK_NAN : weights[i] / sum;
    for (int i = 0; i < shared; i++) {
        ids[active + i] = experts + i;
        weights[active + i] = 1.0f / (1.0f + exact_exp(-logits[experts]));
    }
}

// The place of each choice when all are sorted by expert, those of one expert in the order of the tokens.
extern "C" __global__ void order(const u32* ids, u32* places, int choices) {
    const int choice = blockIdx.x * blockDim.x + threadIdx.x;
    if (choice >= choices) return;
    const u32 id = ids[choice];
    u32 place = 0;
    for (int other = 0; other < choices; other++) place += ids[other] < id || (ids[other] == id && other < choice);
    places[choice] = place;
}

// Adds the number of different experts among the choices: each counts at its first.
extern "C" __global__ void touch(const u32* ids, u64* touched, int choices) {
    const int choice = blockIdx.x * blockDim.x + threadIdx.x;
    if (choice < choices && !among(ids[choice], ids, choice)) atomicAdd(touched, 1ull);
}
