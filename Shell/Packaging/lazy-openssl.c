// The functions of OpenSSL that the shell calls, as jumps to those of the library, which is loaded at the first of them:
// what a procedure linkage table does, one library at a time. They are hidden, so that the library calls its own.
// archives.sh lists the functions in functions.h, and says in LIBRARY what is loaded; libcrypto comes with it.
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

// Puts the terminal back: the shell may be at its prompt (CLineEditor).
extern void nexa_terminal_restore(void);

// Any number of threads may be here at once: they find the same.
__attribute__((used, visibility("hidden"))) void *nexa_openssl_find(const char *name, void **place) {
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    void *function = library ? dlsym(library, name) : NULL;
    if (!function) {
        const char *reason = dlerror();
        nexa_terminal_restore();
        fprintf(stderr, "nexa: TLS needs OpenSSL 3: %s\n", reason ? reason : name);
        _exit(1);
    }
    __atomic_store_n(place, function, __ATOMIC_RELEASE);
    return function;
}

// Keeps the arguments of the call (none of OpenSSL's are floating-point numbers) while the function is looked for.
__asm__(
    ".text\n"
    "nexa_openssl_first_call:\n"
    "  pushq %rdi\n  pushq %rsi\n  pushq %rdx\n  pushq %rcx\n  pushq %r8\n  pushq %r9\n  pushq %rax\n"
    "  movq 56(%rsp), %rdi\n"
    "  movq 64(%rsp), %rsi\n"
    "  call nexa_openssl_find\n"
    "  movq %rax, %r11\n"
    "  popq %rax\n  popq %r9\n  popq %r8\n  popq %rcx\n  popq %rdx\n  popq %rsi\n  popq %rdi\n"
    "  addq $16, %rsp\n"
    "  jmp *%r11\n");

#define FUNCTION(name)                                                                                            \
    __asm__(                                                                                                      \
        ".data\n.balign 8\nnexa_place_" #name ": .quad nexa_first_" #name "\n"                                    \
        ".section .rodata\nnexa_name_" #name ": .asciz \"" #name "\"\n"                                           \
        ".text\n.globl " #name "\n.hidden " #name "\n.type " #name ", @function\n"                              \
        #name ":\n  jmp *nexa_place_" #name "(%rip)\n"                                                            \
        "nexa_first_" #name ":\n"                                                                                 \
        "  leaq nexa_place_" #name "(%rip), %r11\n  pushq %r11\n  leaq nexa_name_" #name "(%rip), %r11\n"         \
        "  pushq %r11\n  jmp nexa_openssl_first_call\n");
#include "functions.h"

__asm__(".section .note.GNU-stack, \"\", @progbits\n");
