import Glibc
import NexaTransport
import Synchronization

/// A few threads for work that would hold up a reactor: password hashing and long queries.
///
/// Jobs start in the order in which they were added. The queue is bounded: `submit` says so when it is full.
final class WorkerPool: Sendable {
    private struct State {
        var jobs: [@Sendable () -> Void] = []
        var head = 0
        var isClosed = false

        mutating func pop() -> (@Sendable () -> Void)? {
            guard head < jobs.count else { return nil }
            let job = jobs[head]
            head += 1
            if head == jobs.count {
                jobs.removeAll(keepingCapacity: true)
                head = 0
            } else if head >= 1024 {
                jobs.removeFirst(head)
                head = 0
            }
            return job
        }
    }

    private let state = Mutex(State())
    private let available = Semaphore()
    private let threads = Mutex<[SystemThread]>([])
    private let maximumJobs: Int

    /// Starts `count` threads.
    ///
    /// - Throws: `TransportError` when the system gives no more threads.
    init(threads count: Int, maximumJobs: Int) throws(TransportError) {
        self.maximumJobs = maximumJobs
        for number in 0..<count {
            let thread = try SystemThread(name: "nexa-worker-\(number)") { [self] in run() }
            threads.withLock { $0.append(thread) }
        }
    }

    /// Adds a job; `false` when too many wait already, or after `shutdown`.
    func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        let isAccepted = state.withLock { state in
            guard !state.isClosed, state.jobs.count - state.head < maximumJobs else { return false }
            state.jobs.append(job)
            return true
        }
        if isAccepted { available.signal() }
        return isAccepted
    }

    /// Runs what was accepted, then ends the threads and returns.
    func shutdown() {
        state.withLock { $0.isClosed = true }
        let threads = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for _ in threads { available.signal() }
        for thread in threads { thread.join() }
    }

    private func run() {
        while true {
            available.wait()
            guard let job = state.withLock({ $0.pop() }) else { return }
            job()
        }
    }
}

/// A counting semaphore of the system, for threads that may block.
final class Semaphore: @unchecked Sendable {
    // The pointer never changes, and sem_t is made for use from many threads.
    private let handle = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(handle, 0, 0) }

    deinit {
        sem_destroy(handle)
        handle.deallocate()
    }

    func signal() { sem_post(handle) }

    func wait() {
        while sem_wait(handle) != 0, errno == EINTR {}
    }

    /// Waits for a signal or for the time to pass; `false` when it passed.
    func wait(seconds: Int) -> Bool {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += seconds
        while sem_timedwait(handle, &deadline) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }
}
