// Under the address sanitizer: what is not freed at the end of the program, and why that is right.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return
        // el_end drops what was typed ahead, so libedit lives as long as the terminal is used: until the exit.
        "leak:libedit\n"
        // XCTest keeps its list of suites, also in a bundle that has none.
        "leak:libXCTest\n"
        // See CNexaSystem.
        "leak:__cxa_thread_atexit_impl\n";
}
#endif
#endif
