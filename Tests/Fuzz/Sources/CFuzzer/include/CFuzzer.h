#ifndef NEXA_CFUZZER_H
#define NEXA_CFUZZER_H

#include <stddef.h>
#include <stdint.h>

// Runs libFuzzer with these arguments; -1 when the program was built without `--sanitize=fuzzer`.
int nexa_libfuzzer_run(int argc, char **argv, int (*callback)(const uint8_t *data, size_t size));

// Bytes that malloc has given out at this moment.
size_t nexa_allocated_bytes(void);

#endif
