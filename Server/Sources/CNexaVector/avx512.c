#include "internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx2,fma,f16c")))
#define TARGET_BYTES __attribute__((target("avx512f,avx512bw,avx512vnni")))

TARGET INLINE __m512 load(const uint8_t *vector, size_t index, bool half) {
    return half ? _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(vector + 2 * index)))
                : _mm512_loadu_ps(vector + 4 * index);
}

TARGET INLINE __m128 folded(__m512 sum) {
    const __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(sum), 1));
    const __m256 both = _mm256_add_ps(_mm512_castps512_ps256(sum), high);
    return _mm_add_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));
}

// As in avx2.c, with twice the width.
TARGET INLINE void group(
    const float *query, const uint8_t *const *vectors, const uint8_t *const *next, size_t rows, size_t n, bool half,
    bool squared, float *out) {
    __m512 even[4], odd[4];
    for (size_t row = 0; row < 4; row++) even[row] = odd[row] = _mm512_setzero_ps();
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m512 q0 = _mm512_loadu_ps(query + i), q1 = _mm512_loadu_ps(query + i + 16);
        for (size_t row = 0; row < rows; row++) {
            __builtin_prefetch(next[row] + (half ? 2 : 4) * i);
            if (!half) __builtin_prefetch(next[row] + 4 * i + 64);
            __m512 v0 = load(vectors[row], i, half), v1 = load(vectors[row], i + 16, half);
            if (squared) v0 = _mm512_sub_ps(q0, v0), v1 = _mm512_sub_ps(q1, v1);
            even[row] = _mm512_fmadd_ps(squared ? v0 : q0, v0, even[row]);
            odd[row] = _mm512_fmadd_ps(squared ? v1 : q1, v1, odd[row]);
        }
    }
    if (i < n) {
        const __m512 q0 = _mm512_loadu_ps(query + i);
        for (size_t row = 0; row < rows; row++) {
            __m512 v0 = load(vectors[row], i, half);
            if (squared) v0 = _mm512_sub_ps(q0, v0);
            even[row] = _mm512_fmadd_ps(squared ? v0 : q0, v0, even[row]);
        }
    }
    __m128 sums[4];
    for (size_t row = 0; row < 4; row++) sums[row] = folded(_mm512_add_ps(even[row], odd[row]));
    const __m128 all = _mm_hadd_ps(_mm_hadd_ps(sums[0], sums[1]), _mm_hadd_ps(sums[2], sums[3]));
    if (rows == 4) {
        _mm_storeu_ps(out, all);
    } else {
        _mm_store_ss(out, all);
    }
}

TARGET INLINE void compare(
    const float *query, const uint8_t *const *vectors, size_t count, size_t n, bool half, bool squared, float *out) {
    size_t row = 0;
    for (; row + 4 <= count; row += 4) {
        const uint8_t *const *next = vectors + (row + 8 <= count ? row + 4 : row);
        group(query, vectors + row, next, 4, n, half, squared, out + row);
    }
    for (; row < count; row++) group(query, vectors + row, vectors + row, 1, n, half, squared, out + row);
}

TARGET static void dot_float(const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out) {
    compare(query, vectors, count, padded / 4, false, false, out);
}
TARGET static void squared_float(
    const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out) {
    compare(query, vectors, count, padded / 4, false, true, out);
}
TARGET static void dot_half(const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out) {
    compare(query, vectors, count, padded / 2, true, false, out);
}
TARGET static void squared_half(
    const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out) {
    compare(query, vectors, count, padded / 2, true, true, out);
}

TARGET_BYTES INLINE void byte_group(
    const uint8_t *query, const uint8_t *const *vectors, size_t rows, size_t padded, float *out) {
    __m512i sums[4];
    for (size_t row = 0; row < rows; row++) sums[row] = _mm512_setzero_si512();
    for (size_t i = 0; i < padded; i += 64) {
        const __m512i q = _mm512_loadu_si512(query + i);
        for (size_t row = 0; row < rows; row++)
            sums[row] = _mm512_dpbusd_epi32(sums[row], _mm512_loadu_si512(vectors[row] + i), q);
    }
    for (size_t row = 0; row < rows; row++) out[row] = (float)_mm512_reduce_add_epi32(sums[row]);
}

TARGET_BYTES static void dot_byte(
    const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out) {
    size_t row = 0;
    for (; row + 4 <= count; row += 4) byte_group(query, vectors + row, 4, padded, out + row);
    for (; row < count; row++) byte_group(query, vectors + row, 1, padded, out + row);
}

const nexa_kernels nexa_avx512_kernels = {dot_float, squared_float, dot_half, squared_half, nexa_dot_byte_avx2};
const nexa_kernels nexa_vnni_kernels = {dot_float, squared_float, dot_half, squared_half, dot_byte};
#endif
