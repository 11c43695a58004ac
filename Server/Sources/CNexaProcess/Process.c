#define _GNU_SOURCE
#include "CNexaProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t nexadb_spawn_detached(
    const char *path, char *const *arguments, char *const *environment, int log, int report) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    pid_t process = -1;
    // Out of the way of 0 to 3 first, whatever numbers they have.
    int high_log = fcntl(log, F_DUPFD_CLOEXEC, 10), high_report = fcntl(report, F_DUPFD_CLOEXEC, 10);
    if (high_log < 0 || high_report < 0) {
        int code = errno;
        if (high_log >= 0) close(high_log);
        errno = code;
        return -1;
    }
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, high_log, 1);
    posix_spawn_file_actions_adddup2(&files, high_log, 2);
    posix_spawn_file_actions_adddup2(&files, high_report, 3);
    posix_spawn_file_actions_addclosefrom_np(&files, 4);
    posix_spawn_file_actions_addchdir_np(&files, "/");
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int failed = posix_spawn(&process, path, &files, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    close(high_log);
    close(high_report);
    if (failed) {
        errno = failed;
        return -1;
    }
    return process;
}

int nexadb_process_open(pid_t process) { return (int)syscall(SYS_pidfd_open, process, 0); }

int nexadb_process_signal(int descriptor, int number) {
    return (int)syscall(SYS_pidfd_send_signal, descriptor, number, NULL, 0);
}

int nexadb_process_collect(pid_t process, int *code) {
    int status = 0;
    pid_t answer;
    do answer = waitpid(process, &status, WNOHANG);
    while (answer < 0 && errno == EINTR);
    if (answer <= 0) return (int)answer;
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 1;
}
