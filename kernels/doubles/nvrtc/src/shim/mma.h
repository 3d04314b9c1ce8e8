// The tensor cores' products, from the fragment tables of the PTX ISA: the last lane to come gathers both matrices and works for all.
#pragma once
#include "formats.h"
#include "warp.h"

namespace spark {
struct Fragments {
    void* c;
    const unsigned *a, *b;
    unsigned sa, sb;
};

// Element k of a row whose words are shared out to four lanes: which lane's word, of which half, and where in it.
template <class T> float element(const unsigned* const words[4], int first, int second, int k) {
    constexpr int per_word = 32 / T::bits, half = 4 * per_word;
    unsigned word = words[k % half / per_word][k < half ? first : second];
    return T::value(word >> T::bits * (k % per_word) & (unsigned)((1ull << T::bits) - 1));
}

// Rows of A and columns of B, as numbers.
template <class T> void gather(Meeting& m, float a[16][T::k], float b[8][T::k]) {
    for (int g = 0; g < 8; g++) {
        const unsigned *left[4], *right[4];
        for (int t = 0; t < 4; t++) {
            left[t] = ((Fragments*)m.brought[4 * g + t])->a;
            right[t] = ((Fragments*)m.brought[4 * g + t])->b;
        }
        for (int k = 0; k < T::k; k++) {
            a[g][k] = element<T>(left, 0, 2, k);
            a[g + 8][k] = element<T>(left, 1, 3, k);
            b[g][k] = element<T>(right, 0, 1, k);
        }
    }
}

// Where each lane's four sums stand: rows g and g + 8, columns 2t and 2t + 1.
template <class Sum, class F> void scatter(Meeting& m, F product) {
    for (int lane = 0; lane < 32; lane++) {
        Sum* c = (Sum*)((Fragments*)m.brought[lane])->c;
        for (int i = 0; i < 4; i++) c[i] = (Sum)(c[i] + product(lane / 4 + 8 * (i / 2), 2 * (lane % 4) + i % 2));
    }
}

// Products of 8-bit numbers and their sums fit f64 exactly; those of the others are rounded once.
template <class T> void mma_work(Meeting& m) {
    float a[16][T::k], b[8][T::k];
    gather<T>(m, a, b);
    scatter<typename T::Sum>(m, [&](int row, int column) {
        double sum = 0;
        for (int k = 0; k < T::k; k++) sum += (double)a[row][k] * (double)b[column][k];
        return sum;
    });
}
template <class T> void mma(typename T::Sum c[4], const unsigned a[4], const unsigned b[2]) {
    Fragments mine{c, a, b, 0, 0};
    meet(~0u, mma_work<T>, &mine, true);
}

// Scales of rows g and g + 8 come from lanes t = 0 and 1 of the four, those of columns from lane t = 0.
template <class T> void mma_scaled_work(Meeting& m) {
    float a[16][T::k], b[8][T::k];
    gather<T>(m, a, b);
    for (int row = 0; row < 16; row++) {
        unsigned scales = ((Fragments*)m.brought[4 * (row % 8) + row / 8])->sa;
        for (int k = 0; k < T::k; k++) a[row][k] *= T::scale(scales >> 8 * (k / T::block) & 255);
    }
    double scale[8][T::k / T::block];
    for (int column = 0; column < 8; column++) {
        unsigned scales = ((Fragments*)m.brought[4 * column])->sb;
        for (int j = 0; j < T::k / T::block; j++) scale[column][j] = T::scale(scales >> 8 * j & 255);
    }
    scatter<float>(m, [&](int row, int column) {
        double sum = 0;
        for (int k = 0; k < T::k; k++) sum += (double)a[row][k] * (double)b[column][k] * scale[column][k / T::block];
        return sum;
    });
}
template <class T> void mma_scaled(float c[4], const unsigned a[4], const unsigned b[2], unsigned sa, unsigned sb) {
    Fragments mine{c, a, b, sa, sb};
    meet(~0u, mma_scaled_work<T>, &mine, true);
}

struct Rows {
    unsigned* out;
    const unsigned char* row;
};
// Lane 4g + t gets words t of row g; transposed, elements 2t and 2t + 1 of column g.
template <int MATRICES, bool TRANSPOSED> void ldmatrix_work(Meeting& m) {
    for (int i = 0; i < MATRICES; i++) {
        unsigned short x[8][8];
        for (int r = 0; r < 8; r++) {
            const unsigned char* row = ((Rows*)m.brought[8 * i + r])->row;
            if ((__UINTPTR_TYPE__)row % 16) fault("a row of ldmatrix that does not stand at a multiple of 16 bytes");
            for (int c = 0; c < 8; c++) x[r][c] = ((const unsigned short*)row)[c];
        }
        for (int lane = 0; lane < 32; lane++) {
            int g = lane / 4, t = lane % 4;
            unsigned low = TRANSPOSED ? x[2 * t][g] : x[g][2 * t], high = TRANSPOSED ? x[2 * t + 1][g] : x[g][2 * t + 1];
            ((Rows*)m.brought[lane])->out[i] = low | high << 16;
        }
    }
}
template <int MATRICES, bool TRANSPOSED> void ldmatrix(unsigned* out, const void* row) {
    Rows mine{out, (const unsigned char*)row};
    meet(~0u, ldmatrix_work<MATRICES, TRANSPOSED>, &mine, true);
}
}  // namespace spark
