/* kronecker: the rows of left Q2^T, shuffled within tiles of whole rows.
 *
 * A tile is R whole rows of the D1 x D2 matrix left Q2^T, R D2 numbers, which fit in the cache together; position i of a
 * tile takes number order[i]. Products are summed with k, or j, ascending, and every product and sum is rounded
 * separately, so the bits do not depend on the threads. The torch twin uses its library's matrix product, which sums in
 * another order: the two agree to float32's rounding.
 */

#include "common.h"

enum { LITTLE = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ };
enum { PANEL = 2 * WIDTH, ROWS_AT_ONCE = 5, RUN = 1024, STRIP = 512 };

const int32_t intdim_width = WIDTH; /* Python lays out Q2 for it */

/* Rows of left (d2 numbers each, a row every d2) times one panel, d2 x PANEL: rows x PANEL numbers, a row every apart. */
INLINE void panel_product(const float *left, const float *panel, int64_t d2, float *to, int64_t apart, int rows) {
    floats low[ROWS_AT_ONCE], high[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) low[r] = high[r] = (floats){0};
    for (int64_t k = 0; k < d2; k++) {
        floats a = LOAD(panel + k * PANEL), b = LOAD(panel + k * PANEL + WIDTH);
        for (int r = 0; r < rows; r++) {
            low[r] += a * left[r * d2 + k];
            high[r] += b * left[r * d2 + k];
        }
    }
    for (int r = 0; r < rows; r++) {
        STORE(to + r * apart, low[r]);
        STORE(to + r * apart + WIDTH, high[r]);
    }
}

/* sums (rows x WIDTH v numbers, a row every width) += values (rows x count, a row every STRIP) q2 (count x width). */
INLINE void strip_product(const float *values, const float *q2, int64_t count, int64_t width, float *sums, int rows,
                          int v) {
    floats low[ROWS_AT_ONCE], high[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) {
        low[r] = LOAD(sums + r * width);
        high[r] = v > 1 ? LOAD(sums + r * width + WIDTH) : (floats){0};
    }
    for (int64_t j = 0; j < count; j++) {
        floats a = LOAD(q2 + j * width), b = v > 1 ? LOAD(q2 + j * width + WIDTH) : (floats){0};
        for (int r = 0; r < rows; r++) {
            low[r] += a * values[r * STRIP + j];
            if (v > 1) high[r] += b * values[r * STRIP + j];
        }
    }
    for (int r = 0; r < rows; r++) {
        STORE(sums + r * width, low[r]);
        if (v > 1) STORE(sums + r * width + WIDTH, high[r]);
    }
}

/* to[i] = from[index[i]]; four indices are read at once, which leaves the load units to the numbers. */
INLINE void gather(const float *from, const uint16_t *index, float *to, int64_t count) {
    int64_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint64_t four;
        memcpy(&four, index + i, sizeof four);
        for (int k = 0; k < 4; k++) to[i + (LITTLE ? k : 3 - k)] = from[(uint16_t)(four >> 16 * k)];
    }
    for (; i < count; i++) to[i] = from[index[i]];
}

#define BY_ROWS(rows, call)                                                                                            \
    switch (rows) {                                                                                                    \
    case 1: call(1); break;                                                                                            \
    case 2: call(2); break;                                                                                            \
    case 3: call(3); break;                                                                                            \
    case 4: call(4); break;                                                                                            \
    default: call(5); break;                                                                                           \
    }

