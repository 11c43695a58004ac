// What a test needs to drive a program on a pseudo terminal and Swift cannot call: fork.
#ifndef CPTYKIT_H
#define CPTYKIT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Starts a program as the leader of a new session on a new terminal of that size. Returns the terminal's other end
// (close-on-exec), or -1.
int ptykit_spawn(
    const char *_Nonnull path, char *_Nullable const *_Nonnull arguments, char *_Nullable const *_Nonnull environment,
    int columns, int rows, pid_t *_Nonnull process);
// Starts a program with pipes: descriptors for its standard input, output and errors (-1: /dev/null), in a session of
// its own when `detached`, which then has no terminal.
pid_t ptykit_spawn_piped(
    const char *_Nonnull path, char *_Nullable const *_Nonnull arguments, char *_Nullable const *_Nonnull environment,
    int input, int output, int errors, int detached);
void ptykit_resize(int terminal, int columns, int rows);
// Waits for the end of a process: its exit code, or 128 + the signal that killed it.
int ptykit_wait(pid_t process);
// The same without waiting; -1 while it runs.
int ptykit_poll(pid_t process);
// The local modes of a terminal (c_lflag), and its input modes; the same on both ends.
uint32_t ptykit_local_modes(int terminal);
uint32_t ptykit_input_modes(int terminal);
// The process group in the foreground of a terminal.
pid_t ptykit_foreground(int terminal);
// Whether bytes hold a word.
int ptykit_holds(const void *_Nullable bytes, size_t count, const void *_Nonnull word, size_t length);
// The folder of the running test bundle, where the products are.
int ptykit_bundle_path(char *_Nonnull path, size_t capacity);

#endif
