import CLineEditor
import Glibc
import Synchronization

/// Runs asynchronous work for the main thread, which waits for it and for signals.
///
/// The main thread stays an ordinary blocking one, because libedit wants a single thread and a person at the prompt is a
/// blocking affair anyway.
struct TaskRunner {
    /// What came of it.
    enum Outcome<Result: Sendable> {
        case finished(Result)
        /// A signal asks the process to end; the work was cancelled.
        case signal(CInt)
    }

    /// Readable when a signal was noted.
    let signals: CInt
    /// How long cancelled work may take to end when the process was asked to end.
    private static let grace = 1.0

    private final class Box<Result: Sendable>: Sendable {
        let value = Mutex<Result?>(nil)
        let done = EventFlag()

        func set(_ result: Result) {
            value.withLock { $0 = result }
            done.raise()
        }
    }

    /// Runs `body` to its end. Ctrl-C goes to `interruption`, and cancels the work unless that handles it.
    func run<Result: Sendable>(
        _ interruption: Interruption, _ body: @escaping @Sendable () async -> Result
    ) -> Outcome<Result> {
        let box = Box<Result>()
        let task = Task { box.set(await body()) }
        var ending: CInt?
        var deadline = 0.0
        while true {
            var ready = [
                pollfd(fd: box.done.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0)
            ]
            let left = ending == nil ? -1 : CInt(max(0, (deadline - Clock.now) * 1000))
            _ = poll(&ready, nfds_t(signals >= 0 ? 2 : 1), left)
            if let result = box.value.withLock({ $0 }) {
                return ending.map { .signal($0) } ?? .finished(result)
            }
            if let ending, Clock.now >= deadline { return .signal(ending) }
            guard signals >= 0 else { continue }
            let signal = nexa_signals_take()
            switch signal {
            case 0, SIGWINCH: break
            case SIGINT: if !interruption.raise() { task.cancel() }
            default:
                if ending == nil {
                    ending = signal
                    deadline = Clock.now + Self.grace
                }
                if !interruption.raise(isInterrupt: false) { task.cancel() }
            }
        }
    }
}

/// Time that only goes forward.
enum Clock {
    /// Seconds since some moment in the past.
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
