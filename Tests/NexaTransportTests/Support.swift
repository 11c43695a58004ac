import NexaTransport
import Synchronization
import TestKit
import Testing

/// All tests of this module, one at a time: some use a thousand descriptors.
@Suite(.serialized, .leavesNothing) enum TransportTests {}

/// Fails a test that leaves a descriptor or a thread behind, with `NEXA_PROCESS_LEDGER=1`: no other test may run then.
struct ProcessLedgerTrait: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil, ProcessLedger.isWanted else { return try await function() }
        let ledger = await ProcessLedger()
        try await function()
        let leftovers = await ledger.leftovers()
        if !leftovers.isEmpty { Issue.record("left behind: \(leftovers.joined(separator: ", "))") }
    }
}

extension Trait where Self == ProcessLedgerTrait {
    /// Nothing may be left when a test ends.
    static var leavesNothing: Self { Self() }
}

extension Reactor {
    /// Runs a closure on the reactor's thread and waits for its result.
    func perform<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            let accepted = execute { continuation.resume(with: Result { try body() }) }
            if !accepted { continuation.resume(throwing: CancellationError()) }
        }
    }
}

/// A mutex that closures can share.
final class Locked<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>
    init(_ value: Value) { mutex = Mutex(value) }
    func withLock<R: Sendable>(_ body: (inout Value) -> R) -> R { mutex.withLock { body(&$0) } }
}
