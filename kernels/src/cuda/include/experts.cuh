// The rows of a call that belong to one expert, as moe/group.cu writes them down: tiles of rows of one expert each.
//
// Rows are the choices of a call in the order of the experts. Each tile has slots of its own in what rounded rows are stored in, so that every
// expert's begin at a multiple of a tile; its results go to the rows of y at `first`, which are without gaps.
#pragma once
#include "types.cuh"

struct Segment {
    u32 expert, first, rows, slot;
};

// Tile `at` of a table of tiles of `height` rows; without rows beyond the last.
DEVICE Segment segment_of(const uint4* table, u32 at, u32 height) {
    const uint4 tile = __ldg(table + at);
    return {tile.x, tile.y, tile.z, at * height};
}

// The row of x that is rounded into row `row`; none (-1) where the table of tiles of experts' rows has none there.
DEVICE i64 row_of(u32 row, const uint4* table, u32 height, const u32* choices, u32 active) {
    if (!table) return row;
    const Segment segment = segment_of(table, row / height, height);
    if (row % height >= segment.rows) return -1;
    const u32 place = segment.first + row % height;
    return choices ? choices[place] / active : place;
}
