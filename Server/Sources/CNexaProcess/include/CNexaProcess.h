// What `nexadb start` and `nexadb stop` need of Linux and Swift cannot call: processes are named by descriptors, so
// that a signal never reaches another one that got the same number.
#ifndef CNEXAPROCESS_H
#define CNEXAPROCESS_H

#include <sys/types.h>

// Starts a program in a session of its own, in /, without standard input, with its output and errors going to `log`
// and `report` as descriptor 3. Returns its number, or -1 and errno.
pid_t nexadb_spawn_detached(
    const char *_Nonnull path, char *_Nullable const *_Nonnull arguments, char *_Nullable const *_Nonnull environment,
    int log, int report);

// A descriptor of a process, readable when that has ended; -1 and errno.
int nexadb_process_open(pid_t process);

// Sends a signal to the process of a descriptor; -1 and errno.
int nexadb_process_signal(int descriptor, int number);

// Collects a child that has ended: 1 and its code (128 + the signal that ended it), 0 while it runs, -1 and errno.
int nexadb_process_collect(pid_t process, int *_Nonnull code);

#endif
