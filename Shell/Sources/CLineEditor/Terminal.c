#define _GNU_SOURCE
#include "CLineEditor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

// Written before the handlers that read them are installed, or with one word at a time.
static struct termios found;
static volatile sig_atomic_t found_on = -1;
static volatile sig_atomic_t paste_on = -1;

int nexa_terminal_remember(int descriptor) {
    if (found_on >= 0) return 0;
    if (tcgetattr(descriptor, &found) != 0) return -1;
    found_on = descriptor;
    return 0;
}

int nexa_terminal_is_remembered(void) { return found_on >= 0; }

void nexa_terminal_restore(void) {
    int saved = errno;
    if (paste_on >= 0) (void)!write(paste_on, "\033[?2004l", 8);
    paste_on = -1;
    if (found_on >= 0) tcsetattr(found_on, TCSADRAIN, &found);
    errno = saved;
}

void nexa_terminal_set_bracketed_paste(int descriptor, int on) {
    if (on) paste_on = descriptor;
    (void)!write(descriptor, on ? "\033[?2004h" : "\033[?2004l", 8);
    if (!on) paste_on = -1;
}

int nexa_terminal_columns(int descriptor) {
    struct winsize size;
    return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

int nexa_terminal_rows(int descriptor) {
    struct winsize size;
    return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

int nexa_terminal_begin_secret(int descriptor) {
    struct termios modes;
    // The remembered modes are those to come back to; another terminal than standard input has its own.
    if (found_on >= 0 && found_on != descriptor) nexa_terminal_restore();
    if (tcgetattr(descriptor, &modes) != 0) return -1;
    if (found_on != descriptor) {
        found = modes;
        found_on = descriptor;
    }
    modes.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    modes.c_lflag |= ICANON | ISIG;
    modes.c_iflag |= ICRNL;
    return tcsetattr(descriptor, TCSAFLUSH, &modes);
}

void nexa_terminal_end_secret(int descriptor) {
    if (found_on != descriptor) return;
    tcsetattr(descriptor, TCSAFLUSH, &found);
    found_on = -1;
}

// Stopping keeps the modes of the moment and hands the terminal to the parent as it was found.
static void stop_here(int number) {
    int saved = errno;
    struct termios running;
    int terminal = found_on, pasted = paste_on;
    int has_modes = terminal >= 0 && tcgetattr(terminal, &running) == 0;
    nexa_terminal_restore();

    struct sigaction plain, previous;
    memset(&plain, 0, sizeof plain);
    plain.sa_handler = SIG_DFL;
    sigaction(SIGTSTP, &plain, &previous);
    sigset_t only, before;
    sigemptyset(&only);
    sigaddset(&only, SIGTSTP);
    kill(getpid(), SIGTSTP);
    pthread_sigmask(SIG_UNBLOCK, &only, &before);  // the process stops here
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sigaction(SIGTSTP, &previous, NULL);

    if (has_modes) tcsetattr(terminal, TCSADRAIN, &running);
    if (pasted >= 0) nexa_terminal_set_bracketed_paste(pasted, 1);
    errno = saved;
    (void)number;
}

void nexa_terminal_suspend(void) { stop_here(SIGTSTP); }

void nexa_stop_handler(int number) { stop_here(number); }
