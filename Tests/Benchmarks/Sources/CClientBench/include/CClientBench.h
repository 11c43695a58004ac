#ifndef C_CLIENT_BENCH_H
#define C_CLIENT_BENCH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// What the whole process has allocated since `bench_count_begin`.
struct bench_allocations {
  uint64_t count;    ///< Calls of malloc, calloc, realloc and the aligned ones.
  int64_t live_bytes; ///< What was taken less what was given back, as the allocator rounds it.
};

void bench_count_begin(void);
struct bench_allocations bench_count_end(void);

/// A process that answers frames by their type with bytes prepared before.
struct bench_peer {
  pid_t process;
  int control;
  uint16_t port;
};

/// What a frame of one type is answered with. `stream`, if there is one, follows without end.
struct bench_answer {
  uint8_t type;
  const void *reply;
  size_t reply_size;
  const void *stream;
  size_t stream_size;
};

/// Starts a peer on loopback; 0, or -1 with errno. It ends when `control` is closed.
int bench_peer_start(struct bench_peer *peer, const struct bench_answer *answers, size_t count);
/// Closes the listener and every connection, and waits until that is done.
int bench_peer_down(const struct bench_peer *peer);
/// Listens again on the same port; the monotonic time in nanoseconds of when it did, or -1.
int64_t bench_peer_up(const struct bench_peer *peer);
void bench_peer_stop(struct bench_peer *peer);

/// A blocking socket connected to a port of loopback; -1 with errno.
int bench_connect(uint16_t port);
/// Writes all of it, then reads until `expect` bytes have come; 0, or -1.
int bench_exchange(int descriptor, const void *bytes, size_t size, void *buffer, size_t buffer_size, size_t expect);

#endif
