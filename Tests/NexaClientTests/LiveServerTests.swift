#if canImport(NexaServer)
    import NexaClient
    import NexaServer
    import TestKit
    import Testing

    /// A server in this process, on a data directory of its own.
    final class LiveServer: Sendable {
        let server: NexaServer
        private let directory: TemporaryDirectory

        init(socket: Bool = false, _ change: (inout NexaServer.Configuration) -> Void = { _ in }) async throws {
            directory = try TemporaryDirectory()
            var configuration = NexaServer.Configuration.ephemeral(
                dataDirectory: directory["data"], socketPath: socket ? directory["socket"] : nil)
            change(&configuration)
            server = try await NexaServer.start(configuration)
        }

        var configuration: NexaConfiguration {
            if let path = server.socketPath { return NexaConfiguration(unixSocket: path) }
            var configuration = NexaConfiguration(host: "127.0.0.1", port: Int(server.port ?? 0))
            configuration.credentials = .init(username: "root", password: "secret")
            return configuration
        }

        static func run(
            socket: Bool = false, configuring change: (inout NexaServer.Configuration) -> Void = { _ in },
            _ body: (NexaClient) async throws -> Void
        ) async throws {
            let live = try await LiveServer(socket: socket, change)
            let client = NexaClient(live.configuration)
            do {
                try await body(client)
            } catch {
                await client.shutdown(drainingFor: .zero)
                await live.stop()
                throw error
            }
            await client.shutdown()
            await live.stop()
        }

        func stop() async { await server.shutdown() }
    }

    struct Film: NexaModel, Equatable {
        var title: String
        var year: Int
        var cast: [String] = []
        var rating: Double?

        enum Fields {
            static let title = Field<String>("title")
            static let year = Field<Int>("year")
            static let cast = Field<String>("cast")
            static let rating = Field<Double>("rating")
        }
    }

    extension ClientTests {
        @Suite struct Live {
            @Test(arguments: [false, true]) func theFirstPageOfTheReadmeIsTrue(overSocket: Bool) async throws {
                try await LiveServer.run(socket: overSocket) { client in
                    let films = client.database("cinema").collection("films", of: Film.self)
                    let id = try await films.insert(Film(title: "Metropolis", year: 1927, cast: ["Helm"]))
                    #expect(id.rawValue.count == 32)
                    let found = try await films[id]
                    #expect(found == Film(title: "Metropolis", year: 1927, cast: ["Helm"]))
                    let changed = try await films.update(id, set: ["rating": 8.3])
                    #expect(changed)
                    let old = try await films.find(where: { $0.year < 1930 && $0.cast == "Helm" }).collect()
                    #expect(old.map(\.rating) == [8.3])
                    let deleted = try await films.delete(id)
                    #expect(deleted)
                    let gone = try await films[id]
                    #expect(gone == nil)
                    let again = try await films.delete(id)
                    #expect(!again)
                }
            }

            @Test func theServerTellsWhatItGrants() async throws {
                try await LiveServer.run { client in
                    let info = try await client.serverInfo()
                    #expect(info.capabilities.isSuperset(of: Capability.all))
                    #expect(info.username == "root")
                    #expect(info.role == "admin")
                    #expect(try await client.ping() > .zero)
                }
            }

            @Test func aDuplicateIDIsRefusedAndChangesNothing() async throws {
                try await LiveServer.run { client in
                    let things = client.database().collection("things")
                    let id = try await things.insert(["_id": "one", "a": 1])
                    #expect(id == "one")
                    let error = await failure { () throws(NexaError) in try await things.insert(["_id": "one", "a": 2])
                    }
                    #expect(error?.code == .duplicateID)
                    #expect(error?.delivery == .answered)
                    let kept = try await things["one"]
                    #expect(kept?["a"] == 1)
                }
            }

            @Test func queriesSortSkipLimitSelectAndCount() async throws {
                try await LiveServer.run { client in
                    let films = client.database().collection("films", of: Film.self)
                    let result = try await films.insert(
                        contentsOf: (0..<2500).map { Film(title: "Film \($0)", year: 1900 + $0 % 100) })
                    #expect(result.succeeded == 2500)
                    let every = try await films.count()
                    #expect(every == 2500)
                    let some = try await films.count(where: { $0.year == 1950 || $0.year == 1951 })
                    #expect(some == 50)
                    // Unsorted iteration walks pages, in the order of insertion because ids are ordered by time.
                    var titles: [String] = []
                    for try await film in films.find() { titles.append(film.title) }
                    #expect(titles == (0..<2500).map { "Film \($0)" })
                    let page = try await films.find().skip(1200).limit(3).collect()
                    #expect(page.map(\.title) == ["Film 1200", "Film 1201", "Film 1202"])
                    let newest = try await films.find().sort(Film.Fields.year.descending, Film.Fields.title.ascending)
                        .limit(2).collect()
                    #expect(newest.map(\.title) == ["Film 1099", "Film 1199"])
                    let selected = try await films.find(where: { $0.title == "Film 7" }).select("year").collect()
                    #expect(selected.first?.keys.sorted() == ["_id", "year"])
                    let first = try await films.find(where: { !($0.year < 1999) }).first()
                    #expect(first?.year == 1999)
                    let tooMany = await failure { () throws(NexaError) in try await films.find().collect(upTo: 10) }
                    #expect(tooMany?.code == .limitExceeded)
                }
            }

            @Test func aBatchWithADuplicateInsertsTheOthers() async throws {
                try await LiveServer.run { client in
                    let things = client.database().collection("things")
                    _ = try await things.insert(["_id": "2"])
                    let documents: [Document] = ["1", "2", "3"].map { ["_id": .string($0)] }
                    let unordered = try await things.insert(contentsOf: documents, ordered: false)
                    #expect(unordered.ids == ["1", "3"])
                    #expect(unordered.firstError?.code == .duplicateID)
                    let more: [Document] = ["4", "2", "5"].map { ["_id": .string($0)] }
                    let ordered = try await things.insert(contentsOf: more, ordered: true)
                    #expect(ordered.ids == ["4"])
                    #expect(ordered.outcomes.count == 3)
                    if case .failure(let error) = ordered.outcomes[2] { #expect(error.delivery == .notSent) }
                    let count = try await things.count()
                    #expect(count == 4)
                }
            }

            @Test func namesAreListedCreatedAndDropped() async throws {
                try await LiveServer.run { client in
                    let shop = client["shop"]
                    try await shop.create()
                    try await shop.createCollection("empty")
                    _ = try await shop["full"].insert(["a": 1])
                    let collections = try await shop.collectionNames()
                    #expect(collections == ["empty", "full"])
                    let emptyCount = try await shop["empty"].count()
                    #expect(emptyCount == 0)
                    let databases = try await client.databaseNames()
                    #expect(databases.contains("shop"))
                    try await shop["full"].drop()
                    let missing = await failure { () throws(NexaError) in try await shop["full"].drop() }
                    #expect(missing?.code == .notFound)
                    try await shop.drop()
                    let left = try await client.databaseNames()
                    #expect(!left.contains("shop"))
                }
            }

            @Test func aBadFilterIsTheCallersErrorAndNamesTheOperator() async throws {
                try await LiveServer.run { client in
                    let error = await failure { () throws(NexaError) in
                        try await client.database()["things"].find(["a": ["$gtt": 1]]).collect()
                    }
                    #expect(error?.code == .invalidRequest)
                    #expect(error?.serverMessage?.contains("$gtt") == true)
                }
            }

            @Test func aWrongPasswordIsRefused() async throws {
                let live = try await LiveServer()
                var configuration = live.configuration
                configuration.credentials?.password = "wrong"
                let client = NexaClient(configuration)
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .authenticationFailed)
                await client.shutdown()
                await live.stop()
            }

            @Test func manyTasksShareTheClient() async throws {
                try await LiveServer.run { client in
                    let things = client.database().collection("things")
                    await withTaskGroup(of: Bool.self) { group in
                        for number in 0..<200 {
                            group.addTask {
                                let options = CallOptions(durability: .os)
                                guard let id = try? await things.insert(["n": .int(Int64(number))], options: options),
                                    let found = try? await things[id]
                                else { return false }
                                return found["n"] == .int(Int64(number))
                            }
                        }
                        for await isRight in group { #expect(isRight) }
                    }
                }
            }

            @Test func everyKindOfValueSurvives() async throws {
                try await LiveServer.run { client in
                    let things = client.database().collection("things")
                    let document: Document = [
                        "_id": "all", "null": nil, "yes": true, "int": .int(.min), "uint": .uint(.max), "double": -0.5,
                        "text": "Grüße, 世界", "bytes": .bytes([0, 255]), "list": [1, "two", [3]],
                        "nested": ["a": ["b": 1]], "time": .timestamp(.init(seconds: 1, nanoseconds: 5))
                    ]
                    try await things.insert(document)
                    var found = try #require(try await things["all"])
                    #expect(found["_created_at"] != nil)
                    found["_created_at"] = nil
                    found["_updated_at"] = nil
                    #expect(found == document)
                }
            }
        }
    }
#endif
