/* Stacked square blocks H M H B, rows k n to (k + 1) n of P: orthogonal and fastfood.
 *
 * The middle M is a second diagonal of signs, or, if gaussians are given, a permutation followed by those. Signs and
 * Gaussians are numbered by row; position i takes number order[i]: Pi in P z and its inverse in P^T g. The transform is
 * butterflies at distance 1, 2, 4, ..., three distances to a pass where possible, inside 16 KiB as long as possible.
 */

#include "common.h"

enum { L1_BLOCK = 4096 };

#if defined(__clang__)
#define SHUFFLE(x, ...) __builtin_shufflevector(x, x, __VA_ARGS__)
#else
#define SHUFFLE(x, ...) __builtin_shuffle(x, (words){__VA_ARGS__})
#endif

#define TWO(a, b)                                                                                                      \
    do {                                                                                                               \
        floats sum = a + b;                                                                                            \
        b = a - b;                                                                                                     \
        a = sum;                                                                                                       \
    } while (0)
#define FOUR(a, b, c, d)                                                                                               \
    do {                                                                                                               \
        TWO(a, b);                                                                                                     \
        TWO(c, d);                                                                                                     \
        TWO(a, c);                                                                                                     \
        TWO(b, d);                                                                                                     \
    } while (0)

/* Butterflies at the distances within a vector; a sign times a number is exact. */
#if defined(__AVX512F__)
#define MINUS(a, b, c, d) (floats){a, b, c, d, a, b, c, d, a, b, c, d, a, b, c, d}
INLINE floats butterflies_in_vector(floats x) {
    floats eight = {1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1};
    floats four = {1, 1, 1, 1, -1, -1, -1, -1, 1, 1, 1, 1, -1, -1, -1, -1};
    x = SHUFFLE(x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14) + x * MINUS(1, -1, 1, -1);
    x = SHUFFLE(x, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13) + x * MINUS(1, 1, -1, -1);
    x = SHUFFLE(x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11) + x * four;
    return SHUFFLE(x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7) + x * eight;
}
#else
INLINE floats butterflies_in_vector(floats x) {
    x = SHUFFLE(x, 1, 0, 3, 2, 5, 4, 7, 6) + x * (floats){1, -1, 1, -1, 1, -1, 1, -1};
    x = SHUFFLE(x, 2, 3, 0, 1, 6, 7, 4, 5) + x * (floats){1, 1, -1, -1, 1, 1, -1, -1};
    return SHUFFLE(x, 4, 5, 6, 7, 0, 1, 2, 3) + x * (floats){1, 1, 1, 1, -1, -1, -1, -1};
}
#endif

INLINE floats gathered(const float *from, const int32_t *index) {
    floats made;
    for (int i = 0; i < WIDTH; i++) made[i] = from[index[i]];
    return made;
}

/* Butterflies at distances 1 to 32 of 64 numbers, the first step of a transform: its input is made on the fly. */
INLINE void butterflies_in_64(floats v[IN_WORD], float *to) {
    for (int i = 0; i < IN_WORD; i++) v[i] = butterflies_in_vector(v[i]);
    for (int i = 0; i < IN_WORD; i += 4) FOUR(v[i], v[i + 1], v[i + 2], v[i + 3]);
    for (int i = 4; i < IN_WORD; i++) TWO(v[i - 4], v[i]);
    for (int i = 0; i < IN_WORD; i++) STORE(to + WIDTH * i, v[i]);
}

/* Butterflies at distances half to n / 2, in passes of three, two or one. */
static void far_butterflies(float *x, int64_t n, int64_t half) {
    while (half < n) {
        int64_t left = n / half;
        if (left >= 8 && left != 16) {
            for (int64_t base = 0; base < n; base += 8 * half)
                for (int64_t j = base; j < base + half; j += WIDTH) {
                    floats v[8];
                    for (int i = 0; i < 8; i++) v[i] = LOAD(x + j + i * half);
                    FOUR(v[0], v[1], v[2], v[3]);
                    FOUR(v[4], v[5], v[6], v[7]);
                    for (int i = 0; i < 4; i++) TWO(v[i], v[i + 4]);
                    for (int i = 0; i < 8; i++) STORE(x + j + i * half, v[i]);
                }
            half *= 8;
        } else if (left >= 4) {
            for (int64_t base = 0; base < n; base += 4 * half)
                for (int64_t j = base; j < base + half; j += WIDTH) {
                    floats a = LOAD(x + j), b = LOAD(x + j + half);
                    floats c = LOAD(x + j + 2 * half), d = LOAD(x + j + 3 * half);
                    FOUR(a, b, c, d);
                    STORE(x + j, a);
                    STORE(x + j + half, b);
                    STORE(x + j + 2 * half, c);
                    STORE(x + j + 3 * half, d);
                }
            half *= 4;
        } else {
            for (int64_t j = 0; j < half; j += WIDTH) {
                floats a = LOAD(x + j), b = LOAD(x + j + half);
                TWO(a, b);
                STORE(x + j, a);
                STORE(x + j + half, b);
            }
            half *= 2;
        }
    }
}

/* H applied to n numbers that VECTOR makes, the i-th vector of the 64 numbers from j on; n is a power of two and at least
 * 64. WORD is a statement executed before each 64 of them. */
