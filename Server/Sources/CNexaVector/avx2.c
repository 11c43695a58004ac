#include "internal.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2,fma,f16c")))

TARGET INLINE __m256 load(const uint8_t *vector, size_t index, bool half) {
    return half ? _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(vector + 2 * index)))
                : _mm256_loadu_ps((const float *)(vector + 4 * index));
}

TARGET INLINE __m128 folded(__m256 sum) {
    return _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
}

// Four rows at a time: they share the loads of the query, their cache misses overlap, and the next four are fetched
// meanwhile. A row's sum is made in the same order whatever its place, so that equal vectors are equally far.
TARGET INLINE void group(
    const float *query, const uint8_t *const *vectors, const uint8_t *const *next, size_t rows, size_t n, bool half,
    bool squared, float *out) {
    __m256 even[4], odd[4];
    for (size_t row = 0; row < 4; row++) even[row] = odd[row] = _mm256_setzero_ps();
    for (size_t i = 0; i < n; i += 16) {
        const __m256 q0 = _mm256_loadu_ps(query + i), q1 = _mm256_loadu_ps(query + i + 8);
        for (size_t row = 0; row < rows; row++) {
            __builtin_prefetch(next[row] + (half ? 2 : 4) * i);
            __m256 v0 = load(vectors[row], i, half), v1 = load(vectors[row], i + 8, half);
            if (squared) v0 = _mm256_sub_ps(q0, v0), v1 = _mm256_sub_ps(q1, v1);
            even[row] = _mm256_fmadd_ps(squared ? v0 : q0, v0, even[row]);
            odd[row] = _mm256_fmadd_ps(squared ? v1 : q1, v1, odd[row]);
        }
    }
    __m128 sums[4];
    for (size_t row = 0; row < 4; row++) sums[row] = folded(_mm256_add_ps(even[row], odd[row]));
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

TARGET void nexa_dot_byte_avx2(const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out) {
    const uint8_t *bytes = query;
    for (size_t row = 0; row < count; row++) {
        __m256i low = _mm256_setzero_si256(), high = low;
        for (size_t i = 0; i < padded; i += 32) {
            const __m256i q0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(bytes + i)));
            const __m256i q1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(bytes + i + 16)));
            const __m256i v0 = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(vectors[row] + i)));
            const __m256i v1 = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(vectors[row] + i + 16)));
            low = _mm256_add_epi32(low, _mm256_madd_epi16(q0, v0));
            high = _mm256_add_epi32(high, _mm256_madd_epi16(q1, v1));
        }
        const __m256i sum = _mm256_add_epi32(low, high);
        __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
        four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
        out[row] = (float)_mm_cvtsi128_si32(four);
    }
}

const nexa_kernels nexa_avx2_kernels = {dot_float, squared_float, dot_half, squared_half, nexa_dot_byte_avx2};

TARGET void nexa_to_half_f16c(const float *from, uint16_t *to, size_t count) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm_storeu_si128((__m128i *)(to + i), _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < count; i++) to[i] = nexa_half_of(from[i]);
}

TARGET void nexa_from_half_f16c(const uint16_t *from, float *to, size_t count) {
    size_t i = 0;
    for (; i + 8 <= count; i += 8) _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from + i))));
    for (; i < count; i++) to[i] = nexa_half_value(from[i]);
}

__attribute__((target("sse4.2"))) uint32_t nexa_crc32c_sse42(uint32_t previous, const uint8_t *bytes, size_t count) {
    uint64_t crc = ~previous;
    for (; count >= 8; bytes += 8, count -= 8) {
        uint64_t word;
        __builtin_memcpy(&word, bytes, 8);
        crc = _mm_crc32_u64(crc, word);
    }
    for (; count > 0; bytes++, count--) crc = _mm_crc32_u8((uint32_t)crc, *bytes);
    return ~(uint32_t)crc;
}
#endif
