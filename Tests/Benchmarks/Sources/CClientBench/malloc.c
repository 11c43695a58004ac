// Counts allocations by standing before glibc's allocator: symbols of a program go before those of a library. With
// another libc, or under a sanitizer that does the same, this must not be linked.
#include "CClientBench.h"
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

static atomic_bool is_counting;
static _Atomic uint64_t count;
static _Atomic int64_t live;

static inline int counting(void) { return atomic_load_explicit(&is_counting, memory_order_relaxed); }

static void *taken(void *pointer) {
  if (counting() && pointer) {
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&live, (int64_t)malloc_usable_size(pointer), memory_order_relaxed);
  }
  return pointer;
}

static void returned(void *pointer) {
  if (counting() && pointer)
    atomic_fetch_sub_explicit(&live, (int64_t)malloc_usable_size(pointer), memory_order_relaxed);
}

void *malloc(size_t size) { return taken(__libc_malloc(size)); }
void *calloc(size_t number, size_t size) { return taken(__libc_calloc(number, size)); }

void *realloc(void *old, size_t size) {
  int64_t before = counting() && old ? (int64_t)malloc_usable_size(old) : 0;
  void *pointer = __libc_realloc(old, size);
  if (pointer || size == 0) atomic_fetch_sub_explicit(&live, before, memory_order_relaxed);
  return taken(pointer);
}

void *memalign(size_t alignment, size_t size) { return taken(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return taken(__libc_memalign(alignment, size)); }

int posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void *pointer = taken(__libc_memalign(alignment, size));
  if (!pointer) return ENOMEM;
  *result = pointer;
  return 0;
}

void free(void *pointer) {
  returned(pointer);
  __libc_free(pointer);
}

void bench_count_begin(void) {
  atomic_store(&count, 0);
  atomic_store(&live, 0);
  atomic_store(&is_counting, 1);
}

struct bench_allocations bench_count_end(void) {
  atomic_store(&is_counting, 0);
  struct bench_allocations result = {atomic_load(&count), atomic_load(&live)};
  return result;
}
