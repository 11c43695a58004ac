import NexaTestSupport
import TestKit
import Testing

@testable import NexaClient

/// Fails a test whose clients leave a thread, a connection, a descriptor, a call or a lease behind: by the client's own
/// books, which tests beside this one do not disturb, and with `NEXA_PROCESS_LEDGER=1` by those of the kernel.
struct LedgerTrait: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        // Once for each case of a test, not for the suites around it.
        guard testCase != nil else { return try await function() }
        let ledger = Ledger()
        let process = ProcessLedger.isWanted ? await ProcessLedger() : nil
        try await Ledger.$current.withValue(ledger) { try await function() }
        let remains = await ledger.settled()
        if !remains.isEmpty { Issue.record("left behind: \(remains.joined(separator: ", "))") }
        guard let leftovers = await process?.leftovers(), !leftovers.isEmpty else { return }
        Issue.record("left behind in the process: \(leftovers.joined(separator: ", "))")
    }
}

extension Trait where Self == LedgerTrait {
    /// Nothing may be left when a test ends.
    static var leavesNothing: Self { Self() }
}

extension Ledger {
    /// What is left once nothing changes any more: what is being let go takes another moment.
    func settled(within patience: Duration = .seconds(5)) async -> [String] {
        let end = ContinuousClock.now + patience
        while !remains.isEmpty, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(1)) }
        return remains
    }
}

extension ClientTests {
    @Suite struct Ledgers {
        @Test func whatAClientHoldsIsCounted() async throws {
            let ledger = Ledger()
            try await Ledger.$current.withValue(ledger) {
                try await withScript({ peer in
                    try await peer.login()
                    await peer.stall()
                }) { client, _ in
                    #expect(ledger.remains.isEmpty, "it has done nothing yet")
                    let lease = try await client.core.lease(operation: "test", options: .standard)
                    #expect(ledger.remains == ["drivers: 1", "connections: 1", "sockets: 1", "leases: 1"])
                    lease.release()
                    let call = Task { try? await client.ping() }
                    while !ledger.remains.contains("calls: 1") { await Task.yield() }
                    call.cancel()
                    _ = await call.value
                }
            }
            #expect(await ledger.settled().isEmpty)
        }

        @Test func whatTheKernelHoldsIsSeen() async throws {
            let nothing = await ProcessLedger()
            let server = try ScriptedServer { peer in await peer.stall() }
            // The thread takes its name a moment after it began.
            while OwnProcess.threadCount(named: "scripted-server") == 0 { await Task.yield() }
            let leftovers = await nothing.leftovers(within: .zero)
            #expect(leftovers.contains { $0.hasSuffix("thread scripted-server") })
            #expect(leftovers.contains { $0.hasSuffix("descriptor of socket:") })
            #expect(leftovers.contains { $0.hasSuffix("descriptor of anon_inode:[eventpoll]") })
            server.stop()
            guard ProcessLedger.isWanted else { return }
            #expect(await nothing.leftovers() == [])
        }
    }
}
