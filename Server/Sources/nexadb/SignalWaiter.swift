import Glibc

/// Waits for signals on a thread of its own, where any code may run when one arrives.
final class SignalWaiter: Sendable {
    private let signals: sigset_t
    private let onHangup: @Sendable () -> Void
    private let onTermination: @Sendable () -> Void

    init(
        signals: sigset_t, onHangup: @escaping @Sendable () -> Void, onTermination: @escaping @Sendable () -> Void
    ) {
        self.signals = signals
        self.onHangup = onHangup
        self.onTermination = onTermination
    }

    /// Starts the thread, which lives as long as the process.
    func start() {
        var thread = pthread_t()
        let me = Unmanaged.passRetained(self)
        let result = pthread_create(
            &thread, nil,
            { raw in
                guard let raw else { return nil }
                Unmanaged<SignalWaiter>.fromOpaque(raw).takeRetainedValue().run()
                return nil
            }, me.toOpaque())
        if result == 0 { pthread_detach(thread) } else { me.release() }
    }

    private func run() {
        var terminations = 0
        while true {
            var signals = signals
            var number: Int32 = 0
            guard sigwait(&signals, &number) == 0 else { continue }
            if number == SIGHUP {
                onHangup()
                continue
            }
            terminations += 1
            if terminations == 1 { onTermination() } else { _exit(130) }
        }
    }
}
