/* Shared by the products on a CPU: vectors, random words, how theta is written and a gradient read.
 *
 * A piece of the weights is computed, finished and written while it is in the cache, so that there is one pass over
 * memory: theta_0 is read and theta written, or the gradient read. Signs, shifts and indices are made from counters
 * (SplitMix64, kernels/streams.py) on the fly and are never stored. The order of every sum depends on the sizes alone:
 * not on the number of threads, the width of the vectors or the compiler, as long as a product and a sum are not
 * contracted into one rounding (-ffp-contract=off). The torch twins add in the same order, so both agree to the bit.
 *
 * Vectors are the compiler's extension (gcc, clang): sixteen floats if the processor has AVX-512, else eight, which the
 * compiler splits or joins for other processors.
 */

#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
enum { WIDTH = 16 };
#define BYTES 64
#else
enum { WIDTH = 8 };
#define BYTES 32
#endif
enum { IN_WORD = 64 / WIDTH }; /* vectors for which a random word has signs */

typedef float floats __attribute__((vector_size(BYTES), aligned(4), may_alias));
typedef int32_t words __attribute__((vector_size(BYTES), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define LOAD(p) (*(const floats *)(p))
#define STORE(p, v) (*(floats *)(p) = (v))

enum { PADDING = 48 }; /* numbers between buffers: a store and a load 4096 bytes apart wait for each other */

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* ---- random words ------------------------------------------------------------------------------------------------ */

INLINE uint64_t random_word(uint64_t key, uint64_t index) {
    uint64_t word = key + (index + 1) * UINT64_C(0x9E3779B97F4A7C15);
    word = (word ^ (word >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94D049BB133111EB);
    return word ^ (word >> 31);
}

/* An integer in [0, high): the upper half of the 128-bit product of a word and high. */
INLINE int64_t random_below(uint64_t key, uint64_t index, uint64_t high) {
    return (int64_t)((unsigned __int128)random_word(key, index) * high >> 64);
}

/* Signs start to start + 64, as bits, for any start. */
INLINE uint64_t sign_word(uint64_t key, uint64_t start) {
    uint64_t low = random_word(key, start >> 6), shift = start & 63;
    return shift ? (low >> shift) | (random_word(key, (start >> 6) + 1) << (64 - shift)) : low;
}

/* The i-th vector of 64 numbers, times its signs in a word; bit 1 is minus. */
INLINE floats flipped(floats value, uint64_t signs, int i) {
    words half = (int32_t)(i < IN_WORD / 2 ? signs : signs >> 32) - (words){0};
#if defined(__AVX512F__)
    words top = (words){31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16};
#else
    words top = (words){31, 30, 29, 28, 27, 26, 25, 24};
#endif
    return (floats)((words)value ^ (half << (top - WIDTH * (i % (IN_WORD / 2))) & INT32_MIN));
}

/* A number times the sign in the lowest bit; without a branch, which would be mispredicted half of the time. */
INLINE float flipped_one(float value, uint64_t signs) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits ^= (uint32_t)signs << 31;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

/* ---- how a result is written and a gradient read ----------------------------------------------------------------- */

/* S in theta = theta_0 + S P z: segment k is the weights starts[k] to starts[k + 1], multiplied by factors[k]. */
typedef struct {
    const int64_t *starts;
    const float *factors;
    int64_t count; /* 0: S is the identity */
} segments;

INLINE int64_t segment_of(const segments *scaling, int64_t row) {
    int64_t low = 0, high = scaling->count;
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        if (scaling->starts[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* A store of a vector past the cache, to an aligned address: a plain store would read every line before writing it. */
#if defined(__clang__)
typedef float aligned_floats __attribute__((vector_size(BYTES), may_alias));
#define STREAM(p, v) __builtin_nontemporal_store((aligned_floats)(v), (aligned_floats *)(p))
#elif defined(__AVX512F__)
#define STREAM(p, v) __builtin_ia32_movntps512(p, v)
#elif defined(__AVX__)
#define STREAM(p, v) __builtin_ia32_movntps256(p, v)
#else
#define STREAM(p, v) STORE(p, v)
#endif

/* out = base + factor * value, or out = value without a base. */
INLINE void put_run(float *out, const float *base, const float *value, float factor, int64_t count, int stream) {
    int64_t i = 0;
    if (stream)
        for (; i < count && ((uintptr_t)(out + i) % BYTES); i++) out[i] = base ? base[i] + value[i] * factor : value[i];
    for (; i + WIDTH <= count; i += WIDTH) {
        floats v = LOAD(value + i);
        if (base) v = LOAD(base + i) + v * factor;
        if (stream)
            STREAM(out + i, v);
        else
            STORE(out + i, v);
    }
    for (; i < count; i++) out[i] = base ? base[i] + value[i] * factor : value[i];
}

/* Where P z is written: theta (out = base + S P z, or P z without a base) and image, a copy of P z; each may be null. */
typedef struct {
    float *out;
    const float *base;
    float *image;
    segments scaling;
    int64_t offset; /* of row 0 among the weights, for the segments */
    int stream;
} destination;

/* Write count values from row on. */
static void put(const destination *to, const float *value, int64_t row, int64_t count) {
    if (to->image) memcpy(to->image + row, value, (size_t)count * sizeof(float));
    if (!to->out) return;
    const segments *scaling = &to->scaling;
    int64_t first = to->offset + row, k = to->base && scaling->count ? segment_of(scaling, first) : -1;
    for (int64_t i = 0; i < count; k++) {
        int64_t stop = k >= 0 && k + 1 < scaling->count ? smaller(scaling->starts[k + 1] - first, count) : count;
        float factor = k >= 0 ? scaling->factors[k] : 1, *out = to->out + row + i;
        const float *base = to->base ? to->base + row + i : 0;
        if (base)
            to->stream ? put_run(out, base, value + i, factor, stop - i, 1)
                       : put_run(out, base, value + i, factor, stop - i, 0);
        else
            to->stream ? put_run(out, 0, value + i, 1, stop - i, 1) : put_run(out, 0, value + i, 1, stop - i, 0);
        i = stop;
    }
}

/* Makes stores past the cache visible to other threads. */
INLINE void finish_streaming(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* A gradient of weights, read with the scales of its segments. */
typedef struct {
    const float *g;
    segments scaling;
    int64_t offset;
} gradient;

/* Return count numbers from row on, scaled: the gradient's own memory if there is no scaling, else own. */
static const float *take(const gradient *from, int64_t row, int64_t count, float *own) {
    const float *g = from->g + row;
    const segments *scaling = &from->scaling;
    int64_t first = from->offset + row;
    if (!scaling->count) return g;
    for (int64_t k = segment_of(scaling, first), i = 0; i < count; k++) {
        int64_t stop = k + 1 < scaling->count ? smaller(scaling->starts[k + 1] - first, count) : count;
        float factor = scaling->factors[k];
        for (; i < stop; i++) own[i] = g[i] * factor;
    }
    return own;
}

/* Return rows first to first + count of a gradient that holds rows begin to end, and zeros for those beyond; own is
 * memory for count numbers, which is used if there are such rows or a scaling. */
static const float *take_within(const gradient *from, int64_t begin, int64_t end, int64_t first, int64_t count,
                                float *own) {
    int64_t low = larger(first, begin), high = smaller(first + count, end);
    if (low == first && high == first + count) return take(from, first - begin, count, own);
    const float *some = take(from, low - begin, high - low, own + (low - first));
    if (some != own + (low - first)) memcpy(own + (low - first), some, (size_t)(high - low) * sizeof(float));
    memset(own, 0, (size_t)(low - first) * sizeof(float));
    memset(own + (high - first), 0, (size_t)(first + count - high) * sizeof(float));
    return own;
}

/* total = the lanes' sums, added one lane after the other; sums is overwritten. */
static void add_lanes(float *total, float *sums, int64_t length, int64_t lanes) {
    for (int64_t lane = 1; lane < lanes; lane++)
        for (int64_t i = 0; i < length; i++) sums[i] += sums[lane * length + i];
    memcpy(total, sums, (size_t)length * sizeof(float));
}