#define TRANSFORM(to, n, WORD, VECTOR)                                                                                 \
    do {                                                                                                               \
        int64_t inner = (n) < L1_BLOCK ? (n) : L1_BLOCK;                                                               \
        for (int64_t start = 0; start < (n); start += inner) {                                                         \
            for (int64_t j = start; j < start + inner; j += 64) {                                                      \
                floats v[IN_WORD];                                                                                     \
                WORD;                                                                                                  \
                for (int i = 0; i < IN_WORD; i++) v[i] = VECTOR;                                                       \
                butterflies_in_64(v, (to) + j);                                                                        \
            }                                                                                                          \
            far_butterflies((to) + start, inner, 64);                                                                  \
        }                                                                                                              \
        far_butterflies(to, n, inner);                                                                                 \
    } while (0)

/* Prefetch the 64 numbers from here on, one step before they are read. */
INLINE void prefetch_64(const float *from) {
    for (int i = 0; i < 64; i += 16) __builtin_prefetch(from + i);
}

static void transform(const float *from, float *to, int64_t n, const float *next) {
    TRANSFORM(to, n, prefetch_64(next + j), LOAD(from + j + WIDTH * i));
}

/* H (signs first, first + 1, ... of the stream times from). */
static void signed_transform(const float *from, float *to, int64_t n, uint64_t key, int64_t first) {
    TRANSFORM(to, n, uint64_t signs = random_word(key, (uint64_t)(first + j) >> 6),
              flipped(LOAD(from + j + WIDTH * i), signs, i));
}

static void gathered_transform(const float *from, float *to, int64_t n, const int32_t *order, const float *next) {
    TRANSFORM(to, n, prefetch_64(next + j), gathered(from, order + j + WIDTH * i));
}

static void permuted_transform(const float *from, float *to, int64_t n, const int32_t *order, const float *weights) {
    TRANSFORM(to, n, prefetch_64(weights + n + j), gathered(from, order + j + WIDTH * i) * LOAD(weights + j + WIDTH * i));
}

/* P z; x is z, split into sections, scaled and padded to n in each: block k serves section k mod sections.
 * scratch: 2 (n + PADDING) numbers for each thread. */
void intdim_blocks_matvec(float *out, const float *base, float *image, const float *x, int64_t rows, int64_t n,
                          int64_t sections, uint64_t sign_key, uint64_t second_key, const float *gaussians,
                          const int32_t *order, const int64_t *starts, const float *factors, int64_t count,
                          int64_t offset, int stream, float *scratch, int threads) {
    destination to = {out, base, image, {starts, factors, count}, offset, stream};
    int64_t blocks = (rows + n - 1) / n;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        float *a = scratch + 2 * (n + PADDING) * t, *b = a + n + PADDING;
        for (int64_t k = blocks * t / threads; k < blocks * (t + 1) / threads; k++) {
            int64_t row = k * n;
            signed_transform(x + k % sections * n, a, n, sign_key, row);
            if (gaussians)
                permuted_transform(a, b, n, order, gaussians + row);
            else
                signed_transform(a, a, n, second_key, row); /* in place: a large block fits into the cache once */
            put(&to, gaussians ? b : a, row, smaller(n, rows - row));
        }
        finish_streaming();
    }
}

/* total (n numbers for each section): the sum over its blocks of B H M^T H s g, of rows begin to begin + rows. A section
 * has lanes lanes; the k-th of the blocks that have such rows is added into number k mod (sections lanes) of all, so the
 * first section of total is that of the first of them. */
void intdim_blocks_rmatvec(float *total, const float *g, int64_t rows, int64_t begin, int64_t n, int64_t sections,
                           uint64_t sign_key, uint64_t second_key, const float *gaussians, const int32_t *order,
                           const int64_t *starts, const float *factors, int64_t count, int64_t offset, int64_t lanes,
                           float *sums, float *scratch, int threads) {
    gradient source = {g, {starts, factors, count}, offset};
    int64_t before = begin / n, end = begin + rows, blocks = (end + n - 1) / n - before, all = sections * lanes;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        float *a = scratch + 2 * (n + PADDING) * t, *b = a + n + PADDING;
        int64_t first = all * t / threads, last = all * (t + 1) / threads;
        memset(sums + first * n, 0, (size_t)((last - first) * n) * sizeof(float));
        for (int64_t round = 0; round < blocks; round += all)
            for (int64_t lane = first; lane < last && round + lane < blocks; lane++) {
                int64_t row = (before + round + lane) * n;
                float *sum = sums + lane * n;
                const float *from = take_within(&source, begin, end, row, n, a), *next = g + (row - begin) + n;
                transform(from, b, n, gaussians ? gaussians + row : next);
                if (gaussians) {
                    const float *weights = gaussians + row;
                    for (int64_t i = 0; i < n; i++) a[i] = b[i] * weights[i];
                    gathered_transform(a, b, n, order, next);
                } else
                    signed_transform(b, b, n, second_key, row);
                for (int64_t j = 0; j < n; j += 64) {
                    uint64_t signs = random_word(sign_key, (uint64_t)(row + j) >> 6);
                    for (int i = 0; i < IN_WORD; i++) {
                        float *at = sum + j + WIDTH * i;
                        STORE(at, LOAD(at) + flipped(LOAD(b + j + WIDTH * i), signs, i));
                    }
                }
            }
    }
    add_lanes(total, sums, sections * n, lanes);
}
