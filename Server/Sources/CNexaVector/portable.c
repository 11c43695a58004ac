#include "internal.h"

#include <string.h>

// Kernels for every processor: vectors of four floats, which any compiler turns into what the target has.

typedef float four __attribute__((vector_size(16), aligned(4)));

float nexa_half_value(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3ff;
    uint32_t bits;
    if (exponent == 0) {
        const float small = (float)mantissa * 0x1p-24f;
        return sign ? -small : small;
    }
    bits = sign | (exponent == 31 ? 0x7f800000 : (exponent + 112) << 23) | mantissa << 13;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

uint16_t nexa_half_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return sign | 0x7e00;
    if (bits >= 0x477ff000) return sign | 0x7c00;  // 65520 and more round to infinity
    if (bits < 0x38800000) {                       // below the smallest normal number: a multiple of 2⁻²⁴
        float magnitude;
        memcpy(&magnitude, &bits, 4);
        magnitude += 0.5f;  // rounds to nearest even at 2⁻²⁴, as the sum has no finer bits
        memcpy(&bits, &magnitude, 4);
        return sign | (uint16_t)(bits - 0x3f000000);
    }
    bits += 0xfff + (bits >> 13 & 1);
    return sign | (uint16_t)((bits - 0x38000000) >> 13);
}

INLINE four load(const uint8_t *vector, size_t index, bool half) {
    four value;
    if (half) {
        uint16_t raw[4];
        memcpy(raw, vector + 2 * index, 8);
        for (int i = 0; i < 4; i++) value[i] = nexa_half_value(raw[i]);
    } else {
        memcpy(&value, vector + 4 * index, 16);
    }
    return value;
}

INLINE void compare(
    const float *query, const uint8_t *const *vectors, size_t count, size_t n, bool half, bool squared, float *out) {
    for (size_t row = 0; row < count; row++) {
        four sums[4] = {{0}};
        for (size_t i = 0; i < n; i += 16) {
            for (size_t k = 0; k < 4; k++) {
                four q;
                memcpy(&q, query + i + 4 * k, 16);
                const four v = load(vectors[row], i + 4 * k, half);
                sums[k] += squared ? (q - v) * (q - v) : q * v;
            }
        }
        const four sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        out[row] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
}

static void dot_float(const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out) {
    compare(query, vectors, count, padded / 4, false, false, out);
}
static void squared_float(const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out) {
    compare(query, vectors, count, padded / 4, false, true, out);
}
static void dot_half(const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out) {
    compare(query, vectors, count, padded / 2, true, false, out);
}
static void squared_half(const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out) {
    compare(query, vectors, count, padded / 2, true, true, out);
}
static void dot_byte(const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out) {
    const int8_t *bytes = query;
    for (size_t row = 0; row < count; row++) {
        int32_t sum = 0;
        for (size_t i = 0; i < padded; i++) sum += bytes[i] * vectors[row][i];
        out[row] = (float)sum;
    }
}

const nexa_kernels nexa_portable_kernels = {dot_float, squared_float, dot_half, squared_half, dot_byte};
