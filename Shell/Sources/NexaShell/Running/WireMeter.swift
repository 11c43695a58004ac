import NexaClient
import Synchronization

/// Counts what crosses the wire, for `--verbose`.
final class WireMeter: NexaObserver {
    /// What one command took.
    struct Reading: Sendable, Equatable {
        var requests = 0
        var bytesOut = 0
        var bytesIn = 0

        /// One line, such as `1 request, 42 bytes out, 128 bytes in, 0.41 ms`.
        func text(seconds: Double) -> String {
            let milliseconds = (seconds * 100_000).rounded() / 100
            return "\(requests) request\(requests == 1 ? "" : "s"), \(bytesOut) bytes out, \(bytesIn) bytes in, "
                + "\(milliseconds) ms"
        }
    }

    private let reading = Mutex(Reading())

    init() {}

    func observe(_ event: NexaEvent) {
        guard case .operationFinished(_, _, let bytesOut, let bytesIn, _) = event else { return }
        reading.withLock {
            $0.requests += 1
            $0.bytesOut += bytesOut
            $0.bytesIn += bytesIn
        }
    }

    /// What was counted since the last time.
    func take() -> Reading {
        reading.withLock { reading in
            defer { reading = Reading() }
            return reading
        }
    }
}
