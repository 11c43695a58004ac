#if canImport(NexaServer)
    import Glibc
    import NexaClient
    import NexaServer
    import NexaTestSupport
    import NexaTransport
    import NexaValue
    import Synchronization
    import TestKit
    import Testing

    extension ClientTests {
        /// A real server behind a link that cuts connections under load.
        @Suite(.timeLimit(.minutes(30))) struct Kills {
            /// `NEXA_KILLS=10000` asks for more.
            static var kills: Int { getenv("NEXA_KILLS").flatMap { Int(String(cString: $0)) } ?? 300 }
            static let workers = 8

            /// What the callers were told, to be compared with what the server has.
            struct Told: Sendable {
                var calls = 0
                var succeeded: Set<String> = []
                var unsent: Set<String> = []
                var unknown: Set<String> = []
                var lies: [String] = []
            }

            final class Tally: Sendable {
                private let told = Mutex(Told())

                func withLock<R: Sendable>(_ body: @Sendable (inout Told) -> R) -> R { told.withLock { body(&$0) } }
            }

            static func withLink(
                seed: UInt64, _ body: (NexaClient, _ direct: NexaClient, FaultyLink) async throws -> Void
            ) async throws {
                let live = try await LiveServer(socket: true)
                let path = live.server.socketPath ?? ""
                // Some are cut while they log in, most after a few calls.
                let link = try FaultyLink(to: .unix(path), seed: seed, bytesUntilCut: 150...6000)
                var configuration = NexaConfiguration(host: "127.0.0.1", port: link.port)
                configuration.credentials = .init(username: "root", password: nil)
                configuration.pool.maximumConnections = 3
                configuration.backoff.initial = .milliseconds(2)
                configuration.backoff.maximum = .milliseconds(10)
                let client = NexaClient(configuration)
                let direct = NexaClient(live.configuration)
                do {
                    try await body(client, direct, link)
                } catch {
                    Issue.record(error, "seed \(seed)")
                }
                await client.shutdown(drainingFor: .zero)
                await direct.shutdown()
                link.stop()
                await live.stop()
            }

            /// Each insert ends once. One that succeeded is there once, one that was not sent is not there, and one
            /// of which nothing is known is there once or not at all; nothing is ever there twice.
            @Test(arguments: [1, 2] as [UInt64]) func insertsHappenExactlyOnce(seed: UInt64) async throws {
                try await Self.withLink(seed: seed) { client, direct, link in
                    let things = client.database().collection("things")
                    let told = Tally()
                    await withTaskGroup(of: Void.self) { group in
                        for worker in 0..<Self.workers {
                            group.addTask {
                                var number = 0
                                while link.cutCount < Self.kills / 2 {
                                    number += 1
                                    let name = "\(worker)-\(number)"
                                    let error = await failure { () throws(NexaError) in
                                        try await things.insert(
                                            ["name": .string(name)], options: .init(durability: .os))
                                    }
                                    told.withLock { told in
                                        told.calls += 1
                                        switch error?.delivery {
                                        case nil: told.succeeded.insert(name)
                                        case .notSent: told.unsent.insert(name)
                                        case .maybeExecuted: told.unknown.insert(name)
                                        case .answered: told.lies.append("\(name): \(error.map(String.init) ?? "")")
                                        }
                                    }
                                }
                            }
                        }
                    }
                    var there: [String: Int] = [:]
                    for try await document in direct.database().collection("things").find() {
                        there[document["name"]?.string ?? "?", default: 0] += 1
                    }
                    let said = told.withLock { $0 }
                    #expect(said.lies.isEmpty, "seed \(seed)")
                    let ends = said.succeeded.count + said.unsent.count + said.unknown.count
                    #expect(ends == said.calls)
                    #expect(there.values.allSatisfy { $0 == 1 }, "seed \(seed): a document is there twice")
                    #expect(said.succeeded.allSatisfy { there[$0] == 1 }, "seed \(seed): a document is lost")
                    #expect(said.unsent.allSatisfy { there[$0] == nil }, "seed \(seed): sent, but said not to be")
                    #expect(there.count <= said.succeeded.count + said.unknown.count, "seed \(seed)")
                    #expect(said.succeeded.count > said.unknown.count, "repeating hardly ever helped")
                    print(
                        "\(link.cutCount) kills, \(said.calls) inserts: \(said.succeeded.count) done,",
                        "\(said.unsent.count) not sent, \(said.unknown.count) unknown")
                }
            }

            /// Each document is deleted once, so a reply of "there is none" means that a delete was sent twice. What
            /// the callers were told is compared with what is left.
            @Test(arguments: [3, 4] as [UInt64]) func whatIsSaidOfDeletesIsTrue(seed: UInt64) async throws {
                try await Self.withLink(seed: seed) { client, direct, link in
                    let straight = direct.database().collection("things")
                    let things = client.database().collection("things")
                    let told = Tally()
                    await withTaskGroup(of: Void.self) { group in
                        for worker in 0..<Self.workers {
                            group.addTask {
                                var round = 0
                                while link.cutCount < Self.kills / 2 {
                                    round += 1
                                    let ids = (0..<100).map { DocumentID("\(worker)-\(round)-\($0)") }
                                    _ = try? await straight.insert(
                                        contentsOf: ids.map { ["_id": .string($0.rawValue)] },
                                        options: .init(durability: .os))
                                    for id in ids { await Self.delete(id, from: things, told) }
                                }
                            }
                        }
                    }
                    var left: Set<String> = []
                    for try await document in straight.find() { left.insert(document["_id"]?.string ?? "?") }
                    let said = told.withLock { $0 }
                    #expect(said.lies.isEmpty, "seed \(seed)")
                    #expect(said.succeeded.isDisjoint(with: left), "seed \(seed): not deleted, but said to be")
                    #expect(said.unsent.isSubset(of: left), "seed \(seed): deleted, but said not to be sent")
                    #expect(left.subtracting(said.unsent).isSubset(of: said.unknown), "seed \(seed)")
                    print(
                        "\(link.cutCount) kills, \(said.calls) deletes: \(said.succeeded.count) done,",
                        "\(said.unsent.count) not sent, \(said.unknown.count) unknown")
                }
            }

            private static func delete(
                _ id: DocumentID, from things: NexaCollection<Document>, _ told: Tally
            ) async {
                let outcome: Result<Bool, NexaError>
                do throws(NexaError) {
                    outcome = .success(try await things.delete(id, options: .init(durability: .os)))
                } catch {
                    outcome = .failure(error)
                }
                told.withLock { told in
                    told.calls += 1
                    switch outcome {
                    case .success(true): told.succeeded.insert(id.rawValue)
                    case .success(false): told.lies.append("\(id.rawValue) was deleted twice")
                    case .failure(let error):
                        switch error.delivery {
                        case .notSent: told.unsent.insert(id.rawValue)
                        case .maybeExecuted: told.unknown.insert(id.rawValue)
                        case .answered: told.lies.append("\(id.rawValue): \(error)")
                        }
                    }
                }
            }

            /// Calls end in time, whatever the link does, and the client works as soon as the link does.
            @Test func theClientRecoversWhenTheLinkHeals() async throws {
                try await Self.withLink(seed: 5) { client, _, link in
                    await withTaskGroup(of: Void.self) { group in
                        for _ in 0..<Self.workers {
                            group.addTask {
                                while link.cutCount < 40 { _ = try? await client.ping(.init(timeout: .seconds(5))) }
                            }
                        }
                    }
                    link.heal()
                    // A connection from before may still end; the calls are repeated, so none fails.
                    while (try? await client.ping()) == nil {}
                    for _ in 0..<100 { try await client.ping() }
                }
            }
        }
    }
#endif
