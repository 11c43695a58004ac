#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "internal.h"

void nexa_prepare_row(nexa_row *row, uint8_t level, bool fresh) {
    if (fresh) {
        __atomic_store_n(&row->state, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&row->lock, 0, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&row->count, 0, __ATOMIC_RELAXED);
    row->level = level;
    row->spare = 0;
    row->factor = row->norm = 0;
    row->upper = NULL;
    row->id = NULL;
}

void nexa_lock(nexa_row *row) {
    for (unsigned tries = 0; __atomic_exchange_n(&row->lock, 1, __ATOMIC_ACQUIRE); tries++) {
        // Whoever holds it may have lost its processor.
        while (__atomic_load_n(&row->lock, __ATOMIC_RELAXED))
            if (++tries % 64 == 0) sched_yield();
    }
}

void nexa_unlock(nexa_row *row) { __atomic_store_n(&row->lock, 0, __ATOMIC_RELEASE); }

void *nexa_allocate_block(size_t size) {
    const size_t huge = (size_t)2 << 20;
    void *memory = NULL;
    if (size < huge) return posix_memalign(&memory, 64, size) == 0 ? memory : NULL;
    if (posix_memalign(&memory, huge, size) != 0) return NULL;
#if defined(MADV_HUGEPAGE)
    madvise(memory, size, MADV_HUGEPAGE);
#endif
    return memory;
}

void nexa_free_blocks(nexa_space *space) {
    for (int block = 0; block < NEXA_BLOCKS; block++) free(space->blocks[block]);
}

uint32_t nexa_gather(
    const nexa_space *space, nexa_list list, uint8_t *visited, uint8_t mark, uint32_t bound, uint32_t *slots,
    const nexa_row **rows) {
    const uint32_t count = nexa_list_count(list);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t slot = nexa_link(list, i);
        if (slot >= bound) continue;
        __builtin_prefetch(visited + slot, 1);
        slots[kept++] = slot;
    }
    const uint32_t all = kept;
    kept = 0;
    for (uint32_t i = 0; i < all; i++) {
        const uint32_t slot = slots[i];
        if (visited[slot] == mark) continue;
        visited[slot] = mark;
        const nexa_row *row = nexa_row_at(space, slot);
        const uint8_t *vector = nexa_vector_of(space, row);
        __builtin_prefetch(vector);
        __builtin_prefetch(vector + 64);
        slots[kept] = slot;
        rows[kept++] = row;
    }
    return kept;
}
