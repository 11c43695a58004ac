import NexaClient
import NexaTestSupport
import NexaTransport
import Synchronization
import TestKit
import Testing

/// Keeps what it is told.
final class Recorder: NexaObserver {
    private let all = Mutex<[NexaEvent]>([])

    func observe(_ event: NexaEvent) { all.withLock { $0.append(event) } }

    var events: [NexaEvent] { all.withLock { $0 } }

    func first<T>(_ match: (NexaEvent) -> T?) -> T? { events.lazy.compactMap(match).first }

    /// The first event that matches, as soon as there is one.
    func wait<T>(_ match: (NexaEvent) -> T?) async -> T {
        while true {
            if let found = first(match) { return found }
            await Task.yield()
        }
    }
}

/// As `withScript`, with an observer and a log.
func withObservedScript(
    _ script: @escaping @Sendable (ScriptedPeer) async throws -> Void,
    _ change: (inout NexaConfiguration) -> Void = { _ in }, log: NexaLog? = nil,
    _ body: (NexaClient, Recorder) async throws -> Void
) async throws {
    let server = try ScriptedServer(script)
    let recorder = Recorder()
    let client = NexaClient(configuration(server, change), log: log, observer: recorder)
    do {
        try await body(client, recorder)
    } catch {
        await client.shutdown(drainingFor: .zero)
        server.stop()
        throw error
    }
    await client.shutdown(drainingFor: .zero)
    server.stop()
}

extension ClientTests {
    /// One test for each event, named after it.
    @Suite struct Observation {
        static func pong(_ peer: ScriptedPeer) async throws {
            try await peer.login()
            while true {
                try await peer.receive()
                peer.reply([:], as: .pong)
            }
        }

        @Test func connectStarted() async throws {
            try await withObservedScript(Self.pong) { client, recorder in
                try await client.ping()
                let connection = recorder.first { if case .connectStarted(let id) = $0 { id } else { nil } }
                #expect(connection == 1)
            }
        }

        @Test func connectSucceeded() async throws {
            try await withObservedScript(Self.pong) { client, recorder in
                try await client.ping()
                let found = recorder.first { event -> (Int, Duration)? in
                    if case .connectSucceeded(let id, let elapsed) = event { (id, elapsed) } else { nil }
                }
                #expect(found?.0 == 1)
                #expect(found.map { $0.1 > .zero } == true)
            }
        }

        @Test func connectFailed() async throws {
            try await withObservedScript({ peer in
                try await peer.receive(.connect)
                peer.reply(["error": "Invalid username or password"], as: .error)
            }) { client, recorder in
                await #expect(throws: NexaError.self) { try await client.ping() }
                let found = recorder.first { event -> (NexaError, Int, Duration?)? in
                    if case .connectFailed(1, let error, let attempt, let delay) = event {
                        (error, attempt, delay)
                    } else {
                        nil
                    }
                }
                #expect(found?.0.code == .authenticationFailed)
                #expect(found?.1 == 1)
                #expect(found?.2 != nil)
            }
        }

        @Test func connectionClosed() async throws {
            try await withObservedScript({ peer in
                try await peer.login()
                try await peer.receive()
                peer.reply([:], as: .pong)
                peer.cut()
            }) { client, recorder in
                try await client.ping()
                let reason = await recorder.wait { event -> NexaError?? in
                    if case .connectionClosed(1, let reason) = event { .some(reason) } else { nil }
                }
                #expect(reason?.code == .connectionLost)
            }
            let recorder = Recorder()
            let server = try ScriptedServer(Self.pong)
            let client = NexaClient(configuration(server), observer: recorder)
            try await client.ping()
            await client.shutdown()
            let reason = recorder.first { event -> NexaError?? in
                if case .connectionClosed(1, let reason) = event { .some(reason) } else { nil }
            }
            #expect(reason.map { $0 == nil } == true, "the client closed it by itself")
            server.stop()
        }

        @Test func poolChanged() async throws {
            try await withObservedScript(Self.pong) { client, recorder in
                try await client.ping()
                try await client.withConnection { _ in }
                let snapshots = recorder.events.compactMap { event -> PoolSnapshot? in
                    if case .poolChanged(let snapshot) = event { snapshot } else { nil }
                }
                #expect(snapshots.contains { $0.connecting == 1 && $0.waiters == 1 })
                #expect(snapshots.contains { $0.leased == 1 })
                #expect(snapshots.last?.leased == 0)
            }
        }

