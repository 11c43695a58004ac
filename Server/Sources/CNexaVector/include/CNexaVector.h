#ifndef CNEXAVECTOR_H
#define CNEXAVECTOR_H

// What NexaVector needs below Swift: rows of memory that other threads read while they change, and distance kernels
// that are chosen by the processor at run time.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// MARK: Rows

/// The head of a row; its links of the lowest level follow, then, on the next multiple of 64, the vector.
///
/// `state`, `lock`, `count` and all links are read and written by several threads at once, through the functions
/// below; the rest does not change while anyone can reach the row.
typedef struct nexa_row {
    uint8_t state;
    uint8_t lock;
    uint8_t level;
    uint8_t spare;
    /// The number of links on the lowest level.
    uint32_t count;
    /// What decoding multiplies an 8-bit component by.
    float factor;
    /// The length of the vector as it was given (cosine), or its square (l2 with 8-bit components).
    float norm;
    /// For each level above the lowest: the number of links, then room for `connections` of them.
    uint32_t *upper;
    /// The id: its length in two bytes, then the bytes.
    uint8_t *id;
} nexa_row;

enum { NEXA_BLOCKS = 104, NEXA_FIRST_EXPONENT = 6 };

/// How a vector is compared and stored, and where the rows are.
typedef struct nexa_space {
    /// Bytes from row to row, from a row to its vector, and of a vector with its padding; multiples of 64.
    size_t stride, vector, padded;
    uint32_t dimensions, connections;
    /// 0 float32, 1 float16, 2 int8; the pads are zero (int8: anything, as the query's are zero).
    uint8_t encoding;
    /// 0 cosine (of vectors of length 1), 1 dot, 2 l2.
    uint8_t metric;
    /// Rows lie in blocks that never move. From 16 rows on, four blocks have the same size, the next four twice that:
    /// at most a quarter of the memory is not in use yet, and a fixed directory reaches 2³¹ rows.
    uint8_t *blocks[NEXA_BLOCKS];
} nexa_space;

/// Which block holds a slot, and which of its rows the slot is.
static inline uint32_t nexa_block_of(uint32_t slot, uint32_t *row) {
    const uint32_t shifted = slot + (1u << NEXA_FIRST_EXPONENT);
    const uint32_t exponent = 31u - (uint32_t)__builtin_clz(shifted);
    *row = shifted & ((1u << (exponent - 2)) - 1);
    return (exponent - NEXA_FIRST_EXPONENT) * 4 + ((shifted >> (exponent - 2)) & 3);
}

/// The number of rows in a block.
static inline uint32_t nexa_block_rows(uint32_t block) { return 1u << (block / 4 + NEXA_FIRST_EXPONENT - 2); }

static inline nexa_row *nexa_row_at(const nexa_space *space, uint32_t slot) {
    uint32_t row;
    const uint32_t block = nexa_block_of(slot, &row);
    return (nexa_row *)(__atomic_load_n(&space->blocks[block], __ATOMIC_RELAXED) + (size_t)row * space->stride);
}

static inline void *nexa_vector_of(const nexa_space *space, const nexa_row *row) {
    return (uint8_t *)(uintptr_t)row + space->vector;
}

/// Whether there is memory for a block.
static inline bool nexa_has_block(const nexa_space *space, uint32_t block) {
    return __atomic_load_n(&space->blocks[block], __ATOMIC_RELAXED) != NULL;
}

/// Gives all blocks back.
void nexa_free_blocks(nexa_space *space);

/// Puts a block into the directory, where threads that learn of its rows find it.
static inline void nexa_set_block(nexa_space *space, uint32_t block, void *memory) {
    __atomic_store_n(&space->blocks[block], (uint8_t *)memory, __ATOMIC_RELEASE);
}

static inline uint8_t nexa_state(const nexa_row *row) { return __atomic_load_n(&row->state, __ATOMIC_ACQUIRE); }
static inline void nexa_set_state(nexa_row *row, uint8_t state) {
    __atomic_store_n(&row->state, state, __ATOMIC_RELEASE);
}

/// The links of one level: how many, and where.
typedef struct nexa_list {
    uint32_t *count;
    uint32_t *links;
    uint32_t capacity;
} nexa_list;

static inline nexa_list nexa_list_of(const nexa_space *space, nexa_row *row, uint32_t level) {
    nexa_list list;
    if (level == 0) {
        list.count = &row->count;
        list.links = (uint32_t *)(row + 1);
        list.capacity = 2 * space->connections;
    } else {
        list.count = row->upper + (size_t)(level - 1) * (space->connections + 1);
        list.links = list.count + 1;
        list.capacity = space->connections;
    }
    return list;
}

