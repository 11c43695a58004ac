// SHA-256 (FIPS 180-4), for the login. In C because it is a thousand times slower in an unoptimized Swift build,
// and every test that logs in would pay that.
#ifndef CNEXADIGEST_H
#define CNEXADIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Takes `count` blocks of 64 bytes into a state of eight words, with the processor's instructions where it has them.
void nexa_sha256_blocks(uint32_t state[_Nonnull 8], const uint8_t *_Nonnull blocks, size_t count);

/// The same in plain C, which `nexa_sha256_blocks` is tested against.
void nexa_sha256_blocks_portable(uint32_t state[_Nonnull 8], const uint8_t *_Nonnull blocks, size_t count);

/// The iterations of PBKDF2 with HMAC-SHA-256 (RFC 8018) behind the first one.
///
/// `inner` and `outer` are the states behind the padded keys; `block` holds the first iteration, and at the end the
/// exclusive or of that and `rounds` more.
void nexa_pbkdf2_sha256(
    const uint32_t inner[_Nonnull 8], const uint32_t outer[_Nonnull 8], uint8_t block[_Nonnull 32], uint32_t rounds);

/// The same in plain C, which `nexa_pbkdf2_sha256` is tested against.
void nexa_pbkdf2_sha256_portable(
    const uint32_t inner[_Nonnull 8], const uint32_t outer[_Nonnull 8], uint8_t block[_Nonnull 32], uint32_t rounds);

/// Compares in a time that depends on the length alone.
bool nexa_bytes_equal(const uint8_t *_Nonnull left, const uint8_t *_Nonnull right, size_t count);

#endif
