#define _GNU_SOURCE
#include "CPTYKit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

// Runners of tests often start their jobs with these ignored, and children inherit that.
static void default_signals(void) {
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int ptykit_spawn(
    const char *path, char *const *arguments, char *const *environment, int columns, int rows, pid_t *process) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    int terminal, other;
    if (openpty(&terminal, &other, NULL, NULL, &size) != 0) return -1;
    fcntl(terminal, F_SETFD, FD_CLOEXEC);
    fcntl(other, F_SETFD, FD_CLOEXEC);
    pid_t child = fork();
    if (child == 0) {
        login_tty(other);
        closefrom(3);
        default_signals();
        execve(path, arguments, environment);
        _exit(127);
    }
    close(other);
    if (child < 0) {
        close(terminal);
        return -1;
    }
    *process = child;
    return terminal;
}

pid_t ptykit_spawn_piped(
    const char *path, char *const *arguments, char *const *environment, int input, int output, int errors,
    int detached) {
    pid_t child = fork();
    if (child != 0) return child;
    int streams[3] = {input, output, errors};
    for (int i = 0; i < 3; i++) {
        int source = streams[i] >= 0 ? streams[i] : open("/dev/null", O_RDWR);
        // Out of the way of 0, 1 and 2 first, whatever order they came in.
        streams[i] = fcntl(source, F_DUPFD, 10);
    }
    for (int i = 0; i < 3; i++) dup2(streams[i], i);
    closefrom(3);
    if (detached) setsid();
    default_signals();
    execve(path, arguments, environment);
    _exit(127);
}

void ptykit_resize(int terminal, int columns, int rows) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    ioctl(terminal, TIOCSWINSZ, &size);
}

static int decoded(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

int ptykit_wait(pid_t process) {
    int status = 0;
    while (waitpid(process, &status, 0) < 0)
        if (errno != EINTR) return -1;
    return decoded(status);
}

int ptykit_poll(pid_t process) {
    int status = 0;
    return waitpid(process, &status, WNOHANG) == process ? decoded(status) : -1;
}

uint32_t ptykit_local_modes(int terminal) {
    struct termios modes;
    return tcgetattr(terminal, &modes) == 0 ? modes.c_lflag : 0;
}

uint32_t ptykit_input_modes(int terminal) {
    struct termios modes;
    return tcgetattr(terminal, &modes) == 0 ? modes.c_iflag : 0;
}

pid_t ptykit_foreground(int terminal) { return tcgetpgrp(terminal); }

int ptykit_bundle_path(char *path, size_t capacity) {
    Dl_info info;
    if (!dladdr((void *)ptykit_bundle_path, &info) || !info.dli_fname) return -1;
    if (strlen(info.dli_fname) >= capacity) return -1;
    strcpy(path, info.dli_fname);
    return 0;
}

int ptykit_holds(const void *bytes, size_t count, const void *word, size_t length) {
    return bytes != NULL && memmem(bytes, count, word, length) != NULL;
}
