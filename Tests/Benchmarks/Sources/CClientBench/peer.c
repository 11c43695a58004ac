// The other end of the client: one thread that answers every frame with bytes made before, so that what is measured
// is the client. It never allocates while it answers.
#define _GNU_SOURCE
#include "CClientBench.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { head_size = 12, input_size = 1 << 18, output_size = 1 << 20, descriptors = 4096 };

struct connection {
  int is_open;
  size_t pending;      // Bytes at the start of `input` that are no whole frame yet.
  char *input;
  const struct bench_answer *streaming;
  size_t streamed;     // Of the current copy of the stream.
};

static struct connection connections[descriptors];
static char output[output_size];

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int listen_on(uint16_t *port) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int yes = 1;
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(descriptor, (struct sockaddr *)&address, length) != 0 || listen(descriptor, 512) != 0 ||
      getsockname(descriptor, (struct sockaddr *)&address, &length) != 0) {
    close(descriptor);
    return -1;
  }
  *port = ntohs(address.sin_port);
  return descriptor;
}

static void watch(int epoll, int operation, int descriptor, uint32_t events) {
  struct epoll_event event = {.events = events, .data.fd = descriptor};
  epoll_ctl(epoll, operation, descriptor, &event);
}

static void drop(int descriptor, int reset) {
  struct linger linger = {1, 0};
  if (reset) setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  free(connections[descriptor].input);
  memset(&connections[descriptor], 0, sizeof connections[descriptor]);
  close(descriptor);
}

static int send_all(int descriptor, size_t size) {
  for (size_t sent = 0; sent < size;) {
    ssize_t moved = send(descriptor, output + sent, size - sent, MSG_NOSIGNAL);
    if (moved > 0) {
      sent += (size_t)moved;
    } else if (errno == EAGAIN) {
      struct pollfd waiting = {descriptor, POLLOUT, 0};
      if (poll(&waiting, 1, 5000) <= 0) return -1;
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return 0;
}

// Answers all whole frames; -1 when the connection is over.
static int answer(int epoll, int descriptor, const struct bench_answer *answers, size_t count) {
  struct connection *connection = &connections[descriptor];
  ssize_t got = recv(descriptor, connection->input + connection->pending, input_size - connection->pending, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (got <= 0) return -1;
  size_t end = connection->pending + (size_t)got, offset = 0, filled = 0;
  while (end - offset >= head_size) {
    const unsigned char *head = (unsigned char *)connection->input + offset;
    size_t length = (size_t)head[8] << 24 | (size_t)head[9] << 16 | (size_t)head[10] << 8 | head[11];
    if (length > input_size - head_size) return -1;
    if (end - offset < head_size + length) break;
    offset += head_size + length;
    const struct bench_answer *found = NULL;
    for (size_t index = 0; index < count; index++)
      if (answers[index].type == head[5]) found = &answers[index];
    if (!found || found->reply_size > output_size) return -1;
    if (filled + found->reply_size > output_size) {
      if (send_all(descriptor, filled) != 0) return -1;
      filled = 0;
    }
    memcpy(output + filled, found->reply, found->reply_size);
    filled += found->reply_size;
    if (found->stream_size > 0) {
      connection->streaming = found;
      watch(epoll, EPOLL_CTL_MOD, descriptor, EPOLLIN | EPOLLOUT);
    }
  }
  memmove(connection->input, connection->input + offset, end - offset);
  connection->pending = end - offset;
  return filled > 0 ? send_all(descriptor, filled) : 0;
}

static int stream(int descriptor) {
  struct connection *connection = &connections[descriptor];
  const struct bench_answer *source = connection->streaming;
  for (int round = 0; source && round < 4; round++) {
    ssize_t moved = send(descriptor, (const char *)source->stream + connection->streamed,
                         source->stream_size - connection->streamed, MSG_NOSIGNAL);
    if (moved < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    connection->streamed = (connection->streamed + (size_t)moved) % source->stream_size;
  }
  return 0;
}

static void accept_all(int epoll, int listener) {
  for (;;) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor < 0) return;
    int yes = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    char *input = descriptor < descriptors ? malloc(input_size) : NULL;
    if (!input) {
      close(descriptor);
      continue;
    }
    connections[descriptor] = (struct connection){.is_open = 1, .input = input};
    watch(epoll, EPOLL_CTL_ADD, descriptor, EPOLLIN);
  }
}

static _Noreturn void serve(int control, int listener, uint16_t port, const struct bench_answer *answers, size_t count) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, EPOLL_CTL_ADD, control, EPOLLIN);
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
  struct epoll_event events[64];
  for (;;) {
    int ready = epoll_wait(epoll, events, 64, -1);
    for (int index = 0; index < ready; index++) {
      int descriptor = events[index].data.fd;
      if (descriptor == control) {
        char command;
        if (read(control, &command, 1) != 1) _exit(0);
        int64_t result = 0;
        if (command == 'd') {
          close(listener);
          listener = -1;
          for (int other = 0; other < descriptors; other++)
            if (connections[other].is_open) drop(other, 1);
        } else {
          listener = listen_on(&port);
          result = listener < 0 ? -1 : now();
          if (listener >= 0) watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
        }
        if (write(control, &result, sizeof result) != sizeof result) _exit(1);
        break;  // Later events may be about closed descriptors.
      }
      if (descriptor == listener) {
        accept_all(epoll, listener);
        continue;
      }
      uint32_t mask = events[index].events;
      int failed = 0;
      if (mask & (EPOLLIN | EPOLLHUP | EPOLLERR)) failed = answer(epoll, descriptor, answers, count);
      if (failed == 0 && (mask & EPOLLOUT)) failed = stream(descriptor);
      if (failed != 0) drop(descriptor, 0);
    }
  }
}

int bench_peer_start(struct bench_peer *peer, const struct bench_answer *answers, size_t count) {
  uint16_t port = 0;
  int listener = listen_on(&port);
  int pair[2];
  if (listener < 0) return -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    close(listener);
    return -1;
  }
  pid_t process = fork();
  if (process == 0) {
    close(pair[0]);
    serve(pair[1], listener, port, answers, count);
  }
  close(listener);
  close(pair[1]);
  if (process < 0) {
    close(pair[0]);
    return -1;
  }
  *peer = (struct bench_peer){process, pair[0], port};
  return 0;
}

static int64_t command(const struct bench_peer *peer, char letter) {
  int64_t result;
  if (write(peer->control, &letter, 1) != 1 || read(peer->control, &result, sizeof result) != sizeof result) return -1;
  return result;
}

int bench_peer_down(const struct bench_peer *peer) { return (int)command(peer, 'd'); }
int64_t bench_peer_up(const struct bench_peer *peer) { return command(peer, 'u'); }

void bench_peer_stop(struct bench_peer *peer) {
  close(peer->control);
  waitpid(peer->process, NULL, 0);
}

int bench_connect(uint16_t port) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int yes = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
  int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

int bench_exchange(int descriptor, const void *bytes, size_t size, void *buffer, size_t buffer_size, size_t expect) {
  for (size_t sent = 0; sent < size;) {
    ssize_t moved = send(descriptor, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
    if (moved < 0 && errno != EINTR) return -1;
    if (moved > 0) sent += (size_t)moved;
  }
  for (size_t got = 0; got < expect;) {
    size_t room = expect - got < buffer_size ? expect - got : buffer_size;
    ssize_t moved = recv(descriptor, buffer, room, 0);
    if (moved == 0 || (moved < 0 && errno != EINTR)) return -1;
    if (moved > 0) got += (size_t)moved;
  }
  return 0;
}
