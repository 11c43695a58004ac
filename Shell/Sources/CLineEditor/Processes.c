#define _GNU_SOURCE
#include "CLineEditor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void nexa_fill_standard_streams(void) {
    for (int descriptor = 0; descriptor <= 2; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", descriptor == 0 ? O_RDONLY : O_WRONLY);  // the lowest free number is this one
}

int nexa_open_nameless(const char *folder) {
    int file = open(folder, O_TMPFILE | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    return file >= 0 ? file : memfd_create("nexadb-log", MFD_CLOEXEC);
}

pid_t nexa_spawn(const char *path, char *const *arguments, char *const *environment, int log) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t process = -1;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, log, 1);
    posix_spawn_file_actions_adddup2(&files, log, 2);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int failed = posix_spawn(&process, path, &files, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (failed) {
        errno = failed;
        return -1;
    }
    return process;
}

pid_t nexa_spawn_attached(const char *path, char *const *arguments, int reads) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t process = -1;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    if (!reads) posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int failed = posix_spawn(&process, path, &files, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (failed) {
        errno = failed;
        return -1;
    }
    return process;
}

static int wait_child(pid_t process, int milliseconds, int wake, int *code) {
    int handle = (int)syscall(SYS_pidfd_open, process, 0);
    if (handle >= 0) {
        struct pollfd ends[] = {{.fd = handle, .events = POLLIN}, {.fd = wake, .events = POLLIN}};
        (void)poll(ends, 2, milliseconds);
        close(handle);
    }
    int status = 0;
    pid_t answer;
    do answer = waitpid(process, &status, WNOHANG);
    while (answer < 0 && errno == EINTR);
    if (answer < 0) return -1;
    if (answer == 0) return 0;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 1;
}

int nexa_wait_child(pid_t process, int milliseconds, int *code) {
    return wait_child(process, milliseconds, -1, code);
}

int nexa_wait_child_or(pid_t process, int wake, int *code) { return wait_child(process, -1, wake, code); }

void nexa_wipe(char *text) { explicit_bzero(text, strlen(text)); }

void nexa_forbid_core(void) { (void)prctl(PR_SET_DUMPABLE, 0); }

void nexa_describe_error(int code, char *text, size_t capacity) {
    char buffer[256];
    const char *message = strerror_r(code, buffer, sizeof buffer);  // the GNU variant, which returns the text
    size_t length = strlen(message);
    if (length >= capacity) length = capacity - 1;
    memcpy(text, message, length);
    text[length] = 0;
}
