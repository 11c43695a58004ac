// The few Linux calls that Swift's Glibc module does not export, under plain C names.
//
// Every function returns what the call returns (-1 and errno on failure); none retries or hides an error.
// EINTR is handled by the Swift side, where the loop is visible.
#ifndef CNEXASYSTEM_H
#define CNEXASYSTEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

// epoll ---------------------------------------------------------------------------------------------

static const uint32_t NEXA_EPOLLIN = EPOLLIN;
static const uint32_t NEXA_EPOLLOUT = EPOLLOUT;
static const uint32_t NEXA_EPOLLRDHUP = EPOLLRDHUP;
static const uint32_t NEXA_EPOLLHUP = EPOLLHUP;
static const uint32_t NEXA_EPOLLERR = EPOLLERR;
static const uint32_t NEXA_EPOLLET = EPOLLET;

int nexa_epoll_create(void);
int nexa_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t word);
int nexa_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t word);
int nexa_epoll_remove(int epoll, int descriptor);

// epoll_event is packed on x86-64, which Swift cannot express: the two fields are read through these.
static inline uint32_t nexa_event_mask(const struct epoll_event *_Nonnull events, int index) {
    return events[index].events;
}

static inline uint64_t nexa_event_word(const struct epoll_event *_Nonnull events, int index) {
    return events[index].data.u64;
}

int nexa_eventfd(void);

// sockets -------------------------------------------------------------------------------------------

int nexa_socket(int family);
int nexa_socketpair(int descriptors[_Nonnull 2]);
int nexa_accept(int listener, struct sockaddr_storage *_Nonnull address, socklen_t *_Nonnull length);
int nexa_bind(int descriptor, const void *_Nonnull address, socklen_t length);
int nexa_connect(int descriptor, const void *_Nonnull address, socklen_t length);
int nexa_local_address(
    int descriptor, struct sockaddr_storage *_Nonnull address, socklen_t *_Nonnull length);

ssize_t nexa_send(int descriptor, const void *_Nonnull bytes, size_t count);
ssize_t nexa_receive(int descriptor, void *_Nonnull bytes, size_t count);
int nexa_set_no_delay(int descriptor);
int nexa_set_reuse_address(int descriptor);
int nexa_set_ipv6_only(int descriptor);

// How long sent data may stay unacknowledged before the kernel gives the connection up.
int nexa_set_user_timeout(int descriptor, unsigned int milliseconds);

// The pending error of a socket (the outcome of a non-blocking connect), cleared by reading it.
int nexa_socket_error(int descriptor);
int nexa_peer_credentials(
    int descriptor, uint32_t *_Nonnull user, uint32_t *_Nonnull group, int32_t *_Nonnull process);

// The longest path that fits a Unix socket address together with its terminating zero.
extern const size_t NEXA_UNIX_PATH_MAXIMUM;

int nexa_open_directory(const char *_Nonnull path);

// threads -------------------------------------------------------------------------------------------

// Names the calling thread; the system refuses names longer than 15 bytes.
int nexa_name_thread(const char *_Nonnull name);

// limits --------------------------------------------------------------------------------------------

// Raises the soft limit of open descriptors to the hard limit and returns it (0 when unknown).
uint64_t nexa_raise_descriptor_limit(void);

#endif
