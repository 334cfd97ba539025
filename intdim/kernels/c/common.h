/* What the products on a processor share: vectors, random words, how theta is written and a gradient read.
 *
 * A piece of the weights is made, finished and written while it lies in the cache, so that memory sees one pass:
 * theta_0 is read and theta written, or the gradient read. Signs, shifts and places are made from counters
 * (SplitMix64, kernels/streams.py) on the way and are never stored. Every sum has an order that depends on nothing but
 * the sizes: not on the number of threads, the width of the vectors or the compiler, as long as a product and a sum are
 * not contracted into one rounding (-ffp-contract=off). The torch twins add in the same order, so both agree to the bit.
 *
 * Vectors are the compiler's own (gcc, clang): sixteen floats where the processor has AVX-512, else eight, cut or joined
 * for whatever it has.
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

enum { APART = 48 }; /* numbers between buffers: a store and a load 4096 bytes apart wait for each other */

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- random words ------------------------------------------------------------------------------------------------ */

INLINE uint64_t random_word(uint64_t key, uint64_t index) {
    uint64_t word = key + (index + 1) * UINT64_C(0x9E3779B97F4A7C15);
    word = (word ^ (word >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94D049BB133111EB);
    return word ^ (word >> 31);
}

/* A number in [0, high): the upper half of the 128-bit product of a word and high. */
INLINE int64_t random_below(uint64_t key, uint64_t index, uint64_t high) {
    return (int64_t)((unsigned __int128)random_word(key, index) * high >> 64);
}

/* Signs start to start + 64, as bits; start is any number. */
INLINE uint64_t sign_word(uint64_t key, uint64_t start) {
    uint64_t low = random_word(key, start >> 6), place = start & 63;
    return place ? (low >> place) | (random_word(key, (start >> 6) + 1) << (64 - place)) : low;
}

/* The i-th vector of 64 numbers, with its signs of a word; 1 is minus. */
INLINE floats flipped(floats value, uint64_t signs, int i) {
    words half = (int32_t)(i < IN_WORD / 2 ? signs : signs >> 32) - (words){0};
#if defined(__AVX512F__)
    words top = (words){31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16};
#else
    words top = (words){31, 30, 29, 28, 27, 26, 25, 24};
#endif
    return (floats)((words)value ^ (half << (top - WIDTH * (i % (IN_WORD / 2))) & INT32_MIN));
}

INLINE float flipped_one(float value, uint64_t signs) { /* the lowest one; no branch, half of them would go wrong */
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits ^= (uint32_t)signs << 31;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

/* ---- how a result is written and a gradient read --------------------------------------------------------------------- */

/* theta = theta_0 + S P z: segment k holds the weights starts[k] to starts[k + 1], all times factors[k]. */
typedef struct {
    const int64_t *starts;
    const float *factors;
    int64_t count; /* 0: everything times 1 */
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

/* A vector past the cache, at an address that its bytes divide: otherwise every line is read before it is written. */
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

/* out = base + factor * value; without a base just value. */
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

/* Where P z goes: theta (out = base + S P z, or P z itself without a base) and a copy of P z; any may be missing. */
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

/* What went past the cache is seen by other threads after this. */
INLINE void settle(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* A gradient of weights, read with the scales of its segments. */
typedef struct {
    const float *g;
    segments scaling;
    int64_t offset;
} gradient;

/* Return count numbers from row on: the gradient's own memory, or own, where they are scaled into. */
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

/* total = the lanes' sums, added one lane after the other; sums is overwritten. */
static void add_lanes(float *total, float *sums, int64_t length, int64_t lanes) {
    for (int64_t lane = 1; lane < lanes; lane++)
        for (int64_t i = 0; i < length; i++) sums[i] += sums[lane * length + i];
    memcpy(total, sums, (size_t)length * sizeof(float));
}
