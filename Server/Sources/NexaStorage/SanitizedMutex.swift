#if NEXA_TSAN
    import Glibc

    // @unchecked: `value` is reached between lock and unlock only.
    /// Stands in for `Synchronization.Mutex` under the thread sanitizer (`make sanitize`).
    ///
    /// The standard mutex locks inside a library that is not instrumented, so the sanitizer reports everything
    /// it protects as a race. A POSIX mutex is understood. The engine uses it, too:
    /// `NexaTransport` has the same for the modules above it, and this one stands on its own.
    public struct SanitizedMutex<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
        private let lock: UnsafeMutablePointer<pthread_mutex_t>
        private let value: UnsafeMutablePointer<Value>

        /// Protects a value.
        public init(_ initial: consuming sending Value) {
            lock = .allocate(capacity: 1)
            pthread_mutex_init(lock, nil)
            value = .allocate(capacity: 1)
            value.initialize(to: initial)
        }

        deinit {
            pthread_mutex_destroy(lock)
            lock.deallocate()
            value.deinitialize(count: 1)
            value.deallocate()
        }

        /// Runs a closure with the value while nobody else can.
        public borrowing func withLock<Result: ~Copyable, E: Error>(
            _ body: (inout sending Value) throws(E) -> sending Result
        ) throws(E) -> sending Result {
            pthread_mutex_lock(lock)
            defer { pthread_mutex_unlock(lock) }
            return try body(&value.pointee)
        }
    }

    typealias Mutex = SanitizedMutex
#endif
