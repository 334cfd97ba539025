/* sparse: one entry of every column in each of many strata of rows, at a random row with a random sign. */

#include "common.h"

INLINE int64_t stratum_start(int64_t k, int64_t rows, int64_t strata) { /* floor(k rows / strata) */
    return (rows / strata) * k + (rows % strata) * k / strata;
}

/* random_below for entries first to first + 64 of the stream and high < 2^32, in a form that compilers vectorise. */
INLINE void random_rows(int32_t row[64], uint64_t key, uint64_t first, uint64_t high) {
    for (int i = 0; i < 64; i++) {
        uint64_t word = random_word(key, first + (uint64_t)i);
        row[i] = (int32_t)(((word >> 32) * high + ((word & UINT32_MAX) * high >> 32)) >> 32);
    }
}

/* P z; z is scaled. scratch: the longest stratum for each thread. */
void intdim_strata_matvec(float *out, const float *base, float *image, const float *z, int64_t rows, int64_t d,
                          int64_t strata, uint64_t row_key, uint64_t sign_key, const int64_t *starts,
                          const float *factors, int64_t count, int64_t offset, int stream, float *scratch,
                          int threads) {
    destination to = {out, base, image, {starts, factors, count}, offset, stream};
    int64_t longest = rows / strata + 1;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        float *own = scratch + (longest + PADDING) * t;
        for (int64_t k = strata * t / threads; k < strata * (t + 1) / threads; k++) {
            int64_t row = stratum_start(k, rows, strata), size = stratum_start(k + 1, rows, strata) - row;
            memset(own, 0, (size_t)size * sizeof(float));
            for (int64_t j = 0; j < d; j += 64) {
                uint64_t entry = (uint64_t)(k * d + j), signs = sign_word(sign_key, entry);
                int32_t at[64];
                random_rows(at, row_key, entry, (uint64_t)size);
                for (int64_t i = 0, stop = smaller(64, d - j); i < stop; i++, signs >>= 1)
                    own[at[i]] += flipped_one(z[j + i], signs);
            }
            put(&to, own, row, size);
        }
        finish_streaming();
    }
}

/* total (d numbers) over rows begin to end, which g holds, of strata first_stratum to last_stratum: number n of these is
 * added into lane n mod lanes. rows and strata are those of P. */
void intdim_strata_rmatvec(float *total, const float *g, int64_t rows, int64_t begin, int64_t end,
                           int64_t first_stratum, int64_t last_stratum, int64_t d, int64_t strata, uint64_t row_key, uint64_t sign_key, const int64_t *starts,
                           const float *factors, int64_t count, int64_t offset, int64_t lanes, float *sums,
                           float *scratch, int threads) {
    gradient source = {g, {starts, factors, count}, offset};
    int64_t longest = rows / strata + 1;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        float *own = scratch + (longest + PADDING) * t;
        int64_t first = lanes * t / threads, last = lanes * (t + 1) / threads;
        for (int64_t round = first_stratum; round < last_stratum; round += lanes)
            for (int64_t lane = first; lane < last && round + lane < last_stratum; lane++) {
                int64_t k = round + lane, row = stratum_start(k, rows, strata);
                int64_t size = stratum_start(k + 1, rows, strata) - row;
                float *sum = sums + lane * d;
                const float *from = take_within(&source, begin, end, row, size, own);
                if (from != own && d * 16 > size) from = memcpy(own, from, (size_t)size * sizeof(float));
                if (round == first_stratum) memset(sum, 0, (size_t)d * sizeof(float));
                for (int64_t j = 0; j < d; j += 64) {
                    uint64_t entry = (uint64_t)(k * d + j), signs = sign_word(sign_key, entry);
                    int32_t at[64];
                    random_rows(at, row_key, entry, (uint64_t)size);
                    for (int64_t i = 0, stop = smaller(64, d - j); i < stop; i++, signs >>= 1)
                        sum[j + i] += flipped_one(from[at[i]], signs);
                }
            }
    }
    add_lanes(total, sums, d, lanes);
}
