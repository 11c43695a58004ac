#ifndef CNEXAVECTOR_H
#define CNEXAVECTOR_H

#include <stddef.h>
#include <stdint.h>

/// The dot product of two vectors of `count` floats.
float nexa_dot(const float *a, const float *b, size_t count);

/// The squared Euclidean distance of two vectors of `count` floats.
float nexa_squared_distance(const float *a, const float *b, size_t count);

#endif
