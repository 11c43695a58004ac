#if canImport(NexaServer)
    import NexaClient
    @_spi(Testing) import NexaEngine
    import NexaServer
    import NexaTestSupport
    import NexaTransport
    import NexaValue
    import Synchronization
    import TestKit
    import Testing

    /// A server on a Unix socket that can be stopped and started again over the same data.
    final class RestartableServer: Sendable {
        private let directory: TemporaryDirectory
        private let server: Mutex<NexaServer?>
        private let adjust: @Sendable (inout NexaServer.Configuration) -> Void

        var path: String { directory["socket"] }
        var engine: Engine? { server.withLock { $0?.engine } }

        init(_ adjust: @escaping @Sendable (inout NexaServer.Configuration) -> Void = { _ in }) async throws {
            directory = try TemporaryDirectory()
            self.adjust = adjust
            server = Mutex(nil)
            try await start()
        }

        func start() async throws {
            var configuration = NexaServer.Configuration.ephemeral(
                dataDirectory: directory["data"], socketPath: directory["socket"])
            configuration.shutdownGrace = .milliseconds(500)
            configuration.changeProgressInterval = .milliseconds(20)
            adjust(&configuration)
            let started = try await NexaServer.start(configuration)
            server.withLock { $0 = started }
        }

        func stop() async {
            let running = server.withLock { server in
                defer { server = nil }
                return server
            }
            await running?.shutdown()
        }

        /// Runs a test with a client of the server.
        static func run(
            _ adjust: @escaping @Sendable (inout NexaServer.Configuration) -> Void = { _ in },
            observer: (any NexaObserver)? = nil, _ body: (NexaClient, RestartableServer) async throws -> Void
        ) async throws {
            let server = try await RestartableServer(adjust)
            var configuration = NexaConfiguration(unixSocket: server.path)
            configuration.credentials = .init(username: "root", password: nil)
            configuration.backoff.initial = .milliseconds(2)
            configuration.backoff.maximum = .milliseconds(20)
            let client = NexaClient(configuration, observer: observer)
            do { try await body(client, server) } catch {
                await client.shutdown(drainingFor: .zero)
                await server.stop()
                throw error
            }
            await client.shutdown(drainingFor: .zero)
            await server.stop()
        }
    }

    extension ClientTests {
        /// Change streams of a real server.
        @Suite(.timeLimit(.minutes(20))) struct Watching {
            typealias Iterator = ChangeStream<Document>.AsyncIterator

            @Test func modelsAndKindsAndTokens() async throws {
                try await RestartableServer.run { client, _ in
                    let films = client.database("cinema").collection("films", of: Film.self)
                    var iterator = films.watch(Set(ChangeKind.allCases)).makeAsyncIterator()
                    let start = try #require(try await iterator.begin())
                    let id = try await films.insert(Film(title: "Metropolis", year: 1927))
                    try await films.update(id, set: ["rating": 8.3])
                    #expect(try await films.delete(id))
                    try await films.drop()
                    var tokens: [ResumeToken] = []
                    var changes: [Change<Film>] = []
                    while changes.count < 4, let (change, token) = try await iterator.next() {
                        changes.append(change)
                        tokens.append(try #require(token))
                    }
                    let film = Film(title: "Metropolis", year: 1927)
                    var rated = film
                    rated.rating = 8.3
                    #expect(
                        changes == [
                            .inserted(id, film), .updated(id, changed: ["rating": 8.3], full: rated), .deleted(id),
                            .dropped
                        ])
                    #expect(Set(tokens).count == 4)
                    // From each of the places, the rest.
                    for (place, rest) in [(start, 3), (tokens[0], 3), (tokens[1], 2), (tokens[2], 1)] {
                        var again = films.watch([.update, .delete, .dropCollection], from: .after(place))
                            .makeAsyncIterator()
                        for index in (4 - rest)..<4 {
                            let found = try await again.next()?.change
                            #expect(found == changes[index])
                        }
                    }
                }
            }

            @Test func databasesAndEverything() async throws {
                try await RestartableServer.run { client, _ in
                    var shop = client.database("shop").watch(Set(ChangeKind.allCases)).makeAsyncIterator()
                    var all = client.watch([.insert], where: ["price": ["$gt": 10]]).makeAsyncIterator()
                    try await shop.begin()
                    try await all.begin()
                    try await client["shop"]["orders"].insert(["_id": "1", "price": 5])
                    try await client["other"]["orders"].insert(["_id": "2", "price": 50])
                    try await client["shop"]["bills"].insert(["_id": "3", "price": 500])
                    try await client["shop"].drop()
                    let found1 = try await all.next()?.source
                    #expect(found1 == ChangeSource(database: "other", collection: "orders"))
                    let found2 = try await all.next()?.source
                    #expect(found2 == ChangeSource(database: "shop", collection: "bills"))
                    var sources: [String] = []
                    while sources.count < 5, let (change, source, _) = try await shop.next() {
                        #expect(source.database == "shop")
                        let isDrop = if case .dropped = change { true } else { false }
                        sources.append((isDrop ? "-" : "+") + (source.collection ?? ""))
                    }
                    #expect(Array(sources[..<2]) == ["+orders", "+bills"])
                    #expect(Set(sources[2..<4]) == ["-orders", "-bills"] && sources[4] == "-")
                }
            }

            @Test func aDocumentThatDoesNotFitIsAnErrorAndTheStreamGoesOn() async throws {
                try await RestartableServer.run { client, _ in
                    let films = client.database().collection("films")
                    var iterator = films.of(Film.self).watch().makeAsyncIterator()
                    try await iterator.begin()
                    try await films.insert(["title": 7])
                    try await films.insert(["title": "M", "year": 1931, "cast": []])
                    let error = await failure { () throws(NexaError) in _ = try await iterator.next() }
                    #expect(error?.code == .decoding)
                    guard case .inserted(_, let film)? = try await iterator.next()?.change else {
                        Issue.record("no film")
                        return
                    }
                    #expect(film.title == "M")
                }
            }

            /// Reads numbers until the last one, and returns what was seen; fails on anything but the next number.
            static func follow(
                _ iterator: inout Iterator, from first: Int = 0, upTo last: Int
            ) async throws -> ResumeToken? {
                var expected = first
                var place: ResumeToken?
                while expected <= last, let (change, token) = try await iterator.next() {
                    guard case .inserted(let id, let document) = change, token != nil else {
                        Issue.record("\(change)")
                        return place
                    }
                    place = token
                    try #require(document["n"]?.int == Int64(expected), "\(id) came where \(expected) was due")
                    expected += 1
                }
                return place
            }

            @Test func restartsOfTheServerAreNotNoticed() async throws {
                let events = Collector<Bool>()
                struct Observer: NexaObserver {
                    let events: Collector<Bool>
                    func observe(_ event: NexaEvent) {
                        if case .changeStreamResumed(let hasGap) = event { events.add(hasGap) }
                    }
                }
                try await RestartableServer.run(observer: Observer(events: events)) { client, server in
                    let numbers = client.database().collection("numbers")
                    var iterator = numbers.watch().makeAsyncIterator()
                    try await iterator.begin()
                    var next = 0
                    for round in 0..<4 {
                        for _ in 0..<50 {
                            try await numbers.insert(["n": .int(Int64(next))])
                            next += 1
                        }
                        // Some rounds stop with changes unread, some write more before the stream is back.
                        if round % 2 == 0 {
                            _ = try await Self.follow(&iterator, from: next - 50, upTo: next - 31)
                        } else {
                            _ = try await Self.follow(&iterator, from: next - 50, upTo: next - 1)
                        }
                        await server.stop()
                        try await server.start()
                        if round % 2 == 0 { _ = try await Self.follow(&iterator, from: next - 30, upTo: next - 1) }
                    }
                    try await numbers.insert(["n": .int(Int64(next))])
                    _ = try await Self.follow(&iterator, from: next, upTo: next)
                    #expect(!events.all.isEmpty && events.all.allSatisfy { !$0 })
                }
            }

            /// Connections are cut at seeded places, writers go on: each change comes once and in order.
            @Test(arguments: [11, 12, 13, 14]) func cutConnectionsMissNothing(_ seed: Int) async throws {
                try await RestartableServer.run { direct, server in
                    let link = try FaultyLink(
                        to: .unix(server.path), seed: UInt64(seed), bytesUntilCut: 200...(20_000 << (seed % 4)),
                        cutsRequests: false)
                    defer { link.stop() }
                    var configuration = NexaConfiguration(host: "127.0.0.1", port: link.port)
                    configuration.credentials = .init(username: "root", password: nil)
                    configuration.backoff.initial = .milliseconds(1)
                    configuration.backoff.maximum = .milliseconds(5)
                    configuration.backoff.failuresUntilBreak = 1000
                    let client = NexaClient(configuration)
                    let count = 4000
                    var iterator = client.database().collection("numbers").watch().makeAsyncIterator()
                    let start = try #require(try await Self.beginning(&iterator))
                    async let written: Void = {
                        let numbers = direct.database().collection("numbers")
                        for number in 0..<count {
                            try await numbers.insert(
                                ["n": .int(Int64(number))], options: .init(durability: number % 50 == 0 ? .sync : .os))
                        }
                    }()
                    _ = try await Self.follow(&iterator, upTo: count - 1)
                    try await written
                    #expect(link.cutCount > 3, "seed \(seed): only \(link.cutCount) cuts")
                    // Everything once more, and from the beginning.
                    link.heal()
                    var again = client.database().collection("numbers").watch(from: .after(start)).makeAsyncIterator()
                    _ = try await Self.follow(&again, upTo: count - 1)
                    await client.shutdown(drainingFor: .zero)
                }
            }

            /// The first subscription may be cut as well; who begins tries again.
            static func beginning(_ iterator: inout Iterator) async throws -> ResumeToken? {
                for _ in 0..<100 {
                    do throws(NexaError) { return try await iterator.begin() } catch {
                        guard error.code == .connectionLost || error.code == .connectFailed else { throw error }
                    }
                }
                return nil
            }

            @Test func aConsumerThatStopsStopsItsConnectionOnly() async throws {
                try await RestartableServer.run { client, _ in
                    let numbers = client.database().collection("numbers")
                    var slow = numbers.watch().makeAsyncIterator()
                    try await slow.begin()
                    let padding = Value.string(String(repeating: "p", count: 10_000))
                    let count = 3000
                    // 30 MB: more than sockets and buffers of both sides hold.
                    for start in stride(from: 0, to: count, by: 100) {
                        let batch = (start..<start + 100).map { ["n": .int(Int64($0)), "padding": padding] as Document }
                        let result = try await numbers.insert(contentsOf: batch)
                        #expect(result.succeeded == 100)
                    }
                    try await client.ping()
                    _ = try await Self.follow(&slow, upTo: count - 1)
                }
            }

            @Test func permissionsAreCheckedAndTakenAway() async throws {
                try await RestartableServer.run { client, server in
                    let engine = try #require(server.engine)
                    try engine.createUser("visitor", password: "secret", role: .guest)
                    try engine.createUser("reader", password: "secret", role: .read)
                    func stream(of user: String) -> (NexaClient, Iterator) {
                        var configuration = NexaConfiguration(unixSocket: server.path)
                        configuration.credentials = .init(username: user, password: "secret")
                        let client = NexaClient(configuration)
                        return (client, client.database().collection("numbers").watch().makeAsyncIterator())
                    }
                    var (visitor, denied) = stream(of: "visitor")
                    let error = await failure { () throws(NexaError) in try await denied.begin() }
                    #expect(error?.code == .permissionDenied)
                    await visitor.shutdown()
                    var (reader, allowed) = stream(of: "reader")
                    try await allowed.begin()
                    let numbers = client.database().collection("numbers")
                    try await numbers.insert(["n": 0])
                    _ = try await Self.follow(&allowed, upTo: 0)
                    try engine.dropUser("reader")
                    try await numbers.insert(["n": 1])
                    let end = await failure { () throws(NexaError) in _ = try await allowed.next() }
                    #expect(end?.code == .authenticationFailed)
                    await reader.shutdown()
                    (visitor, reader) = (client, client)
                }
            }

            @Test func aTokenThatIsTooOldIsSaidToBe() async throws {
                try await RestartableServer.run({ configuration in
                    configuration.engine.logFileBytes = 64 << 10
                    configuration.engine.changeHistoryBytes = 128 << 10
                }) { client, server in
                    let numbers = client.database().collection("numbers")
                    var iterator = numbers.watch().makeAsyncIterator()
                    let start = try #require(try await iterator.begin())
                    let padding = Value.string(String(repeating: "p", count: 10_000))
                    for number in 0..<60 { try await numbers.insert(["n": .int(Int64(number)), "padding": padding]) }
                    _ = try await Self.follow(&iterator, upTo: 59)
                    try server.engine?.checkpoint()
                    var late = numbers.watch(from: .after(start)).makeAsyncIterator()
                    let error = await failure { () throws(NexaError) in _ = try await late.next() }
                    #expect(error?.code == .changeHistoryLost)
                    // A stream without events of its own does not grow old: it is told how far it is.
                    var quiet = client.database().collection("quiet").watch().makeAsyncIterator()
                    try await quiet.begin()
                    for number in 60..<120 { try await numbers.insert(["n": .int(Int64(number)), "padding": padding]) }
                    try await client.database().collection("quiet").insert(["n": 0])
                    _ = try await Self.follow(&quiet, upTo: 0)
                    _ = try await Self.follow(&iterator, from: 60, upTo: 119)
                }
            }

            @Test func manyStreamsShareAServer() async throws {
                try await RestartableServer.run { client, server in
                    var configuration = NexaConfiguration(unixSocket: server.path)
                    configuration.credentials = .init(username: "root", password: nil)
                    configuration.pool.maximumConnections = 41
                    let watchers = NexaClient(configuration)
                    let begun = Counter()
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<40 {
                            group.addTask {
                                var iterator = watchers.database().collection("numbers").watch().makeAsyncIterator()
                                try await iterator.begin()
                                _ = begun.next()
                                _ = try await Self.follow(&iterator, upTo: 199)
                            }
                        }
                        while begun.value < 40 { try await Task.sleep(for: .milliseconds(1)) }
                        for number in 0..<200 {
                            try await client.database().collection("numbers").insert(["n": .int(Int64(number))])
                        }
                        try await group.waitForAll()
                    }
                    await watchers.shutdown()
                }
            }
        }
    }
#endif
