// _GNU_SOURCE stays in this file: defining it in the header would give the system's types other definitions
// than Swift's own Glibc module has.
#define _GNU_SOURCE
#include "CNexaSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

const size_t NEXA_UNIX_PATH_MAXIMUM = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;

int nexa_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int nexa_epoll_add(int epoll, int descriptor, uint32_t events, uint64_t word) {
    struct epoll_event event = {.events = events, .data.u64 = word};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

int nexa_epoll_modify(int epoll, int descriptor, uint32_t events, uint64_t word) {
    struct epoll_event event = {.events = events, .data.u64 = word};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event);
}

int nexa_epoll_remove(int epoll, int descriptor) {
    struct epoll_event event = {0};
    return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event);
}

int nexa_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int nexa_socket(int family) {
    return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int nexa_socketpair(int descriptors[_Nonnull 2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, descriptors);
}

int nexa_accept(int listener, struct sockaddr_storage *_Nonnull address, socklen_t *_Nonnull length) {
    return accept4(listener, (struct sockaddr *)address, length, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int nexa_bind(int descriptor, const void *_Nonnull address, socklen_t length) {
    return bind(descriptor, (const struct sockaddr *)address, length);
}

int nexa_connect(int descriptor, const void *_Nonnull address, socklen_t length) {
    return connect(descriptor, (const struct sockaddr *)address, length);
}

int nexa_local_address(
    int descriptor, struct sockaddr_storage *_Nonnull address, socklen_t *_Nonnull length) {
    return getsockname(descriptor, (struct sockaddr *)address, length);
}

ssize_t nexa_send(int descriptor, const void *_Nonnull bytes, size_t count) {
    return send(descriptor, bytes, count, MSG_NOSIGNAL);
}

ssize_t nexa_receive(int descriptor, void *_Nonnull bytes, size_t count) {
    return recv(descriptor, bytes, count, 0);
}

static int nexa_set_flag(int descriptor, int level, int option) {
    int one = 1;
    return setsockopt(descriptor, level, option, &one, sizeof one);
}

int nexa_set_no_delay(int descriptor) { return nexa_set_flag(descriptor, IPPROTO_TCP, TCP_NODELAY); }

int nexa_set_reuse_address(int descriptor) {
    return nexa_set_flag(descriptor, SOL_SOCKET, SO_REUSEADDR);
}

int nexa_set_ipv6_only(int descriptor) { return nexa_set_flag(descriptor, IPPROTO_IPV6, IPV6_V6ONLY); }

int nexa_set_user_timeout(int descriptor, unsigned int milliseconds) {
    return setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
}

int nexa_socket_error(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
    return error;
}

int nexa_peer_credentials(
    int descriptor, uint32_t *_Nonnull user, uint32_t *_Nonnull group, int32_t *_Nonnull process) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    int result = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
    if (result == 0) {
        *user = credentials.uid;
        *group = credentials.gid;
        *process = credentials.pid;
    }
    return result;
}

int nexa_open_directory(const char *_Nonnull path) {
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

uint64_t nexa_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    if (limit.rlim_cur < limit.rlim_max) {
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
    }
    return limit.rlim_cur;
}

int nexa_name_thread(const char *_Nonnull name) { return pthread_setname_np(pthread_self(), name); }

#ifdef NEXA_ASAN
// What the leak checker finds at the exit of the programs and is none.
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return
        // glibc's list of what to do at a thread's end, seen while the last threads are ending.
        "leak:__cxa_thread_atexit_impl\n"
        // Swift keeps a shifted pointer to the table of an object that is referred to weakly.
        "leak:formWeakReference\n"
        // el_end drops what was typed ahead, so libedit lives until the exit.
        "leak:libedit\n"
        // Its list of suites.
        "leak:libXCTest\n";
}
#endif
