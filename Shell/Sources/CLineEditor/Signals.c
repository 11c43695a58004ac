#define _GNU_SOURCE
#include "CLineEditor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void nexa_stop_handler(int number);

static const int noted_signals[] = {SIGHUP, SIGTERM, SIGINT, SIGWINCH};
enum { noted_count = sizeof noted_signals / sizeof noted_signals[0] };
static volatile sig_atomic_t noted[noted_count];
static int wake = -1;

static void note(int number) {
    int saved = errno;
    for (int i = 0; i < noted_count; i++)
        if (noted_signals[i] == number) noted[i] = 1;
    uint64_t one = 1;
    (void)!write(wake, &one, sizeof one);
    errno = saved;
}

static void restore_and_die(int number) {
    nexa_terminal_restore();
    nexa_signals_die(number);
}

// As a key, Ctrl-\ in an editor or a pager is no business of a prompt; what another process sends is.
static void quit(int number, siginfo_t *from, void *context) {
    (void)context;
    if (from->si_code == SI_KERNEL && nexa_terminal_is_remembered()) return;
    restore_and_die(number);
}

// A trap of the language's own checks, which is always a fault of this program: 70, as sysexits has it.
static void report_and_leave(int number) {
    static const char text[] =
        "\nnexa: internal error. Nothing the server acknowledged is lost.\n"
        "Please report it with the command before it and the output of: nexa --version\n";
    (void)number;
    nexa_terminal_restore();
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(70);
}

static void handle(int number, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    // Without SA_RESTART, so that a read of the terminal comes back.
    sigaction(number, &action, NULL);
}

int nexa_event_open(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int nexa_signals_install(void) {
    if (wake >= 0) return wake;
    wake = nexa_event_open();
    if (wake < 0) return -1;
    for (int i = 0; i < noted_count; i++) {
        // nohup and shells that start jobs in the background ask for these to stay ignored.
        struct sigaction present;
        int ignorable = noted_signals[i] == SIGHUP || noted_signals[i] == SIGINT;
        if (ignorable && sigaction(noted_signals[i], NULL, &present) == 0 && present.sa_handler == SIG_IGN) continue;
        handle(noted_signals[i], note);
    }
    handle(SIGTSTP, nexa_stop_handler);
    struct sigaction quitting;
    memset(&quitting, 0, sizeof quitting);
    quitting.sa_sigaction = quit;
    quitting.sa_flags = SA_SIGINFO;
    sigemptyset(&quitting.sa_mask);
    sigaction(SIGQUIT, &quitting, NULL);
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT};
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) handle(fatal[i], restore_and_die);
    static const int traps[] = {SIGILL, SIGTRAP, SIGFPE};
    for (size_t i = 0; i < sizeof traps / sizeof traps[0]; i++) handle(traps[i], report_and_leave);
    handle(SIGPIPE, SIG_DFL);
    return wake;
}

int nexa_signals_take(void) {
    uint64_t ignored;
    if (wake >= 0) (void)!read(wake, &ignored, sizeof ignored);
    int taken = 0;
    for (int i = 0; i < noted_count; i++) {
        if (!noted[i]) continue;
        if (taken) {  // another one waits: the descriptor has to stay readable
            uint64_t one = 1;
            (void)!write(wake, &one, sizeof one);
            break;
        }
        noted[i] = 0;
        taken = noted_signals[i];
    }
    return taken;
}

void nexa_signals_forget_interrupt(void) {
    for (int i = 0; i < noted_count; i++)
        if (noted_signals[i] == SIGINT) noted[i] = 0;
}

void nexa_signals_ignore_pipe(int ignored) { handle(SIGPIPE, ignored ? SIG_IGN : SIG_DFL); }

void nexa_signals_die(int number) {
    struct sigaction plain;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    sigaction(number, &plain, NULL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, number);
    kill(getpid(), number);
    pthread_sigmask(SIG_UNBLOCK, &only, NULL);
    _exit(128 + number);  // only reached when the signal is ignored or a tracer swallowed it
}
