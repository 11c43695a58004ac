#ifndef CNEXAVECTOR_INTERNAL_H
#define CNEXAVECTOR_INTERNAL_H

#include "CNexaVector.h"

#define INLINE static inline __attribute__((always_inline))

/// A kernel compares a query with several rows and writes what `nexa_kernels` says of each.
typedef void nexa_kernel(const void *query, const uint8_t *const *vectors, size_t count, size_t padded, float *out);

/// The kernels of one set of instructions: dot products (also of bytes), and squared distances.
typedef struct nexa_kernels {
    nexa_kernel *dot_float, *squared_float, *dot_half, *squared_half;
    /// Rows hold component + 128; the result is the sum of query × (component + 128).
    nexa_kernel *dot_byte;
} nexa_kernels;

extern const nexa_kernels nexa_portable_kernels;
#if defined(__x86_64__)
extern const nexa_kernels nexa_avx2_kernels, nexa_avx512_kernels, nexa_vnni_kernels;
nexa_kernel nexa_dot_byte_avx2;
void nexa_to_half_f16c(const float *from, uint16_t *to, size_t count);
void nexa_from_half_f16c(const uint16_t *from, float *to, size_t count);
uint32_t nexa_crc32c_sse42(uint32_t previous, const uint8_t *bytes, size_t count);
#endif

float nexa_half_value(uint16_t half);
uint16_t nexa_half_of(float value);

#endif
