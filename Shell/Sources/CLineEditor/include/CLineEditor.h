// What the shell needs from libedit, the terminal and signals, in a shape that Swift can call.
//
// Three reasons bring a function here: libedit's setters are variadic (Swift cannot call those), errno must be read
// before other code runs, or the code has to be async-signal-safe.
#ifndef CLINEEDITOR_H
#define CLINEEDITOR_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <wchar.h>
#include <histedit.h>

// libedit -------------------------------------------------------------------------------------------

typedef char *_Nullable (*nexa_prompt_function)(EditLine *_Nullable);
typedef unsigned char (*nexa_key_function)(EditLine *_Nullable, int);
typedef int (*nexa_read_function)(EditLine *_Nullable, wchar_t *_Nullable);

// An editor that reads standard input and draws on `output` (1, or an open terminal).
EditLine *_Nullable nexa_el_open(const char *_Nonnull program, int output);
int nexa_el_set_number(EditLine *_Nonnull editor, int option, int value);
int nexa_el_set_text(EditLine *_Nonnull editor, int option, const char *_Nonnull value);
int nexa_el_set_prompt(EditLine *_Nonnull editor, nexa_prompt_function _Nonnull prompt, char marker);
int nexa_el_set_reader(EditLine *_Nonnull editor, nexa_read_function _Nonnull reader);
int nexa_el_set_history(EditLine *_Nonnull editor, History *_Nonnull history);
int nexa_el_set_context(EditLine *_Nonnull editor, void *_Nonnull context);
void *_Nullable nexa_el_context(EditLine *_Nonnull editor);
int nexa_el_add_function(
    EditLine *_Nonnull editor, const char *_Nonnull name, const char *_Nonnull help, nexa_key_function _Nonnull function);
// Binds a key. `map` is "-a" for the alternative (vi command) map, or null.
int nexa_el_bind(
    EditLine *_Nonnull editor, const char *_Nullable map, const char *_Nonnull key, const char *_Nonnull function);
// Changes terminal modes: `map` "-d" while editing, "-x" while a command runs; the modes in the words of stty.
int nexa_el_set_modes(
    EditLine *_Nonnull editor, const char *_Nonnull map, const char *_Nonnull first, const char *_Nullable second);
int nexa_el_refresh(EditLine *_Nonnull editor);
int nexa_el_is_vi(EditLine *_Nonnull editor);
// Reads a line. `count` is its length in bytes, 0 at end of input, -1 on an error, which is in `error`.
const char *_Nullable nexa_el_read_line(EditLine *_Nonnull editor, int *_Nonnull count, int *_Nonnull error);
int nexa_history_limit(History *_Nonnull history, int count);
int nexa_history_enter(History *_Nonnull history, const char *_Nonnull line);
int nexa_history_clear(History *_Nonnull history);

// locale --------------------------------------------------------------------------------------------

// Makes character types UTF-8: those of the environment, else C.UTF-8, because libedit drops everything beyond ASCII
// under LANG=C. Returns 0 when neither can be had.
int nexa_use_utf8(void);
int nexa_character_width(wchar_t character);

// terminal ------------------------------------------------------------------------------------------

// Remembers the modes of a terminal, for nexa_terminal_restore and for signals that end the process.
int nexa_terminal_remember(int descriptor);
// Whether a terminal is remembered: somebody sits at a prompt, or is asked for a password.
int nexa_terminal_is_remembered(void);
// Puts the remembered modes back; what was typed ahead stays for the parent process. Async-signal-safe.
void nexa_terminal_restore(void);
// Whether leaving must also switch bracketed paste off.
void nexa_terminal_set_bracketed_paste(int descriptor, int on);
int nexa_terminal_columns(int descriptor);
int nexa_terminal_rows(int descriptor);
// Echo off, lines on, typed-ahead input dropped: for a password. The signals below put the modes back.
int nexa_terminal_begin_secret(int descriptor);
void nexa_terminal_end_secret(int descriptor);
// Stops the process as Ctrl-Z does, with the terminal as it was found, and returns when it continues.
void nexa_terminal_suspend(void);

// signals -------------------------------------------------------------------------------------------

// From now on SIGINT, SIGTERM, SIGHUP and SIGWINCH are only noted; signals that end the process or stop it put the
// terminal back first; SIGPIPE ends the process. Returns a descriptor that becomes readable with each note, or -1.
int nexa_signals_install(void);
// Returns the highest-ranking noted signal (SIGHUP, SIGTERM, SIGINT, SIGWINCH) and forgets it; 0 when there is none.
int nexa_signals_take(void);
// Forgets a noted SIGINT.
void nexa_signals_forget_interrupt(void);
// Whether writing to a pipe that nobody reads is an error (1) or ends the process (0).
void nexa_signals_ignore_pipe(int ignored);
// Ends the process by a signal, so that the parent sees why.
void nexa_signals_die(int signal);

// A descriptor for waking a thread that polls: readable once written to. -1 and errno on failure.
int nexa_event_open(void);

// processes -----------------------------------------------------------------------------------------

// Opens /dev/null in place of standard streams that are closed, so that no file or socket takes their numbers.
void nexa_fill_standard_streams(void);
// A file without a name, in that folder where the file system can do that, else in memory. -1 and errno on failure.
int nexa_open_nameless(const char *_Nonnull folder);
// Starts a program in its own process group with standard input from /dev/null, output and errors to `log`, default
// signals and nothing else open. Returns the process, or -1 and errno.
pid_t nexa_spawn(
    const char *_Nonnull path, char *_Nullable const *_Nonnull arguments, char *_Nullable const *_Nonnull environment,
    int log);
// Starts a program for the user: in this process group, with the streams and the environment of this process and default
// signals. Without `reads`, its standard input is /dev/null. Returns the process, or -1 and errno.
pid_t nexa_spawn_attached(const char *_Nonnull path, char *_Nullable const *_Nonnull arguments, int reads);
// Waits for a child to end or for `wake` to become readable. Answers as nexa_wait_child.
int nexa_wait_child_or(pid_t process, int wake, int *_Nonnull code);
// Waits for a child at most that long. Returns 1 and its exit code (128 + signal when killed), 0 when it still runs,
// -1 when it is no child.
int nexa_wait_child(pid_t process, int milliseconds, int *_Nonnull code);
// A pipe that no program inherits. -1 and errno on failure.
int nexa_open_pipe(int *_Nonnull reading, int *_Nonnull writing);
// Has /bin/sh run a command in the process group of the shell, with standard input from `input`, default signals and
// nothing open beyond the standard streams: a pager. Returns the process, or -1 and errno.
pid_t nexa_spawn_reader(const char *_Nonnull command, char *_Nullable const *_Nonnull environment, int input);
// The system's words for an error number, always ended.
void nexa_describe_error(int code, char *_Nonnull text, size_t capacity);
// Overwrites text in place, so that ps and /proc no longer show it.
void nexa_wipe(char *_Nonnull text);
// From now on this process leaves no core, and others of the same user cannot read its memory. What it starts is free of it.
void nexa_forbid_core(void);

#endif
