/* one_hot: stretches of weights that follow the coordinates cyclically from a random start. */

#include "common.h"

enum { RUN = 4096 }; /* weights that are computed at a time */

/* Where stretch k starts among the coordinates, repeated. */
INLINE int64_t shift_of(uint64_t key, int64_t k, int64_t draws) {
    return 4 * random_below(key, (uint64_t)k, (uint64_t)draws) + k % 4;
}

/* P z; twice is z, scaled and repeated to stretch + 4 draws numbers. scratch: RUN numbers for each thread. */
void intdim_cyclic_matvec(float *out, const float *base, float *image, const float *twice, int64_t rows, int64_t draws,
                          int64_t stretch, uint64_t sign_key, uint64_t shift_key, const int64_t *starts,
                          const float *factors, int64_t count, int64_t offset, int stream, float *scratch,
                          int threads) {
    destination to = {out, base, image, {starts, factors, count}, offset, stream};
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        float *own = scratch + (RUN + PADDING) * t;
        for (int64_t row = rows * t / threads, last = rows * (t + 1) / threads; row < last;) {
            int64_t k = row / stretch, length = smaller(RUN, smaller(last, (k + 1) * stretch) - row), j = 0;
            const float *from = twice + shift_of(shift_key, k, draws) + (row - k * stretch);
            for (; j + 64 <= length; j += 64) {
                uint64_t signs = sign_word(sign_key, (uint64_t)(row + j));
                for (int i = 0; i < IN_WORD; i++)
                    STORE(own + j + WIDTH * i, flipped(LOAD(from + j + WIDTH * i), signs, i));
            }
            uint64_t signs = j < length ? sign_word(sign_key, (uint64_t)(row + j)) : 0;
            for (; j < length; j++, signs >>= 1) own[j] = flipped_one(from[j], signs);
            put(&to, own, row, length);
            row += length;
        }
        finish_streaming();
    }
}

/* sum += signs row, row + 1, ... times value */
INLINE void add_flipped(float *sum, const float *value, int64_t count, uint64_t key, int64_t row) {
    int64_t j = 0;
    for (; j + 64 <= count; j += 64) {
        uint64_t signs = sign_word(key, (uint64_t)(row + j));
        for (int i = 0; i < IN_WORD; i++)
            STORE(sum + j + WIDTH * i, LOAD(sum + j + WIDTH * i) + flipped(LOAD(value + j + WIDTH * i), signs, i));
    }
    uint64_t signs = j < count ? sign_word(key, (uint64_t)(row + j)) : 0;
    for (; j < count; j++, signs >>= 1) sum[j] += flipped_one(value[j], signs);
}

/* Positions first to last of total, summed over all stretches in order: a single lane, shared by threads by position. */
static void collect(float *total, const gradient *source, int64_t begin, int64_t rows, int64_t draws, int64_t stretch,
                    uint64_t sign_key, uint64_t shift_key, int64_t first, int64_t last, float *own) {
    memset(total + first, 0, (size_t)(last - first) * sizeof(float));
    for (int64_t k = begin / stretch; k * stretch < begin + rows; k++) {
        int64_t low = larger(0, begin - k * stretch), high = smaller(stretch, begin + rows - k * stretch);
        int64_t shift = shift_of(shift_key, k, draws);
        for (int64_t position = first, stop; position < last; position = stop) {
            /* this is weight position - shift of the stretch, modulo its length */
            int64_t weight = position < shift ? position - shift + stretch : position - shift;
            stop = smaller(last, smaller(position + RUN, position < shift ? shift : last));
            int64_t from = larger(weight, low), count = smaller(weight + stop - position, high) - from;
            int64_t row = k * stretch + from;
            if (count > 0)
                add_flipped(total + position + from - weight, take(source, row - begin, count, own), count, sign_key,
                            row);
        }
    }
}

/* total (one stretch): position p collects for coordinate p mod d, over rows begin to begin + rows. The n-th of their
 * stretches is added into lane n mod lanes; a single lane, for long stretches, is shared by position. scratch for each
 * thread: RUN numbers, or a stretch if there are lanes. */
void intdim_cyclic_rmatvec(float *total, const float *g, int64_t rows, int64_t begin, int64_t draws, int64_t stretch,
                           uint64_t sign_key, uint64_t shift_key, const int64_t *starts, const float *factors,
                           int64_t count, int64_t offset, int64_t lanes, float *sums, float *scratch, int threads) {
    gradient source = {g, {starts, factors, count}, offset};
    int64_t before_all = begin / stretch, stretches = (begin + rows + stretch - 1) / stretch - before_all;
    if (lanes == 1) {
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int t = 0; t < threads; t++)
            collect(total, &source, begin, rows, draws, stretch, sign_key, shift_key, stretch * t / threads,
                    stretch * (t + 1) / threads, scratch + (RUN + PADDING) * t);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        float *own = scratch + (stretch + PADDING) * t;
        int64_t first = lanes * t / threads, last = lanes * (t + 1) / threads;
        for (int64_t round = 0; round < stretches; round += lanes)
            for (int64_t lane = first; lane < last && round + lane < stretches; lane++) {
                int64_t k = before_all + round + lane, row = larger(begin, k * stretch);
                int64_t length = smaller((k + 1) * stretch, begin + rows) - row;
                int64_t shift = shift_of(shift_key, k, draws) + row - k * stretch;
                if (shift >= stretch) shift -= stretch;
                int64_t before = smaller(length, stretch - shift);
                float *sum = sums + lane * stretch;
                const float *from = take(&source, row - begin, length, own);
                if (round == 0) memset(sum, 0, (size_t)stretch * sizeof(float));
                add_flipped(sum + shift, from, before, sign_key, row);
                add_flipped(sum, from + before, length - before, sign_key, row + before);
            }
    }
    add_lanes(total, sums, stretch, lanes);
}