/* Where the group of rows that starts at r ends, out of R rows: groups are as even as possible. */
INLINE int64_t group_end(int64_t r, int64_t rows) {
    int64_t groups = (rows - r + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
    return r + (rows - r + groups - 1) / groups;
}

/* The first tiles of P z, all but the last one. left: R d2 numbers a tile; panels: Q2^T in panels of d2 x PANEL, the last
 * one padded. scratch: tile + RUN + R PANEL numbers for each thread. */
void intdim_tiles_matvec(float *out, const float *base, float *image, const float *left, int64_t tiles,
                         const float *panels, const uint16_t *order, int64_t R, int64_t D2, int64_t d2,
                         const int64_t *starts, const float *factors, int64_t count, int64_t offset, int stream,
                         float *scratch, int threads) {
    destination to = {out, base, image, {starts, factors, count}, offset, stream};
    int64_t tile = R * D2, size = tile + RUN + R * PANEL + 2 * PADDING;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        float *values = scratch + size * t, *own = values + tile + PADDING, *edge = own + RUN;
        for (int64_t m = tiles * t / threads; m < tiles * (t + 1) / threads; m++) {
            const float *rows = left + m * R * d2;
            for (int64_t j = 0; j < D2; j += PANEL) {
                int whole = j + PANEL <= D2;
                for (int64_t r = 0, stop; r < R; r = stop) {
                    stop = group_end(r, R);
                    float *into = whole ? values + r * D2 + j : edge + r * PANEL;
#define CALL(n) panel_product(rows + r * d2, panels + j * d2, d2, into, whole ? D2 : PANEL, n)
                    BY_ROWS(stop - r, CALL)
#undef CALL
                }
                for (int64_t r = 0; !whole && r < R; r++)
                    memcpy(values + r * D2 + j, edge + r * PANEL, (size_t)(D2 - j) * sizeof(float));
            }
            for (int64_t i = 0; i < tile; i += RUN) {
                int64_t length = smaller(RUN, tile - i);
                gather(values, order + i, own, length);
                put(&to, own, m * tile + i, length);
            }
        }
        finish_streaming();
    }
}

/* left, R width numbers a tile: the tiles of g, unshuffled, times Q2 (D2 x width; width is d2 rounded up to a multiple of
 * WIDTH). inverse: number i of a tile is at position inverse[i]. scratch: tile + ROWS_AT_ONCE STRIP numbers a thread. */
void intdim_tiles_rmatvec(float *left, const float *g, int64_t tiles, const float *q2, const uint16_t *inverse,
                          int64_t R, int64_t D2, int64_t width, const int64_t *starts, const float *factors,
                          int64_t count, int64_t offset, int64_t lanes, float *sums, float *scratch, int threads) {
    gradient source = {g, {starts, factors, count}, offset};
    int64_t tile = R * D2, size = tile + ROWS_AT_ONCE * STRIP + 2 * PADDING;
    (void)lanes, (void)sums; /* every sum belongs to one thread */
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        float *own = scratch + size * t, *strip = own + tile + PADDING;
        for (int64_t m = tiles * t / threads; m < tiles * (t + 1) / threads; m++) {
            const float *from = take(&source, m * tile, tile, own);
            /* a copy in order, so that the gather finds it in the cache */
            if (from != own) from = memcpy(own, from, (size_t)tile * sizeof(float));
            float *rows = left + m * R * width;
            memset(rows, 0, (size_t)(R * width) * sizeof(float));
            for (int64_t j = 0; j < D2; j += STRIP) {
                int64_t length = smaller(STRIP, D2 - j);
                for (int64_t r = 0, stop; r < R; r = stop) {
                    stop = group_end(r, R);
                    for (int64_t k = r; k < stop; k++)
                        gather(from, inverse + k * D2 + j, strip + (k - r) * STRIP, length);
                    for (int64_t c = 0; c < width; c += 2 * WIDTH) {
                        const float *columns = q2 + j * width + c;
                        float *to = rows + r * width + c;
                        if (c + 2 * WIDTH <= width) {
#define CALL(n) strip_product(strip, columns, length, width, to, n, 2)
                            BY_ROWS(stop - r, CALL)
#undef CALL
                        } else {
#define CALL(n) strip_product(strip, columns, length, width, to, n, 1)
                            BY_ROWS(stop - r, CALL)
#undef CALL
                        }
                    }
                }
            }
        }
    }
}
