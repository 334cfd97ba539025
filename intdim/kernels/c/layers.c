/* sparse: one entry of every column in each of many layers of rows, at a random row with a random sign. */

#include "common.h"

INLINE int64_t layer_start(int64_t layer, int64_t rows, int64_t layers) { /* floor(layer rows / layers) */
    return (rows / layers) * layer + (rows % layers) * layer / layers;
}

/* random_below for the entries first to first + 64 of the stream and high < 2^32, in steps that make vectors. */
INLINE void places_of(int32_t places[64], uint64_t key, uint64_t first, uint64_t high) {
    for (int i = 0; i < 64; i++) {
        uint64_t word = random_word(key, first + (uint64_t)i);
        places[i] = (int32_t)(((word >> 32) * high + ((word & UINT32_MAX) * high >> 32)) >> 32);
    }
}

/* P z; z is scaled. scratch: the longest layer for each thread. */
void intdim_layers_matvec(float *out, const float *base, float *image, const float *z, int64_t rows, int64_t d,
                          int64_t layers, uint64_t row_key, uint64_t sign_key, const int64_t *starts,
                          const float *factors, int64_t count, int64_t offset, int stream, float *scratch,
                          int threads) {
    destination to = {out, base, image, {starts, factors, count}, offset, stream};
    int64_t longest = rows / layers + 1;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        float *own = scratch + (longest + APART) * t;
        for (int64_t k = layers * t / threads; k < layers * (t + 1) / threads; k++) {
            int64_t row = layer_start(k, rows, layers), size = layer_start(k + 1, rows, layers) - row;
            memset(own, 0, (size_t)size * sizeof(float));
            for (int64_t j = 0; j < d; j += 64) {
                uint64_t entry = (uint64_t)(k * d + j), signs = sign_word(sign_key, entry);
                int32_t places[64];
                places_of(places, row_key, entry, (uint64_t)size);
                for (int64_t i = 0, stop = smaller(64, d - j); i < stop; i++, signs >>= 1)
                    own[places[i]] += flipped_one(z[j + i], signs);
            }
            put(&to, own, row, size);
        }
        settle();
    }
}

/* total (d numbers): layer k is added into lane k mod lanes. */
void intdim_layers_rmatvec(float *total, const float *g, int64_t rows, int64_t d, int64_t layers, uint64_t row_key,
                           uint64_t sign_key, const int64_t *starts, const float *factors, int64_t count,
                           int64_t offset, int64_t lanes, float *sums, float *scratch, int threads) {
    gradient source = {g, {starts, factors, count}, offset};
    int64_t longest = rows / layers + 1;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int t = 0; t < threads; t++) {
        float *own = scratch + (longest + APART) * t;
        int64_t first = lanes * t / threads, last = lanes * (t + 1) / threads;
        for (int64_t round = 0; round < layers; round += lanes)
            for (int64_t lane = first; lane < last && round + lane < layers; lane++) {
                int64_t k = round + lane, row = layer_start(k, rows, layers);
                int64_t size = layer_start(k + 1, rows, layers) - row;
                float *sum = sums + lane * d;
                const float *from = take(&source, row, size, own);
                if (from != own && d * 16 > size) from = memcpy(own, from, (size_t)size * sizeof(float));
                if (round == 0) memset(sum, 0, (size_t)d * sizeof(float));
                for (int64_t j = 0; j < d; j += 64) {
                    uint64_t entry = (uint64_t)(k * d + j), signs = sign_word(sign_key, entry);
                    int32_t places[64];
                    places_of(places, row_key, entry, (uint64_t)size);
                    for (int64_t i = 0, stop = smaller(64, d - j); i < stop; i++, signs >>= 1)
                        sum[j + i] += flipped_one(from[places[i]], signs);
                }
            }
    }
    add_lanes(total, sums, d, lanes);
}
