#if canImport(NexaServer)
    import Glibc
    import NexaClient
    import NexaEngine
    import NexaServer
    import NexaValue
    import TestKit
    import Testing

    extension ClientTests {
        /// Backups, compaction and imports, asked for over connections.
        @Suite struct Maintenance {
            private struct Place {
                var directory: TemporaryDirectory
                var root: NexaClient
                var guest: NexaClient

                subscript(_ name: String) -> String { directory[name] }
            }

            private func with(isConfigured: Bool = true, _ body: (Place) async throws -> Void) async throws {
                let directory = try TemporaryDirectory()
                var settings = NexaServer.Configuration.ephemeral(dataDirectory: directory["data"])
                if isConfigured {
                    settings.backupDirectory = directory["backups"]
                    settings.importDirectory = directory["exports"]
                }
                for name in ["backups", "exports", "exports/shop"] { mkdir(directory[name], 0o700) }
                let server = try await NexaServer.start(settings)
                var configuration = NexaConfiguration(host: "127.0.0.1", port: Int(server.port ?? 0))
                configuration.credentials = .init(username: "root", password: "secret")
                let root = NexaClient(configuration)
                try server.engine.createUser("guest", password: "secret", role: .write)
                configuration.credentials = .init(username: "guest", password: "secret")
                let place = Place(directory: directory, root: root, guest: NexaClient(configuration))
                var failure: (any Error)?
                do { try await body(place) } catch { failure = error }
                await place.root.shutdown(drainingFor: .zero)
                await place.guest.shutdown(drainingFor: .zero)
                await server.shutdown()
                if let failure { throw failure }
            }

            private func failure<R>(_ body: () async throws(NexaError) -> R) async -> NexaError? {
                do throws(NexaError) {
                    _ = try await body()
                    return nil
                } catch {
                    return error
                }
            }

            @Test func aServerMakesABackupWhileItServes() async throws {
                try await with { place in
                    let films = place.root.database("shop").collection("films")
                    for number in 0..<20 { try await films.insert(["n": .int(Int64(number))]) }
                    let backup = try await place.root.backUp(to: "monday")
                    #expect(backup.directory == place["backups/monday"] && backup.byteCount > 0)
                    try await films.insert(["n": 20])
                    _ = try Engine.restore(backup.directory, to: place["restored"])
                    let restored = try Engine.open(at: place["restored"])
                    let report = try restored.check()
                    #expect(report.documents == 20 && report.findings.isEmpty)
                    restored.close()
                    let compacted = try await place.root.compact()
                    #expect(compacted.after > 0)
                    #expect(try await films.count() == 21)
                }
            }

            @Test func aBackupGoesNowhereElse() async throws {
                try await with { place in
                    mkdir(place["outside"], 0o700)
                    symlink(place["outside"], place["backups/link"])
                    for path in [
                        place["outside/x"], "../outside/x", "link/x", "link", "/", "..", ".", "",
                        place["backups"] + "2/x",
                        "none/x", "a\0b"
                    ] {
                        let error = await failure { () throws(NexaError) in try await place.root.backUp(to: path) }
                        #expect(error?.code == .invalidRequest, "\(path)")
                    }
                    #expect(Files.names(in: place["outside"]).isEmpty)
                    let error = await failure { () throws(NexaError) in try await place.guest.backUp(to: "x") }
                    #expect(error?.code == .permissionDenied)
                }
                try await with(isConfigured: false) { place in
                    let error = await failure { () throws(NexaError) in
                        try await place.root.backUp(to: place["backups/x"])
                    }
                    #expect(error?.serverMessage?.contains("--backup-directory") == true)
                }
            }

            @Test func anExportIsImported() async throws {
                try await with { place in
                    try Files.write(
                        Array(#"{"_id":{"$oid":"5f1a2b3c4d5e6f7081920a0b"},"year":{"$numberInt":"1950"}}"#.utf8),
                        to: place["exports/shop/films.json"])
                    let metadata = #"{"indexes":[{"key":{"year":{"$numberInt":"1"}},"name":"year_1"}]}"#
                    try Files.write(Array(metadata.utf8), to: place["exports/shop/films.metadata.json"])
                    let result = try await place.root.importMongoDatabase(from: ".", database: "shop", into: "copy")
                    #expect(result.collections.map(\.name) == ["films"] && result.warnings.isEmpty)
                    let films = place.root.database("copy").collection("films")
                    #expect(try await films.read("5f1a2b3c4d5e6f7081920a0b")?["year"] == 1950)
                    let again = await failure { () throws(NexaError) in
                        try await place.root.importMongoDatabase(from: ".", database: "shop", into: "copy")
                    }
                    #expect(again?.code == .duplicateID)
                    let mine = place.root.database().collection("mine")
                    for _ in 0..<2 {
                        let one = try await mine.importMongo(
                            from: "file://\(place["exports"])", database: "shop", collection: "films",
                            dropExisting: true)
                        #expect(one.collections.map(\.name) == ["mine"] && one.collections[0].documents == 1)
                    }
                    #expect(try await mine.count() == 1)
                }
            }

            @Test func nothingElseIsImported() async throws {
                try await with { place in
                    try Files.write(Array(#"{"_id":1}"#.utf8), to: place["films.json"])
                    symlink(place.directory.path, place["exports/link"])
                    for path in [place.directory.path, "..", "link", "/etc", "none", "file:///etc", "file://exports"] {
                        let error = await failure { () throws(NexaError) in
                            try await place.root.importMongoDatabase(from: path, database: "shop")
                        }
                        #expect(error?.code == .invalidRequest, "\(path)")
                    }
                    let live = await failure { () throws(NexaError) in
                        try await place.root.importMongoDatabase(from: "mongodb://a:b@db.example", database: "shop")
                    }
                    #expect(live?.serverMessage?.contains("mongodump") == true)
                    let guest = await failure { () throws(NexaError) in
                        try await place.guest.importMongoDatabase(from: ".", database: "shop")
                    }
                    #expect(guest?.code == .permissionDenied)
                }
                try await with(isConfigured: false) { place in
                    let error = await failure { () throws(NexaError) in
                        try await place.root.importMongoDatabase(from: place["exports"], database: "shop")
                    }
                    #expect(error?.serverMessage?.contains("--import-directory") == true)
                }
            }
        }
    }
#endif
