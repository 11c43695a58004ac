#if canImport(NexaServer)
    import NexaClient
    import NexaServer
    import NexaValue
    import Testing

    extension ClientTests {
        @Suite struct UserAdministration {
            private func client(_ server: LiveServer, _ name: String, _ password: String) -> NexaClient {
                var configuration = server.configuration
                configuration.credentials = .init(username: name, password: password)
                return NexaClient(configuration)
            }

            private func with(_ body: (LiveServer, NexaClient) async throws -> Void) async throws {
                let server = try await LiveServer()
                let root = NexaClient(server.configuration)
                do { try await body(server, root) } catch {
                    await root.shutdown(drainingFor: .zero)
                    await server.stop()
                    throw error
                }
                await root.shutdown()
                await server.stop()
            }

            private func code<R>(_ body: () async throws(NexaError) -> R) async -> NexaError.Code? {
                do throws(NexaError) {
                    _ = try await body()
                    return nil
                } catch {
                    return error.code
                }
            }

            @Test func usersComeAndGo() async throws {
                try await with { server, root in
                    try await root.users.create("ann", password: "one", role: .guest, grants: ["shop": .write])
                    try await root.users.create("bob", password: "two")
                    #expect(
                        await code { () throws(NexaError) in
                            try await root.users.create("bob", password: "two")
                        } == .invalidRequest)
                    var list = try await root.users.list()
                    #expect(list.map(\.name) == ["ann", "bob", "root"])
                    #expect(list[0].grants == ["shop": .write] && list[0].role == .guest && list[0].apiKeyCount == 0)
                    #expect(list[1].grants == nil && list[1].role == .read && list[1].lastLogin == nil)
                    let ann = client(server, "ann", "one")
                    try await ann.database("shop").collection("films").insert(["title": "Caught"])
                    #expect(
                        await code { () throws(NexaError) in
                            try await ann.database("other").collection("films").count()
                        } == .permissionDenied)
                    try await root.users.grant(.read, on: "other", to: "ann")
                    try await root.users.revoke(on: "shop", from: "ann")
                    #expect(try await ann.database("other").collection("films").count() == 0)
                    #expect(
                        await code { () throws(NexaError) in
                            try await ann.database("shop").collection("films").count()
                        } == .permissionDenied)
                    try await root.users.setGrants(of: "ann", to: nil)
                    try await root.users.setRole(of: "ann", to: .write)
                    try await ann.database("shop").collection("films").insert(["title": "Gilda"])
                    try await root.users.setGrants(of: "ann", to: [:])
                    list = try await root.users.list()
                    #expect(list[0].grants == [:] && list[0].role == .write && list[0].lastLogin != nil)
                    #expect(await code { () throws(NexaError) in try await ann.users.list() } == .permissionDenied)
                    try await root.users.delete("ann")
                    #expect(await code { () throws(NexaError) in try await ann.ping() } == .authenticationFailed)
                    #expect(await code { () throws(NexaError) in try await root.users.delete("ann") } == .notFound)
                    #expect(
                        await code { () throws(NexaError) in try await root.users.delete("root") } == .invalidRequest)
                    await ann.shutdown()
                }
            }

            @Test func oneChangesTheOwnPassword() async throws {
                try await with { server, root in
                    try await root.users.create("ann", password: "one")
                    let ann = client(server, "ann", "one")
                    try await ann.users.changePassword(of: "ann", to: "two")
                    #expect(
                        await code { () throws(NexaError) in
                            try await ann.users.changePassword(of: "root", to: "two")
                        } == .permissionDenied)
                    await ann.shutdown()
                    let again = client(server, "ann", "two")
                    try await again.ping()
                    #expect(try await root.users.list()[0].passwordChangedAt != nil)
                    await again.shutdown()
                }
            }

            /// The key is proven like a password: it is not sent, whatever the connection.
            @Test func aKeyLogsIn() async throws {
                try await with { server, root in
                    try await root.users.create("ann", password: "one", role: .write)
                    let ann = client(server, "ann", "one")
                    let made = try await ann.users.createAPIKey(label: "nightly report")
                    #expect(made.key.hasPrefix("nxdb_") && made.description.label == "nightly report")
                    var configuration = server.configuration
                    configuration.credentials = .init(username: "ann", password: made.key)
                    configuration.plainLogin = .never
                    let byKey = NexaClient(configuration)
                    try await byKey.database().collection("films").insert(["title": "Caught"])
                    let keys = try await root.users.apiKeys(of: "ann")
                    #expect(keys.map(\.prefix) == [made.description.prefix] && keys[0].lastUsed != nil)
                    #expect(
                        await code { () throws(NexaError) in
                            try await byKey.users.createAPIKey()
                        } == .permissionDenied)
                    try await ann.users.revokeAPIKey(made.key)
                    #expect(await code { () throws(NexaError) in try await byKey.ping() } == .authenticationFailed)
                    #expect(try await ann.users.apiKeys().isEmpty)
                    await byKey.shutdown()
                    await ann.shutdown()
                }
            }
        }
    }
#endif
