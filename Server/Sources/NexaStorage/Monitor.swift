import Glibc

/// A mutex with a condition, around a value.
///
/// `Synchronization.Mutex` cannot be waited on, and the thread sanitizer does not see its contended path, so that
/// it reports races where there are none; it does understand POSIX mutexes.
///
/// `@unchecked Sendable`: `state` is only touched between lock and unlock of the same mutex.
package final class Monitor<State>: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var state: State

    package init(_ state: State) {
        self.state = state
        mutex = .allocate(capacity: 1)
        condition = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// Runs `body` with the state, alone.
    package func withLock<Result, Failure: Error>(_ body: (inout State) throws(Failure) -> Result) throws(Failure)
        -> Result
    {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Waits until `ready` holds or the time is over, then runs `body`, alone throughout.
    ///
    /// - Parameter deadline: how long to wait, in milliseconds, asked anew before every wait; `nil` is for ever.
    package func wait<Result>(
        until ready: (borrowing State) -> Bool, deadline: (borrowing State) -> Int?, then body: (inout State) -> Result
    ) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while !ready(state) {
            guard let milliseconds = deadline(state) else {
                pthread_cond_wait(condition, mutex)
                continue
            }
            var time = timespec()
            clock_gettime(CLOCK_MONOTONIC, &time)
            let nanoseconds = time.tv_nsec + (milliseconds % 1000) * 1_000_000
            time.tv_sec += milliseconds / 1000 + nanoseconds / 1_000_000_000
            time.tv_nsec = nanoseconds % 1_000_000_000
            if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { break }
        }
        return body(&state)
    }

    /// Wakes everyone who waits.
    package func wakeAll() { pthread_cond_broadcast(condition) }
}

/// A named operating-system thread that is joined before its owner goes.
///
/// `@unchecked Sendable`: the id is written once, before the object is shared.
package final class WorkerThread: @unchecked Sendable {
    private var identifier = pthread_t()
    private let started: Bool

    /// Starts a thread; `name` has at most 15 bytes.
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(StorageError) {
        let box = Unmanaged.passRetained(Box(name: name, body))
        let result = pthread_create(
            &identifier, nil,
            { argument in
                guard let argument else { return nil }
                let box = Unmanaged<Box>.fromOpaque(argument).takeRetainedValue()
                box.takeName()
                box.body()
                return nil
            }, box.toOpaque())
        started = result == 0
        guard started else {
            box.release()
            throw .system("start the thread", name, number: result)
        }
    }

    private final class Box: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }

        /// Gives the running thread its name for `top` and debuggers; without effect where that fails.
        func takeName() {
            let comm = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
            guard comm >= 0 else { return }
            _ = [UInt8](name.utf8).withUnsafeBytes { Glibc.write(comm, $0.baseAddress, $0.count) }
            close(comm)
        }
    }

    /// Waits for the thread's end; called once. A thread that ends its own owner is let go instead.
    package func join() {
        if pthread_equal(identifier, pthread_self()) != 0 {
            pthread_detach(identifier)
        } else {
            pthread_join(identifier, nil)
        }
    }
}
