#include "CNexaDigest.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t rotated(uint32_t word, int bits) { return word >> bits | word << (32 - bits); }

static inline uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void nexa_sha256_blocks_portable(uint32_t state[8], const uint8_t *blocks, size_t count) {
    for (; count > 0; count--, blocks += 64) {
        uint32_t w[64];
        for (int i = 0; i < 16; i++) w[i] = big_endian(blocks + 4 * i);
        for (int i = 16; i < 64; i++) {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + w[i - 7] + (rotated(a, 7) ^ rotated(a, 18) ^ a >> 3) +
                   (rotated(b, 17) ^ rotated(b, 19) ^ b >> 10);
        }
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int i = 0; i < 64; i++) {
            uint32_t t1 = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g)) +
                          round_constants[i] + w[i];
            uint32_t t2 = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

#if defined(__x86_64__)
// The instructions keep the state as ABEF and CDGH; "Intel SHA Extensions", 2013.
__attribute__((target("sha,sse4.1,ssse3"))) static void blocks_by_instruction(
    uint32_t state[8], const uint8_t *blocks, size_t count) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bULL, 0x0405060700010203ULL);
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    __m128i abef = _mm_alignr_epi8(abcd, efgh, 8);
    __m128i cdgh = _mm_blend_epi16(efgh, abcd, 0xF0);
    for (; count > 0; count--, blocks += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[16];
        for (int i = 0; i < 4; i++) {
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(blocks + 16 * i)), swap);
        }
        for (int i = 4; i < 16; i++) {
            __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w[i - 4], w[i - 3]), _mm_alignr_epi8(w[i - 1], w[i - 2], 4));
            w[i] = _mm_sha256msg2_epu32(sum, w[i - 1]);
        }
        for (int i = 0; i < 16; i++) {
            __m128i sum = _mm_add_epi32(w[i], _mm_load_si128((const __m128i *)(round_constants + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
    __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

__attribute__((target("sha,sse4.1,ssse3"))) static inline void pack(
    const uint32_t state[8], __m128i *abef, __m128i *cdgh) {
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    *abef = _mm_alignr_epi8(abcd, efgh, 8);
    *cdgh = _mm_blend_epi16(efgh, abcd, 0xF0);
}

// The rounds of PBKDF2 in registers: each digest is the message of the next block as it is, without its way through bytes.
__attribute__((target("sha,sse4.1,ssse3"))) static void pbkdf2_by_instruction(
    const uint32_t inner[8], const uint32_t outer[8], uint8_t block[32], uint32_t rounds) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bULL, 0x0405060700010203ULL);
    const __m128i padding = _mm_set_epi32(0, 0, 0, (int)0x80000000u), length = _mm_set_epi32(96 * 8, 0, 0, 0);
    __m128i keys[2][2];
    pack(inner, &keys[0][0], &keys[0][1]);
    pack(outer, &keys[1][0], &keys[1][1]);
    __m128i low = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)block), swap);
    __m128i high = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16)), swap);
    __m128i low_result = low, high_result = high;
    for (; rounds > 0; rounds--) {
        for (int pass = 0; pass < 2; pass++) {
            __m128i abef = keys[pass][0], cdgh = keys[pass][1];
            __m128i w[4] = {low, high, padding, length};
#if defined(__clang__)
#pragma clang loop unroll(full)
#endif
            for (int i = 0; i < 16; i++) {
                if (i >= 4) {
                    __m128i sum = _mm_add_epi32(
                        _mm_sha256msg1_epu32(w[i & 3], w[(i + 1) & 3]),
                        _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
                    w[i & 3] = _mm_sha256msg2_epu32(sum, w[(i + 3) & 3]);
                }
                __m128i sum = _mm_add_epi32(w[i & 3], _mm_load_si128((const __m128i *)(round_constants + 4 * i)));
                cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
                abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0E));
            }
            __m128i feba = _mm_shuffle_epi32(_mm_add_epi32(abef, keys[pass][0]), 0x1B);
            __m128i dchg = _mm_shuffle_epi32(_mm_add_epi32(cdgh, keys[pass][1]), 0xB1);
            low = _mm_blend_epi16(feba, dchg, 0xF0);
            high = _mm_alignr_epi8(dchg, feba, 8);
        }
        low_result = _mm_xor_si128(low_result, low);
        high_result = _mm_xor_si128(high_result, high);
    }
    _mm_storeu_si128((__m128i *)block, _mm_shuffle_epi8(low_result, swap));
    _mm_storeu_si128((__m128i *)(block + 16), _mm_shuffle_epi8(high_result, swap));
}

static bool asked_for_instructions(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSSE3) || !(c & bit_SSE4_1)) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1u << 29));
}

static bool has_instructions(void) {
    // 0: not asked yet. Threads that ask at the same time find the same answer.
    static int answer;
    int known = __atomic_load_n(&answer, __ATOMIC_RELAXED);
    if (known == 0) {
        known = asked_for_instructions() ? 1 : 2;
        __atomic_store_n(&answer, known, __ATOMIC_RELAXED);
    }
    return known == 1;
}
#endif

void nexa_sha256_blocks(uint32_t state[8], const uint8_t *blocks, size_t count) {
#if defined(__x86_64__)
    if (has_instructions()) return blocks_by_instruction(state, blocks, count);
#endif
    nexa_sha256_blocks_portable(state, blocks, count);
}

static void store(const uint32_t state[8], uint8_t *bytes) {
    for (int i = 0; i < 8; i++) {
        bytes[4 * i] = (uint8_t)(state[i] >> 24);
        bytes[4 * i + 1] = (uint8_t)(state[i] >> 16);
        bytes[4 * i + 2] = (uint8_t)(state[i] >> 8);
        bytes[4 * i + 3] = (uint8_t)state[i];
    }
}

void nexa_pbkdf2_sha256(const uint32_t inner[8], const uint32_t outer[8], uint8_t block[32], uint32_t rounds) {
#if defined(__x86_64__)
    if (has_instructions()) return pbkdf2_by_instruction(inner, outer, block, rounds);
#endif
    nexa_pbkdf2_sha256_portable(inner, outer, block, rounds);
}

void nexa_pbkdf2_sha256_portable(
    const uint32_t inner[8], const uint32_t outer[8], uint8_t block[32], uint32_t rounds) {
    // A digest of 32 bytes behind a key block of 64: one padded block, whose length field is 96 bytes.
    uint8_t message[64] = {0};
    uint32_t state[8];
    memcpy(message, block, 32);
    message[32] = 0x80;
    message[62] = (96 * 8) >> 8;
    message[63] = (96 * 8) & 0xFF;
    for (; rounds > 0; rounds--) {
        memcpy(state, inner, sizeof state);
        nexa_sha256_blocks_portable(state, message, 1);
        store(state, message);
        memcpy(state, outer, sizeof state);
        nexa_sha256_blocks_portable(state, message, 1);
        store(state, message);
        for (int i = 0; i < 32; i++) block[i] ^= message[i];
    }
}

bool nexa_bytes_equal(const uint8_t *left, const uint8_t *right, size_t count) {
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < count; i++) difference |= left[i] ^ right[i];
    return difference == 0;
}
