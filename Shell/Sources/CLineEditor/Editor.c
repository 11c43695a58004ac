#define _GNU_SOURCE
#include "CLineEditor.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

EditLine *nexa_el_open(const char *program, int output) {
    FILE *drawn = stdout;
    if (output != STDOUT_FILENO) {
        drawn = fdopen(output, "w");
        if (!drawn) return NULL;
    }
    return el_init(program, stdin, drawn, stderr);
}

int nexa_el_set_number(EditLine *editor, int option, int value) { return el_set(editor, option, value); }

int nexa_el_set_text(EditLine *editor, int option, const char *value) { return el_set(editor, option, value); }

int nexa_el_set_prompt(EditLine *editor, nexa_prompt_function prompt, char marker) {
    return el_set(editor, EL_PROMPT_ESC, prompt, marker);
}

int nexa_el_set_reader(EditLine *editor, nexa_read_function reader) { return el_set(editor, EL_GETCFN, reader); }

int nexa_el_set_history(EditLine *editor, History *entries) { return el_set(editor, EL_HIST, history, entries); }

int nexa_el_set_context(EditLine *editor, void *context) { return el_set(editor, EL_CLIENTDATA, context); }

void *nexa_el_context(EditLine *editor) {
    void *context = NULL;
    el_get(editor, EL_CLIENTDATA, &context);
    return context;
}

int nexa_el_add_function(EditLine *editor, const char *name, const char *help, nexa_key_function function) {
    return el_set(editor, EL_ADDFN, name, help, function);
}

int nexa_el_bind(EditLine *editor, const char *map, const char *key, const char *function) {
    return map ? el_set(editor, EL_BIND, map, key, function, (char *)NULL)
               : el_set(editor, EL_BIND, key, function, (char *)NULL);
}

int nexa_el_set_modes(EditLine *editor, const char *map, const char *first, const char *second) {
    return el_set(editor, EL_SETTY, map, first, second, (char *)NULL);
}

int nexa_el_refresh(EditLine *editor) { return el_set(editor, EL_REFRESH); }

int nexa_el_is_vi(EditLine *editor) {
    const char *name = NULL;
    return el_get(editor, EL_EDITOR, &name) == 0 && name && strcmp(name, "vi") == 0;
}

const char *nexa_el_read_line(EditLine *editor, int *count, int *error) {
    errno = 0;
    const char *line = el_gets(editor, count);
    *error = errno;
    return line;
}

int nexa_history_limit(History *entries, int count) {
    HistEvent event;
    return history(entries, &event, H_SETSIZE, count);
}

int nexa_history_enter(History *entries, const char *line) {
    HistEvent event;
    return history(entries, &event, H_ENTER, line);
}

int nexa_history_clear(History *entries) {
    HistEvent event;
    return history(entries, &event, H_CLEAR);
}

int nexa_use_utf8(void) {
    if (setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0) return 1;
    return setlocale(LC_CTYPE, "C.UTF-8") != NULL;
}

int nexa_character_width(wchar_t character) { return wcwidth(character); }
