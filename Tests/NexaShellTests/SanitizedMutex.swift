#if NEXA_TSAN
    import NexaTransport

    typealias Mutex = SanitizedMutex
#endif
