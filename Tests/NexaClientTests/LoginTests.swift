import NexaClient
import NexaSCRAM
import NexaTestSupport
import NexaValue
import TestKit
import Testing

extension ClientTests {
    /// Who proves what to whom.
    @Suite struct Login {
        private static let missing: Document = ["error": "Missing 'username' or 'password' field in CONNECT message"]

        /// Answers like a server that knows this password; `change` may alter its last message.
        private static func serve(
            _ peer: ScriptedPeer, password: String = "secret", change: @Sendable (String) -> String = { $0 }
        ) async throws {
            let first = try await peer.receive(.connect)
            #expect(first.fields["password"] == nil)
            let message = try #require(first.fields["scram"]?.string)
            var server = try ScramServer(clientFirst: message)
            let verifier = ScramVerifier(password: password, salt: [1, 2, 3, 4], iterations: 4096)
            peer.reply(["authenticated": false, "scram": .string(server.challenge(verifier))])
            let second = try await peer.receive(.connect)
            #expect(second.fields["password"] == nil)
            do {
                let last = try server.finish(try #require(second.fields["scram"]?.string))
                peer.reply(["authenticated": true, "username": "root", "scram": .string(change(last))])
            } catch {
                peer.reply(["error": "Invalid username or password", "code": "not-authenticated"], as: .error)
            }
        }

        private func ping(
            _ plainLogin: NexaConfiguration.PlainLogin, password: String? = "secret",
            _ script: @escaping @Sendable (ScriptedPeer) async throws -> Void
        ) async throws -> NexaError? {
            var result: NexaError?
            try await withScript(
                { peer in
                    try await script(peer)
                    try await peer.receive(.ping)
                    peer.reply(["status": "ok", "timestamp": 1.5], as: .pong)
                    await peer.stall()
                },
                {
                    $0.plainLogin = plainLogin
                    $0.credentials?.password = password
                }
            ) { client, _ in
                result = await failure { () throws(NexaError) in try await client.ping() }
            }
            return result
        }

        @Test(arguments: NexaConfiguration.PlainLogin.allCases)
        func aServerThatKnowsSCRAMNeverSeesThePassword(plainLogin: NexaConfiguration.PlainLogin) async throws {
            #expect(try await ping(plainLogin) { try await Self.serve($0) } == nil)
        }

        @Test func theWrongPasswordIsRefused() async throws {
            let error = try await ping(.private, password: "other") { try await Self.serve($0) }
            #expect(error?.code == .authenticationFailed)
        }

        @Test func aServerThatCannotProveItselfIsRefused() async throws {
            for change: @Sendable (String) -> String in [{ _ in "" }, { _ in "e=x" }, { String($0.reversed()) }] {
                let error = try await ping(.always) { try await Self.serve($0, change: change) }
                #expect(error?.code == .authenticationFailed)
                #expect(error?.message.contains("pretend") == true)
            }
        }

        /// Letting everybody in is what an impostor does who does not know the password.
        @Test func aServerThatAsksForNoProofIsRefusedUnlessThePasswordMayBeShown() async throws {
            let letIn: @Sendable (ScriptedPeer) async throws -> Void = { peer in
                try await peer.receive(.connect)
                peer.reply(["authenticated": true, "username": "root"])
            }
            #expect(try await ping(.never, letIn)?.code == .authenticationFailed)
            #expect(try await ping(.private, letIn) == nil)
            #expect(try await ping(.never, password: nil, letIn) == nil, "there is no password to prove")
        }

        @Test func aServerOf30GetsThePasswordOnTheSameConnection() async throws {
            let old: @Sendable (ScriptedPeer) async throws -> Void = { peer in
                let first = try await peer.receive(.connect)
                #expect(first.fields["password"] == nil)
                peer.reply(Self.missing, as: .error)
                let second = try await peer.receive(.connect)
                #expect(second.fields["password"] == "secret")
                peer.reply(["authenticated": true, "username": "root", "role": "admin"])
            }
            #expect(try await ping(.private, old) == nil, "127.0.0.1 is this machine")
            #expect(try await ping(.always, old) == nil)
        }

        @Test func thePasswordIsNotSentWhereThatIsForbidden() async throws {
            for answer: Document in [Self.missing, ["error": "later", "code": "scram-unavailable"]] {
                let error = try await ping(.never) { peer in
                    try await peer.receive(.connect)
                    peer.reply(answer, as: .error)
                    if let next = try? await peer.receive() { Issue.record("the client went on with \(next)") }
                }
                #expect(error?.code == .authenticationFailed)
                #expect(error?.message.contains("plainLogin") == true)
            }
        }

        @Test(arguments: [
            "", "r=x,s=AQID,i=4096", "r=NONCEx,s=AQID,i=1", "r=NONCEx,s=AQID,i=2000000000", "r=NONCEx,s=,i=4096",
            "r=NONCE,s=AQID,i=4096"
        ])
        func aBadChallengeIsRefused(challenge: String) async throws {
            let error = try await ping(.always) { peer in
                let first = try await peer.receive(.connect)
                let nonce = first.fields["scram"]?.string?.split(separator: "r=").last ?? ""
                let parts = challenge.split(separator: "NONCE", omittingEmptySubsequences: false)
                let message = String(parts.joined(separator: nonce))
                peer.reply(["authenticated": false, "scram": .string(message)])
                await peer.stall()
            }
            #expect(error?.code == .authenticationFailed)
        }

        /// Whatever a server does in between, each call ends.
        @Test func aServerThatStallsInTheMiddleRunsIntoTheConnectDeadline() async throws {
            let error = try await withStall { peer in
                try await peer.receive(.connect)
                peer.reply(["authenticated": false, "scram": "r="])
                await peer.stall()
            }
            #expect(error?.code == .authenticationFailed)
            let silent = try await withStall { await $0.stall() }
            #expect(silent?.code == .connectFailed)
        }

        private func withStall(
            _ script: @escaping @Sendable (ScriptedPeer) async throws -> Void
        ) async throws -> NexaError? {
            var result: NexaError?
            try await withScript(
                script,
                {
                    $0.connectTimeout = .milliseconds(200)
                    $0.pool.acquireTimeout = .milliseconds(250)
                }
            ) { client, _ in
                result = await failure { () throws(NexaError) in try await client.ping() }
            }
            return result
        }
    }
}
