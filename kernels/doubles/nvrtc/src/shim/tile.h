// Tiles: boxes of a tensor that TMA brings, swizzled, and the products that a warpgroup forms from them.
#pragma once
#include "async.h"
#include "mma.h"

namespace spark {
// What the driver's double writes into the 128 bytes of a tensor map; its twin is in the Rust code.
struct Map {
    unsigned long long mark;
    const unsigned char* base;
    unsigned long long columns, rows, pitch;
    unsigned element, box_columns, box_rows, swizzled;
};
inline unsigned swizzled(unsigned row, unsigned byte) { return row * 128 + ((byte / 16 ^ row % 8) * 16) + byte % 16; }

inline void tma_load_2d(void* to, const unsigned long long* words, int column, int row, unsigned long long* barrier) {
    const Map* map = (const Map*)words;
    if (map->mark != 0x70616d2d6b726170ull) fault("a tensor map that cuTensorMapEncodeTiled did not make");
    if (map->swizzled && (__UINTPTR_TYPE__)to % 1024) fault("a swizzled tile that does not stand at a multiple of 1024 bytes");
    if ((__UINTPTR_TYPE__)to % 128) fault("a tile that does not stand at a multiple of 128 bytes");
    auto run = [](Bulk& b) {
        const Map& map = *(const Map*)b.from;
        unsigned bytes = map.box_columns * map.element;
        for (unsigned r = 0; r < map.box_rows; r++) {
            for (unsigned c = 0; c < map.box_columns; c++) {
                long long x = b.column + (long long)c, y = b.row + (long long)r;
                bool inside = x >= 0 && y >= 0 && x < (long long)map.columns && y < (long long)map.rows;
                unsigned at = c * map.element;
                unsigned char* to = b.to + (map.swizzled ? swizzled(r, at) : r * bytes + at);
                if (inside) __builtin_memcpy(to, map.base + y * map.pitch + x * map.element, map.element);
                else __builtin_memset(to, 0, map.element);
            }
        }
        free((void*)b.from);
    };
    // The map is the kernel's argument, which the thread may have left by the time the copy is carried out.
    Map* kept = (Map*)malloc(sizeof(Map));
    *kept = *map;
    later({nullptr, run, (unsigned char*)to, kept, barrier, map->box_columns * map->box_rows * map->element, column, row});
}

// What each warp of a warpgroup brings to a product; all four bring the same tiles.
struct Group {
    float* d;
    const unsigned char* a;
    const unsigned* registers;
    const unsigned char* b;
    unsigned k_byte;
};
template <class T> float tile_element(const unsigned char* tile, unsigned row, unsigned k_byte, int k) {
    const unsigned char* at = tile + swizzled(row, k_byte + k * T::bits / 8);
    return T::value(T::bits == 8 ? *at : *(const unsigned short*)at);
}
// One warp's 16 rows of the product; the tiles stay as they are until the group is waited for, or the kernel is wrong.
template <class T, int N> void wgmma_work(Meeting& m) {
    float a[16][T::k], b[N][T::k];
    const Group& group = *(Group*)m.brought[0];
    unsigned warp = current->rank / 32 % 4;
    for (int lane = 0; lane < 32; lane++) {
        const Group& each = *(Group*)m.brought[lane];
        if (each.a != group.a || each.b != group.b || each.k_byte != group.k_byte) fault("a product whose lanes name different tiles");
    }
    if ((__UINTPTR_TYPE__)group.a % 1024 || (__UINTPTR_TYPE__)group.b % 1024 || group.k_byte % 32 || group.k_byte > 96) {
        fault("a product of tiles that do not stand at multiples of 1024 bytes, or of a k that is no multiple of 32 bytes");
    }
    for (int row = 0; row < 16; row++) {
        const unsigned* words[4];
        for (int t = 0; t < 4; t++) words[t] = ((Group*)m.brought[4 * (row % 8) + t])->registers;
        for (int k = 0; k < T::k; k++) {
            a[row][k] = group.a ? tile_element<T>(group.a, 16 * warp + row, group.k_byte, k) : element<T>(words, row / 8, 2 + row / 8, k);
        }
    }
    for (int column = 0; column < N; column++) {
        for (int k = 0; k < T::k; k++) b[column][k] = tile_element<T>(group.b, column, group.k_byte, k);
    }
    for (int lane = 0; lane < 32; lane++) {
        float* d = ((Group*)m.brought[lane])->d;
        for (int i = 0; i < N / 2; i++) {
            int row = lane / 4 + 8 * (i % 4 / 2), column = 8 * (i / 4) + 2 * (lane % 4) + i % 2;
            double sum = 0;
            for (int k = 0; k < T::k; k++) sum += (double)a[row][k] * (double)b[column][k];
            d[i] = (float)(d[i] + sum);
        }
    }
}
template <class T, int N> void wgmma(float* d, const void* a, const unsigned* registers, const void* b, unsigned k_byte) {
    Group mine{d, (const unsigned char*)a, registers, (const unsigned char*)b, k_byte};
    meet(~0u, wgmma_work<T, N>, &mine, true);
}
inline void wgmma_commit() { __syncwarp(); }
inline void wgmma_wait(unsigned) { __syncwarp(); }
}  // namespace spark
