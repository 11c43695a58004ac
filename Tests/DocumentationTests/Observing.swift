import NexaClient
import Synchronization
import Testing

@Suite struct Observing {
    // snippet: observer
    final class CallCounter: NexaObserver {
        let calls = Atomic(0)
        let failures = Atomic(0)

        func observe(_ event: NexaEvent) {
            guard case .operationFinished(_, _, _, _, let error) = event else { return }
            calls.add(1, ordering: .relaxed)
            if error != nil { failures.add(1, ordering: .relaxed) }
        }
    }
    // end

    @Test func telling() async throws {
        try await withServer { other, _ in
            let configuration = other.configuration
            // snippet: log
            let log = NexaLog(minimumLevel: .info, metadata: ["service": "shop"]) { level, message, metadata in
                print("\(level): \(message) \(metadata)")
            }
            // end

            // snippet: client
            let counter = CallCounter()
            let client = NexaClient(configuration, log: log, observer: counter)
            // end

            // snippet: call
            var requestLog = log
            requestLog.minimumLevel = .debug
            requestLog.metadata["request"] = "4711"
            try await client.ping(CallOptions(log: requestLog))
            // end

            // snippet: snapshot
            let pool = client.poolSnapshot
            print("\(pool.idle) idle, \(pool.active) active, \(pool.waiters) waiting, \(pool.totalConnects) logins")
            // end
            #expect(pool.totalConnects == 1)
            await client.shutdown()
            #expect(counter.calls.load(ordering: .relaxed) == 1 && counter.failures.load(ordering: .relaxed) == 0)
        }
    }
}
