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

int nexa_open_pipe(int *reading, int *writing) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    *reading = ends[0];
    *writing = ends[1];
    return 0;
}

// What a standard stream of a child is, other than a descriptor of this process.
enum { as_here = -1, nothing = -2 };

// Starts a program with default signals and nothing open beyond the standard streams.
static pid_t start(
    const char *path, char *const *arguments, char *const *environment, const int streams[3], int in_own_group) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t process = -1;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    for (int stream = 0; stream <= 2; stream++) {
        if (streams[stream] == nothing)
            posix_spawn_file_actions_addopen(&files, stream, "/dev/null", stream == 0 ? O_RDONLY : O_WRONLY, 0);
        else if (streams[stream] != as_here)
            posix_spawn_file_actions_adddup2(&files, streams[stream], stream);
    }
    posix_spawn_file_actions_addclosefrom_np(&files, 3);
    if (in_own_group) {
        flags |= POSIX_SPAWN_SETPGROUP;
        posix_spawnattr_setpgroup(&attributes, 0);
    }
    posix_spawnattr_setflags(&attributes, flags);
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

pid_t nexa_spawn(const char *path, char *const *arguments, char *const *environment, int log) {
    return start(path, arguments, environment, (int[]){nothing, log, log}, 1);
}

pid_t nexa_spawn_attached(const char *path, char *const *arguments, int reads) {
    return start(path, arguments, environ, (int[]){reads ? as_here : nothing, as_here, as_here}, 0);
}

pid_t nexa_spawn_reader(const char *command, char *const *environment, int input) {
    char *const arguments[] = {"sh", "-c", (char *)command, NULL};
    return start("/bin/sh", arguments, environment, (int[]){input, as_here, as_here}, 0);
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