        @Test func operationFinished() async throws {
            try await withObservedScript({ peer in
                try await peer.login()
                try await peer.receive()
                peer.reply([:], as: .pong)
                try await peer.receive()
                peer.reply(["error": "no", "code": "bad-request"], as: .error)
                await peer.stall()
            }) { client, recorder in
                try await client.ping()
                await #expect(throws: NexaError.self) { try await client.ping() }
                let found = recorder.events.compactMap { event -> (String, Int, Int, NexaError?)? in
                    if case .operationFinished(let name, _, let out, let bytesIn, let error) = event {
                        ("\(name)", out, bytesIn, error)
                    } else {
                        nil
                    }
                }
                #expect(found.map(\.0) == ["ping", "ping"])
                #expect(found.first?.1 == 13)
                #expect(found.first?.2 == 13)
                #expect(found.first?.3 == nil)
                #expect(found.last?.3?.code == .invalidRequest)
            }
        }

        @Test func operationRetried() async throws {
            let connections = Counter()
            try await withObservedScript({ peer in
                try await peer.login()
                try await peer.receive()
                if connections.next() == 1 { return peer.cut() }
                peer.reply([:], as: .pong)
                await peer.stall()
            }) { client, recorder in
                try await client.ping()
                let found = recorder.first { event -> (String, Int, NexaError)? in
                    if case .operationRetried(let name, let attempt, let error) = event {
                        ("\(name)", attempt, error)
                    } else {
                        nil
                    }
                }
                #expect(found?.0 == "ping")
                #expect(found?.1 == 2)
                #expect(found?.2.code == .connectionLost)
            }
        }

        // MARK: Snapshot and log

        @Test func poolSnapshot() async throws {
            let arrived = Promise<Bool>()
            let release = Promise<Bool>()
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive()
                arrived.fulfil(true)
                _ = await release.value
                peer.reply([:], as: .pong)
                await peer.stall()
            }) { client, _ in
                #expect(client.poolSnapshot == PoolSnapshot())
                let call = Task { try await client.ping() }
                _ = await arrived.value
                #expect(client.poolSnapshot.active == 1)
                release.fulfil(true)
                _ = try await call.value
                #expect(client.poolSnapshot.idle == 1)
                #expect(client.poolSnapshot.totalConnects == 1)
                try await client.withConnection { _ in
                    #expect(client.poolSnapshot.leased == 1)
                }
            }
        }

        @Test func theLogGetsWhatItsLevelAsksForAndNoData() async throws {
            let lines = Mutex<[String]>([])
            let log = NexaLog(minimumLevel: .debug, metadata: ["app": "test"]) { level, message, metadata in
                lines.withLock { $0.append("\(level) \(message) \(metadata.sorted { $0.key < $1.key })") }
            }
            try await withObservedScript(
                { peer in
                    try await peer.login()
                    try await peer.receive()
                    peer.reply(["document_id": "x"])
                    try await peer.receive()
                    peer.cut()
                }, log: log
            ) { client, _ in
                let things = client.database().collection("things")
                try await things.insert(["word": "confidential"])
                let quiet = NexaLog(minimumLevel: .error) { _, _, _ in Issue.record("below the call's level") }
                await #expect(throws: NexaError.self) {
                    try await things.update("x", set: ["word": "confidential"], options: .init(log: quiet))
                }
                while !lines.withLock({ $0.contains { $0.hasPrefix("info connection lost") } }) { await Task.yield() }
                let all = lines.withLock { $0 }
                #expect(all.contains { $0.hasPrefix("debug connected") && $0.contains("app") })
                #expect(all.contains { $0.hasPrefix("debug call finished") && $0.contains("insert") })
                #expect(!all.contains { $0.hasPrefix("trace") })
                #expect(!all.contains { $0.contains("confidential") || $0.contains("secret") })
            }
        }

        @Test func belowTheLevelNothingIsComputed() {
            let log = NexaLog(minimumLevel: .warning) { _, _, _ in Issue.record("logged below the level") }
            func expensive() -> [String: String] {
                Issue.record("computed below the level")
                return [:]
            }
            log(.info, "message", expensive())
        }
    }
}