static inline uint32_t nexa_list_count(nexa_list list) {
    const uint32_t count = __atomic_load_n(list.count, __ATOMIC_ACQUIRE);
    return count < list.capacity ? count : list.capacity;
}
static inline void nexa_list_set_count(nexa_list list, uint32_t count) {
    __atomic_store_n(list.count, count, __ATOMIC_RELEASE);
}
static inline uint32_t nexa_link(nexa_list list, uint32_t place) {
    return __atomic_load_n(list.links + place, __ATOMIC_ACQUIRE);
}
static inline void nexa_set_link(nexa_list list, uint32_t place, uint32_t slot) {
    __atomic_store_n(list.links + place, slot, __ATOMIC_RELEASE);
}

/// Fetches the links of a row into the cache.
static inline void nexa_prefetch_links(const nexa_space *space, const nexa_row *row) {
    for (size_t byte = 0; byte < space->vector && byte < 256; byte += 64)
        __builtin_prefetch((const uint8_t *)row + byte);
}

/// Makes a row one without links. The state is not touched unless nobody knows of the row yet.
void nexa_prepare_row(nexa_row *row, uint8_t level, bool fresh);

/// The lock for changing a row's links.
void nexa_lock(nexa_row *row);
void nexa_unlock(nexa_row *row);

/// Memory for a block of rows, on huge pages where it is large; null when there is none.
void *nexa_allocate_block(size_t size);

/// Collects the links that are below `bound` and not marked in `visited` yet, marks them, and starts to fetch their
/// vectors. Both results have room for `capacity` links.
uint32_t nexa_gather(
    const nexa_space *space, nexa_list list, uint8_t *visited, uint8_t mark, uint32_t bound, uint32_t *slots,
    const nexa_row **rows);

// MARK: Distances

/// A vector to compare rows with.
typedef struct nexa_query {
    /// Floats, or for int8 rows signed bytes; with zeros up to the padded length; aligned to 64.
    const void *components;
    /// For int8: what a component is multiplied by, the squared length, and the sum of the components.
    float factor, norm;
    int32_t sum;
} nexa_query;

/// The distance of the query to each row: −dot for cosine and dot, squared for l2.
void nexa_distances(
    const nexa_space *space, const nexa_query *query, const nexa_row *const *rows, size_t count, float *distances);

/// Makes a row the query; `buffer` has room for a padded query.
void nexa_query_of_row(const nexa_space *space, const nexa_row *row, void *buffer, nexa_query *query);

/// Writes `from` × `scale` into a row (`norm` and, for int8, `factor` as well), or into a query.
void nexa_store_row(const nexa_space *space, nexa_row *row, const float *from, double scale);
void nexa_store_query(const nexa_space *space, nexa_query *query, void *buffer, const float *from, double scale);
/// The components of a row, without their pads; cosine: of length 1.
void nexa_load_row(const nexa_space *space, const nexa_row *row, float *to);

/// The squared length, in double precision: not finite exactly when a component is not.
double nexa_squared_length(const float *vector, size_t count);
/// The largest magnitude of a component; 0 for none.
float nexa_largest(const float *vector, size_t count);

/// The dot product of two vectors of `count` floats, wherever they lie.
float nexa_dot(const float *a, const float *b, size_t count);
/// The squared Euclidean distance of two vectors of `count` floats, wherever they lie.
float nexa_squared_distance(const float *a, const float *b, size_t count);

/// Half precision from and to floats, rounded to nearest even; too large becomes infinite.
void nexa_to_half(const float *from, uint16_t *to, size_t count);
void nexa_from_half(const uint16_t *from, float *to, size_t count);

/// The best instructions that the processor has and kernels are written for: 0 portable, 1 AVX2 with FMA and F16C,
/// 2 AVX-512, 3 AVX-512 with VNNI.
int nexa_instructions(void);
/// Makes the kernels use no better instructions than these in this thread, so that tests reach all of them.
void nexa_limit_instructions(int level);

// MARK: Bytes

/// SipHash-1-3 (Aumasson and Bernstein, 2012) of some bytes.
uint64_t nexa_hash(uint64_t key0, uint64_t key1, const uint8_t *bytes, size_t count);
/// CRC-32C of some bytes, continuing from the checksum of what came before.
uint32_t nexa_crc32c(uint32_t previous, const void *bytes, size_t count);

#endif
