#include "internal.h"

#include <string.h>

// The best level is found once, by whoever comes first. The limit is there for tests, which run beside each other.
static int found = -1;
static _Thread_local int limit = 3;

static int best(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c")) return 0;
    if (!__builtin_cpu_supports("avx512f")) return 1;
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni") ? 3 : 2;
#else
    return 0;
#endif
}

int nexa_instructions(void) {
    int level = __atomic_load_n(&found, __ATOMIC_RELAXED);
    if (level < 0) {
        level = best();
        __atomic_store_n(&found, level, __ATOMIC_RELAXED);
    }
    return level < limit ? level : limit;
}

void nexa_limit_instructions(int level) { limit = level; }

static const nexa_kernels *kernels(void) {
#if defined(__x86_64__)
    switch (nexa_instructions()) {
        case 3: return &nexa_vnni_kernels;
        case 2: return &nexa_avx512_kernels;
        case 1: return &nexa_avx2_kernels;
        default: break;
    }
#endif
    return &nexa_portable_kernels;
}

enum { BATCH = 32 };

static void batch(
    const nexa_space *space, const nexa_query *query, const nexa_row *const *rows, size_t count, float *distances) {
    const nexa_kernels *best = kernels();
    const uint8_t *vectors[BATCH];
    for (size_t i = 0; i < count; i++) vectors[i] = nexa_vector_of(space, rows[i]);
    const bool squared = space->metric == 2;
    switch (space->encoding) {
        case 0:
            (squared ? best->squared_float : best->dot_float)(
                query->components, vectors, count, space->padded, distances);
            break;
        case 1:
            (squared ? best->squared_half : best->dot_half)(query->components, vectors, count, space->padded, distances);
            break;
        default:
            best->dot_byte(query->components, vectors, count, space->padded, distances);
            for (size_t i = 0; i < count; i++) {
                const float dot = (distances[i] - 128.0f * (float)query->sum) * query->factor * rows[i]->factor;
                const float apart = query->norm + rows[i]->norm - 2 * dot;
                distances[i] = squared ? (apart > 0 ? apart : 0) : -dot;
            }
            return;
    }
    if (!squared)
        for (size_t i = 0; i < count; i++) distances[i] = -distances[i];
}

void nexa_distances(
    const nexa_space *space, const nexa_query *query, const nexa_row *const *rows, size_t count, float *distances) {
    for (size_t i = 0; i < count; i += BATCH)
        batch(space, query, rows + i, count - i < BATCH ? count - i : BATCH, distances + i);
}

// The whole chunks by the kernel, then the rest, padded with zeros.
static float compare(nexa_kernel *kernel, const float *a, const float *b, size_t count) {
    const size_t whole = count / 16 * 16;
    float sum = 0, rest = 0;
    if (whole > 0) {
        const uint8_t *vector = (const uint8_t *)b;
        kernel(a, &vector, 1, 4 * whole, &sum);
    }
    if (whole < count) {
        float left[16] = {0}, right[16] = {0};
        memcpy(left, a + whole, 4 * (count - whole));
        memcpy(right, b + whole, 4 * (count - whole));
        const uint8_t *vector = (const uint8_t *)right;
        kernel(left, &vector, 1, sizeof(left), &rest);
    }
    return sum + rest;
}

float nexa_dot(const float *a, const float *b, size_t count) { return compare(kernels()->dot_float, a, b, count); }

float nexa_squared_distance(const float *a, const float *b, size_t count) {
    return compare(kernels()->squared_float, a, b, count);
}

void nexa_to_half(const float *from, uint16_t *to, size_t count) {
#if defined(__x86_64__)
    if (nexa_instructions() > 0) {
        nexa_to_half_f16c(from, to, count);
        return;
    }
#endif
    for (size_t i = 0; i < count; i++) to[i] = nexa_half_of(from[i]);
}

void nexa_from_half(const uint16_t *from, float *to, size_t count) {
#if defined(__x86_64__)
    if (nexa_instructions() > 0) {
        nexa_from_half_f16c(from, to, count);
        return;
    }
#endif
    for (size_t i = 0; i < count; i++) to[i] = nexa_half_value(from[i]);
}
