#include <string.h>

#include "internal.h"

// Multi-byte words are little-endian here as in both definitions; other targets would need a swap.

static inline uint64_t rotated(uint64_t word, int bits) { return word << bits | word >> (64 - bits); }

static inline void round_once(uint64_t v[4]) {
    v[0] += v[1], v[2] += v[3];
    v[1] = rotated(v[1], 13) ^ v[0], v[3] = rotated(v[3], 16) ^ v[2];
    v[0] = rotated(v[0], 32);
    v[2] += v[1], v[0] += v[3];
    v[1] = rotated(v[1], 17) ^ v[2], v[3] = rotated(v[3], 21) ^ v[0];
    v[2] = rotated(v[2], 32);
}

uint64_t nexa_hash(uint64_t key0, uint64_t key1, const uint8_t *bytes, size_t count) {
    uint64_t v[4] = {
        key0 ^ 0x736f6d6570736575, key1 ^ 0x646f72616e646f6d, key0 ^ 0x6c7967656e657261, key1 ^ 0x7465646279746573};
    uint64_t word, last = (uint64_t)count << 56;
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        memcpy(&word, bytes + i, 8);
        v[3] ^= word;
        round_once(v);
        v[0] ^= word;
    }
    for (size_t shift = 0; i < count; i++, shift += 8) last |= (uint64_t)bytes[i] << shift;
    v[3] ^= last;
    round_once(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) round_once(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t nexa_crc32c(uint32_t previous, const void *bytes, size_t count) {
    const uint8_t *next = bytes;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2")) return nexa_crc32c_sse42(previous, next, count);
#endif
    uint32_t crc = ~previous;
    for (; count > 0; next++, count--) {
        crc ^= *next;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}
