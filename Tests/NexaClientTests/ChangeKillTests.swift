#if canImport(NexaServer)
    import Glibc
    import NexaClient
    @_spi(Testing) import NexaEngine
    import NexaServer
    import NexaTestSupport
    import NexaTransport
    import NexaValue
    import Synchronization
    import TestKit
    import Testing

    extension ClientTests {
        /// Change streams behind a link that cuts connections, of a server that is started again and again: each change
        /// comes once and in order, or its loss is announced.
        @Suite(.timeLimit(.minutes(60))) struct ChangeKills {
            /// `NEXA_CHANGE_KILLS=10000` asks for more, `make kills` does: in parts, since a test has its time.
            static let allKills = getenv("NEXA_CHANGE_KILLS").flatMap { Int(String(cString: $0)) } ?? 250
            static let parts = max(1, allKills / 250)
            static var kills: Int { allKills / parts }

            typealias Iterator = ChangeStream<Document>.AsyncIterator

            static func seed(_ part: Int = 0) -> UInt64 {
                let first = getenv("NEXA_SEED").flatMap { UInt64(String(cString: $0)) }
                return first.map { $0 &+ UInt64(part) } ?? UInt64.random(in: 0 ... .max)
            }

            /// Shared by the writer and those who watch.
            final class Run: Sendable {
                /// The first number that was not written.
                let end = Atomic(Int.max)
                let written = Atomic(0)
                let seen: Mutex<[Int]>
                let resumed = Atomic(0)
                let gaps = Atomic(0)

                init(watchers: Int) { seen = Mutex(Array(repeating: -1, count: watchers)) }
            }

            struct Observer: NexaObserver {
                let run: Run
                func observe(_ event: NexaEvent) {
                    guard case .changeStreamResumed(let hasGap) = event else { return }
                    run.resumed.add(1, ordering: .relaxed)
                    if hasGap { run.gaps.add(1, ordering: .relaxed) }
                }
            }

            static func configuration(_ port: Int) -> NexaConfiguration {
                var configuration = NexaConfiguration(host: "127.0.0.1", port: port)
                configuration.credentials = .init(username: "root", password: nil)
                configuration.backoff.initial = .milliseconds(1)
                configuration.backoff.maximum = .milliseconds(5)
                configuration.backoff.failuresUntilBreak = 100_000
                return configuration
            }

            /// Writes numbers in order, each once, whatever becomes of the server.
            static func write(_ number: Int, to numbers: NexaCollection<Document>) async throws {
                let document: Document = [
                    "_id": .string("n\(number)"), "n": .int(Int64(number)), "third": .bool(number % 3 == 0)
                ]
                while true {
                    do throws(NexaError) {
                        try await numbers.insert(document, options: .init(durability: .os))
                        return
                    } catch {
                        if error.code == .duplicateID { return }
                        guard [.connectionLost, .connectFailed, .poolExhausted, .shutDown].contains(error.code) else {
                            throw error
                        }
                    }
                }
            }

            /// Reads one watcher's numbers until the end. Every so often it stores its token, drops the stream and
            /// goes on from the token, as a program does that was started again.
            static func follow(
                _ watcher: Int, step: Int, _ numbers: NexaCollection<Document>, _ run: Run, from start: ResumeToken,
                restartingEvery period: Int
            ) async throws {
                func stream(_ token: ResumeToken) -> Iterator {
                    numbers.watch(where: step == 3 ? ["third": true] : .all, from: .after(token)).makeAsyncIterator()
                }
                var iterator = stream(start)
                var token = start
                var expected = 0
                var sinceRestart = 0
                while expected < run.end.load(ordering: .acquiring) {
                    if sinceRestart == period {
                        sinceRestart = 0
                        iterator = stream(token)
                    }
                    do throws(NexaError) {
                        guard let (change, place) = try await iterator.next() else { break }
                        guard case .inserted(let id, let document) = change, let place else {
                            Issue.record("watcher \(watcher): \(change)")
                            return
                        }
                        guard document["n"]?.int == Int64(expected) else {
                            Issue.record("watcher \(watcher): \(id) came where \(expected) was due")
                            return
                        }
                        token = place
                        expected += step
                        sinceRestart += 1
                        let last = expected - step
                        run.seen.withLock { $0[watcher] = last }
                    } catch {
                        // A stream that is just beginning says that it cannot; the program tries again.
                        guard error.code == .connectionLost || error.code == .connectFailed else { throw error }
                        sinceRestart = 0
                        iterator = stream(token)
                    }
                }
            }

            @Test(arguments: 0..<parts) func eachChangeComesOnceAndInOrder(part: Int) async throws {
                let seed = Self.seed(part)
                print("change kills: seed \(seed)")
                let server = try await RestartableServer()
                var direct = NexaConfiguration(unixSocket: server.path)
                direct.credentials = .init(username: "root", password: nil)
                direct.backoff.failuresUntilBreak = 100_000
                let writer = NexaClient(direct)
                let numbers = writer.database().collection("numbers")
                var first = numbers.watch().makeAsyncIterator()
                let start = try #require(try await first.begin())
                let watchers = 4
                let run = Run(watchers: watchers)
                var links: [FaultyLink] = []
                var clients: [NexaClient] = []
                for watcher in 0..<watchers {
                    // Some connections end in the login or in the subscription, most after some changes.
                    let link = try FaultyLink(
                        to: .unix(server.path), seed: seed &+ UInt64(watcher), bytesUntilCut: 100...(2000 << watcher))
                    links.append(link)
                    clients.append(NexaClient(Self.configuration(link.port), observer: Observer(run: run)))
                }
                let restarts = try await Self.run(
                    writer: numbers, clients, links, run, server, from: start, seed: seed)
                let cuts = links.reduce(0) { $0 + $1.cutCount }
                let written = run.written.load(ordering: .relaxed)
                #expect(cuts + restarts >= Self.kills)
                #expect(run.resumed.load(ordering: .relaxed) > Self.kills / 4)
                #expect(run.gaps.load(ordering: .relaxed) == 0)
                print("\(cuts) cuts and \(restarts) restarts, \(written) changes for each of \(watchers) streams")
                for client in clients { await client.shutdown(drainingFor: .zero) }
                await writer.shutdown(drainingFor: .zero)
                for link in links { link.stop() }
                await server.stop()
            }

            /// Writes until there were enough kills, and lets the watchers come to the end; returns how often the server
            /// was started again.
            private static func run(
                writer numbers: NexaCollection<Document>, _ clients: [NexaClient], _ links: [FaultyLink], _ run: Run,
                _ server: RestartableServer, from start: ResumeToken, seed: UInt64
            ) async throws -> Int {
                try await withThrowingTaskGroup(of: Int.self) { group in
                    for (watcher, client) in clients.enumerated() {
                        group.addTask {
                            let numbers = client.database().collection("numbers")
                            try await follow(
                                watcher, step: watcher == 1 ? 3 : 1, numbers, run, from: start,
                                restartingEvery: watcher == 2 ? 50 : .max)
                            return 0
                        }
                    }
                    group.addTask {
                        var random = SplitMix64(seed: seed)
                        var restarts = 0
                        var number = 0
                        while links.reduce(restarts, { $0 + $1.cutCount }) < kills {
                            try await write(number, to: numbers)
                            number += 1
                            run.written.store(number, ordering: .relaxed)
                            // The log is long enough for those behind; nobody is let fall back without end.
                            while run.seen.withLock({ seen in seen.contains { $0 < number - 2000 } }) {
                                try await Task.sleep(for: .milliseconds(1))
                            }
                            if random.next() % 500 == 0 {
                                await server.stop()
                                try await server.start()
                                restarts += 1
                            }
                        }
                        for link in links { link.heal() }
                        // The last number is one that every watcher gets.
                        while number % 3 != 1 {
                            try await write(number, to: numbers)
                            number += 1
                        }
                        run.end.store(number, ordering: .releasing)
                        // Whoever had come to the end before it was known waits for one more.
                        for more in number..<number + 3 { try await write(more, to: numbers) }
                        run.written.store(number, ordering: .relaxed)
                        return restarts
                    }
                    return try await group.reduce(0, +)
                }
            }

            /// With a short history, whoever comes back late is told so, and everything else still comes in order.
            @Test func aLossIsAlwaysAnnounced() async throws {
                let seed = Self.seed()
                print("lost changes: seed \(seed)")
                var random = SplitMix64(seed: seed)
                let server = try await RestartableServer { configuration in
                    configuration.engine.logFileBytes = 64 << 10
                    configuration.engine.changeHistoryBytes = 128 << 10
                }
                let link = try FaultyLink(to: .unix(server.path), seed: seed, bytesUntilCut: 2000...200_000)
                let client = NexaClient(Self.configuration(link.port))
                var direct = NexaConfiguration(unixSocket: server.path)
                direct.credentials = .init(username: "root", password: nil)
                let writer = NexaClient(direct)
                let numbers = writer.database().collection("numbers")
                let padding = Value.string(String(repeating: "p", count: 2000))
                var token: ResumeToken?
                var next = 0
                var expected = 0
                var losses = 0
                var returns = 0
                for round in 0..<max(40, Self.kills / 50) {
                    var iterator = client.database().collection("numbers").watch(from: token.map { .after($0) } ?? .now)
                        .makeAsyncIterator()
                    do {
                        token = try await WatchingTests.beginning(&iterator) ?? token
                    } catch let error as NexaError where error.code == .changeHistoryLost {
                        // Announced: the stream begins anew, at what is written from now on.
                        losses += 1
                        expected = next
                        iterator = client.database().collection("numbers").watch().makeAsyncIterator()
                        token = try await WatchingTests.beginning(&iterator)
                    }
                    if round > 0, expected < next { returns += 1 }
                    for _ in 0..<random.next() % 20 {
                        try await numbers.insert(["n": .int(Int64(next)), "padding": padding])
                        next += 1
                    }
                    do throws(NexaError) {
                        while expected < next, let (change, place) = try await iterator.next() {
                            guard case .inserted(_, let document) = change, document["n"]?.int == Int64(expected) else {
                                Issue.record("seed \(seed), round \(round): \(change) where \(expected) was due")
                                return
                            }
                            expected += 1
                            token = place ?? token
                        }
                    } catch {
                        // Cut while it was far behind: announced as well.
                        guard error.code == .changeHistoryLost else { throw error }
                        losses += 1
                        expected = next
                        token = nil
                    }
                    // Nobody watches; now and then for longer than the history goes back.
                    for _ in 0..<random.next() % (round % 2 == 0 ? 20 : 200) {
                        try await numbers.insert(["n": .int(Int64(next)), "padding": padding])
                        next += 1
                    }
                    if round % 2 == 1 { try server.engine?.checkpoint() }
                }
                print("\(losses) losses announced, \(returns) returns without one, \(link.cutCount) cuts")
                #expect(losses > 0 && returns > 0, "seed \(seed)")
                await client.shutdown(drainingFor: .zero)
                await writer.shutdown(drainingFor: .zero)
                link.stop()
                await server.stop()
            }
        }
    }

    private typealias WatchingTests = ClientTests.Watching
#endif
