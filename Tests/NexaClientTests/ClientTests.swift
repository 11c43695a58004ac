import NexaClient
import NexaTestSupport
import NexaTransport
import Testing

/// All tests with sockets, one at a time; what a client holds is gone at the end of each.
@Suite(.serialized, .leavesNothing, .timeLimit(.minutes(20))) enum ClientTests {}

func configuration(_ server: ScriptedServer, _ change: (inout NexaConfiguration) -> Void = { _ in })
    -> NexaConfiguration
{
    var configuration = NexaConfiguration(host: "127.0.0.1", port: server.port)
    configuration.credentials = .init(username: "root", password: "secret")
    change(&configuration)
    return configuration
}

func withScript(
    _ script: @escaping @Sendable (ScriptedPeer) async throws -> Void,
    _ change: (inout NexaConfiguration) -> Void = { _ in },
    _ body: (NexaClient, ScriptedServer) async throws -> Void
) async throws {
    let server = try ScriptedServer(script)
    let client = NexaClient(configuration(server, change))
    do {
        try await body(client, server)
    } catch {
        await client.shutdown(drainingFor: .zero)
        server.stop()
        throw error
    }
    await client.shutdown(drainingFor: .zero)
    server.stop()
}

/// The error of a call, or `nil` when it succeeds.
func failure<R>(_ body: () async throws(NexaError) -> R) async -> NexaError? {
    do throws(NexaError) {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}

extension ClientTests {
    @Suite struct Basics {
        @Test func aCallConnectsLogsInAndReturnsTheAnswer() async throws {
            try await withScript({ peer in
                let login = try await peer.receive(.connect)
                #expect(login.fields["username"] == "root")
                #expect(login.fields["password"] == nil, "the first message holds no secret")
                #expect(login.fields["capabilities"]?.array?.contains("query-options") == true)
                peer.reply([
                    "authenticated": true, "username": "root", "role": "admin", "capabilities": ["client-ids"],
                    "server_version": "9.9"
                ])
                try await peer.receive(.ping)
                peer.reply(["status": "ok", "timestamp": 1.5], as: .pong)
                await peer.stall()
            }) { client, server in
                try await client.ping()
                let info = try await client.serverInfo()
                #expect(info.version == "9.9")
                #expect(info.capabilities == [.clientIDs])
                #expect(info.endpoint == "127.0.0.1:\(server.port)")
                #expect(server.connectionCount == 1)
            }
        }

        @Test func repliesInAnyPiecesReachTheirCallersInOrder() async throws {
            try await withScript(
                { peer in
                    try await peer.login()
                    while true {
                        let request = try await peer.receive(.read)
                        let reply = ScriptedPeer.frame(["document": ["_id": request.fields["key"] ?? .null]])
                        for start in stride(from: 0, to: reply.count, by: 7) {
                            peer.sendBytes(Array(reply[start..<min(start + 7, reply.count)]))
                        }
                    }
                }, { $0.pool.maximumConnections = 1 }
            ) { client, server in
                let things = client.database().collection("things")
                let right = await withTaskGroup(of: Bool.self) { group in
                    for number in 0..<200 {
                        group.addTask {
                            let id = DocumentID("thing \(number)")
                            return (try? await things[id])??["_id"] == .string(id.rawValue)
                        }
                    }
                    return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                }
                #expect(right == 200)
                #expect(server.connectionCount == 1)
            }
        }

        @Test func errorsCarryCodeMessageAndDelivery() async throws {
            try await withScript({ peer in
                try await peer.login()
                try await peer.receive(.read)
                peer.reply(["error": "Permission denied: no", "code": "permission-denied"], as: .error)
                try await peer.receive(.read)
                peer.reply(["error": "Not found"], as: .notFound)
                await peer.stall()
            }) { client, _ in
                let things = client.database().collection("things")
                let error = await failure { () throws(NexaError) in try await things.read("x") }
                #expect(error?.code == .permissionDenied)
                #expect(error?.delivery == .answered)
                #expect(error?.operation == "read")
                #expect(error?.serverMessage == "Permission denied: no")
                let missing = try await things["x"]
                #expect(missing == nil)
            }
        }

        @Test func aRefusedLoginFailsAtOnceForEveryone() async throws {
            try await withScript({ peer in
                try await peer.receive(.connect)
                peer.reply(["error": "Invalid username or password"], as: .error)
                await peer.stall()
            }) { client, _ in
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .authenticationFailed)
                #expect("\(error.debugDescription)".contains("secret") == false)
            }
        }

        @Test func aServerThatIsNotThereIsNamed() async throws {
            let server = try ScriptedServer { await $0.stall() }
            server.stop()
            let client = NexaClient(configuration(server))
            let error = await failure { () throws(NexaError) in try await client.ping() }
            #expect(error?.code == .connectFailed)
            #expect(error?.delivery == .notSent)
            #expect(error?.message.contains("127.0.0.1:\(server.port)") == true)
            await client.shutdown()
        }

        @Test func aServerThatSpeaksSomethingElseIsRecognised() async throws {
            try await withScript({ peer in
                try await peer.receive(.connect)
                peer.sendBytes(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8))
                await peer.stall()
            }) { client, _ in
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .protocolViolation)
                #expect(error?.message.contains("check host and port") == true)
            }
        }

        @Test func aMuteServerFailsWithinTheConnectTimeout() async throws {
            try await withScript({ await $0.stall() }, { $0.connectTimeout = .milliseconds(50) }) { client, _ in
                let error = await failure { () throws(NexaError) in try await client.ping() }
                #expect(error?.code == .connectFailed)
                #expect(error?.delivery == .notSent)
            }
        }

        @Test func callsMadeOnTheClientsOwnThreadWork() async throws {
            try await withScript({ peer in
                try await peer.login()
                while true {
                    try await peer.receive(.ping)
                    peer.reply([:], as: .pong)
                }
            }) { client, _ in
                let executor = try client.executor
                let pings = await withTaskExecutorPreference(executor) {
                    await withTaskGroup(of: Bool.self) { group in
                        for _ in 0..<100 { group.addTask { (try? await client.ping()) != nil } }
                        return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                    }
                }
                #expect(pings == 100)
            }
        }

        @Test func theSecondEndpointIsUsedWhenTheFirstIsDown() async throws {
            let down = try ScriptedServer { await $0.stall() }
            down.stop()
            try await withScript(
                { peer in
                    try await peer.login()
                    while true {
                        try await peer.receive(.ping)
                        peer.reply([:], as: .pong)
                    }
                }, { $0.endpoints.insert(.tcp(host: "127.0.0.1", port: down.port), at: 0) }
            ) { client, server in
                try await client.ping()
                let info = try await client.serverInfo()
                #expect(info.endpoint == "127.0.0.1:\(server.port)")
            }
        }
    }
}
