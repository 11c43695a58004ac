#include <math.h>
#include <string.h>

#include "internal.h"

// How vectors are written into rows and queries. A row of bytes holds component + 128, because the instruction that
// multiplies bytes takes one operand without a sign.

static void scaled(const float *from, float *to, size_t count, size_t padded, double scale) {
    if (scale == 1) {
        memcpy(to, from, 4 * count);
    } else {
        for (size_t i = 0; i < count; i++) to[i] = (float)(from[i] * scale);
    }
    memset(to + count, 0, 4 * (padded - count));
}

// Returns what a component has to be multiplied by. The lengths of vectors that are compared by direction are made
// 1 again after rounding, which takes out most of its error.
static float quantized(
    const nexa_space *space, const float *from, int8_t *to, double scale, int64_t *sum, int64_t *squares) {
    const float largest = nexa_largest(from, space->dimensions);
    const float inverse = largest > 0 ? 127.0f / largest : 0;
    const bool tiny = largest > 0 && !isfinite(inverse);
    *sum = *squares = 0;
    for (size_t i = 0; i < space->dimensions; i++) {
        const double value = tiny ? from[i] * (127.0 / largest) : from[i] * inverse;
        const long rounded = lrint(value);
        const int component = rounded > 127 ? 127 : rounded < -127 ? -127 : (int)rounded;
        to[i] = (int8_t)component;
        *sum += component;
        *squares += component * component;
    }
    if (space->metric == 0) return *squares > 0 ? (float)(1 / sqrt((double)*squares)) : 0;
    return (float)(largest / 127.0 * scale);
}

void nexa_store_row(const nexa_space *space, nexa_row *row, const float *from, double scale) {
    void *vector = nexa_vector_of(space, row);
    const size_t count = space->dimensions;
    row->factor = 1;
    switch (space->encoding) {
        case 0: scaled(from, vector, count, space->padded / 4, scale); break;
        case 1: {
            uint16_t *halves = vector;
            float chunk[256];
            for (size_t i = 0; i < count; i += 256) {
                const size_t some = count - i < 256 ? count - i : 256;
                scaled(from + i, chunk, some, some, scale);
                nexa_to_half(chunk, halves + i, some);
            }
            memset(halves + count, 0, space->padded - 2 * count);
            break;
        }
        default: {
            int64_t sum, squares;
            uint8_t *bytes = vector;
            row->factor = quantized(space, from, vector, scale, &sum, &squares);
            for (size_t i = 0; i < count; i++) bytes[i] ^= 0x80;
            memset(bytes + count, 0x80, space->padded - count);
            if (space->metric != 0) row->norm = (float)(squares * (double)row->factor * row->factor);
        }
    }
}

void nexa_store_query(const nexa_space *space, nexa_query *query, void *buffer, const float *from, double scale) {
    const size_t count = space->dimensions;
    query->components = buffer;
    query->factor = query->norm = 0;
    query->sum = 0;
    switch (space->encoding) {
        case 0: scaled(from, buffer, count, space->padded / 4, scale); break;
        case 1: scaled(from, buffer, count, space->padded / 2, scale); break;
        default: {
            int64_t sum, squares;
            query->factor = quantized(space, from, buffer, scale, &sum, &squares);
            query->sum = (int32_t)sum;
            query->norm = (float)(squares * (double)query->factor * query->factor);
            memset((uint8_t *)buffer + count, 0, space->padded - count);
        }
    }
}

void nexa_query_of_row(const nexa_space *space, const nexa_row *row, void *buffer, nexa_query *query) {
    const void *vector = nexa_vector_of(space, row);
    query->components = buffer;
    query->factor = row->factor;
    query->norm = row->norm;
    query->sum = 0;
    switch (space->encoding) {
        case 0: query->components = vector; break;
        case 1: nexa_from_half(vector, buffer, space->padded / 2); break;
        default: {
            const uint8_t *bytes = vector;
            int8_t *components = buffer;
            int32_t sum = 0;
            for (size_t i = 0; i < space->padded; i++) {
                components[i] = (int8_t)(bytes[i] ^ 0x80);
                sum += components[i];
            }
            query->sum = sum;
        }
    }
}

void nexa_load_row(const nexa_space *space, const nexa_row *row, float *to) {
    const void *vector = nexa_vector_of(space, row);
    switch (space->encoding) {
        case 0: memcpy(to, vector, (size_t)4 * space->dimensions); break;
        case 1: nexa_from_half(vector, to, space->dimensions); break;
        default: {
            const uint8_t *bytes = vector;
            for (size_t i = 0; i < space->dimensions; i++) to[i] = (float)((int)bytes[i] - 128) * row->factor;
        }
    }
}

double nexa_squared_length(const float *vector, size_t count) {
    double sums[4] = {0};
    size_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (size_t k = 0; k < 4; k++) sums[k] += (double)vector[i + k] * vector[i + k];
    for (; i < count; i++) sums[0] += (double)vector[i] * vector[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

float nexa_largest(const float *vector, size_t count) {
    float largest = 0;
    for (size_t i = 0; i < count; i++) {
        const float magnitude = fabsf(vector[i]);
        if (magnitude > largest) largest = magnitude;
    }
    return largest;
}
