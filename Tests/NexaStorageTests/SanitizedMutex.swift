#if NEXA_TSAN
    import NexaStorage

    typealias Mutex = SanitizedMutex
#endif
