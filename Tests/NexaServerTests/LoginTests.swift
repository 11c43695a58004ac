import NexaProtocol
import NexaSCRAM
import NexaTransport
import NexaValue
import TestKit
import Testing

@testable import NexaServer

/// CONNECT in all its forms.
@Suite struct LoginTests {
    private static func connect(
        _ message: String, user: String = "root", capabilities: [Capability] = Capability.all
    ) -> Request {
        .connect(.init(username: user, password: nil, capabilities: capabilities, scram: message))
    }

    /// Runs an exchange and returns the last reply.
    private func logIn(
        _ peer: Peer, user: String = "root", password: String = "secret"
    ) throws -> (type: MessageType, fields: Document) {
        var client = ScramClient(username: user)
        let first = try peer.ask(Self.connect(client.first, user: user))
        let message = try #require(Reply.Challenge(first.fields)?.scram)
        let challenge = try client.challenge(message)
        let keys = ScramKeys(password: password, salt: challenge.salt, iterations: challenge.iterations)
        let last = try peer.ask(Self.connect(client.proof(challenge, keys: keys), user: user))
        if last.type == .success { try client.verify(try #require(last.fields["scram"]?.string)) }
        return last
    }

    @Test func anExchangeLogsInAndProvesTheServer() async throws {
        try await Running.with { server in
            let peer = try server.peer()
            let reply = try logIn(peer)
            #expect(reply.type == .success)
            #expect(reply.fields["authenticated"] == true)
            #expect(reply.fields["role"] == "admin")
            #expect(try peer.ask(.ping).type == .pong)
        }
    }

    @Test func aWrongPasswordAndAnUnknownUserGetTheSameAnswers() async throws {
        try await Running.with { server in
            for user in ["root", "nobody"] {
                let reply = try logIn(try server.peer(), user: user, password: "wrong")
                #expect(reply.type == .error)
                #expect(reply.fields["error"] == "Invalid username or password")
                #expect(reply.fields["code"] == "not-authenticated")
            }
        }
    }

    @Test func oneConnectionHasAFewTries() async throws {
        try await Running.with({ $0.maximumLoginAttempts = 3 }) { server in
            let peer = try server.peer()
            for _ in 0..<3 { #expect(try logIn(peer, password: "wrong").type == .error) }
            #expect(try peer.receive() == nil)
        }
    }

    @Test func aChallengeServesOneProof() async throws {
        try await Running.with { server in
            let peer = try server.peer()
            var client = ScramClient(username: "root")
            let message = try #require(Reply.Challenge(try peer.ask(Self.connect(client.first)).fields)?.scram)
            let challenge = try client.challenge(message)
            let keys = ScramKeys(password: "secret", salt: challenge.salt, iterations: challenge.iterations)
            let proof = client.proof(challenge, keys: keys)
            #expect(try peer.ask(Self.connect(proof, user: "toor")).type == .error, "another name")
            #expect(try peer.ask(Self.connect(proof)).type == .error, "the challenge is used up")
            #expect(try peer.ask(.ping).fields["error"]?.string?.hasPrefix("Not authenticated") == true)
            #expect(try logIn(peer).type == .success)
        }
    }

    @Test(arguments: ["", "x", "n,,", "c=biws,r=x,p=x", "n,,n=root,r=", "p=tls-exporter,,n=root,r=x"])
    func malformedMessagesAreRefused(message: String) async throws {
        try await Running.with { server in
            let peer = try server.peer()
            #expect(try peer.ask(Self.connect(message)).type == .error)
            #expect(try logIn(peer).type == .success)
        }
    }

    @Test func clientsOf30LogInAsEver() async throws {
        try await Running.with { server in
            let peer = try server.peer()
            let without = try peer.ask(.connect(.init(username: "root", password: nil, capabilities: [])))
            #expect(without.fields == ["error": "Missing 'username' or 'password' field in CONNECT message"])
            let wrong = try peer.ask(.connect(.init(username: "root", password: "x", capabilities: [])))
            #expect(wrong.fields == ["error": "Invalid username or password"])
            let right = try peer.ask(.connect(.init(username: "root", password: "secret", capabilities: [])))
            #expect(right.fields["authenticated"] == true)
            #expect(right.fields["scram"] == nil)
        }
    }
}

/// Who guesses is slowed down.
@Suite struct LoginThrottleTests {
    private let start = ContinuousClock.now
    private let here = SocketAddress(numericHost: "192.0.2.1", port: 1)
    private let there = SocketAddress(numericHost: "192.0.2.2", port: 1)

    private func fail(
        _ throttle: LoginThrottle, _ count: Int, from address: SocketAddress?, user: (Int) -> String
    ) {
        for number in 0..<count { throttle.failed(address: address, username: user(number), at: start) }
    }

    @Test func aFewMistakesCostNothing() {
        let throttle = LoginThrottle()
        fail(throttle, 4, from: here) { _ in "ann" }
        #expect(throttle.admit(address: here, username: "ann", at: start) == .now)
    }

    @Test func anAddressIsLetThroughOneByOne() {
        let throttle = LoginThrottle()
        fail(throttle, 7, from: here) { "user\($0)" }
        // 400 ms apart, until too many would wait.
        var last = Duration.zero
        var admitted = 0
        while case .later(let wait) = throttle.admit(address: here, username: "eve", at: start) {
            #expect(admitted == 0 || wait - last == .milliseconds(400))
            last = wait
            admitted += 1
        }
        #expect(admitted == 20)
        #expect(throttle.admit(address: here, username: "eve", at: start) == .refused)
        #expect(throttle.admit(address: there, username: "eve", at: start) == .now)
        // The port does not matter; another network does.
        #expect(
            throttle.admit(address: .init(numericHost: "192.0.2.1", port: 9), username: "x", at: start) == .refused)
    }

    @Test func aNetworkOfIPv6IsOneAddress() throws {
        let throttle = LoginThrottle()
        for number in 0..<10 {
            let address = try #require(SocketAddress(numericHost: "2001:db8::\(number)", port: 1))
            throttle.failed(address: address, username: "user\(number)", at: start)
        }
        let same = SocketAddress(numericHost: "2001:db8::ffff", port: 1)
        let other = SocketAddress(numericHost: "2001:db8:0:1::1", port: 1)
        #expect(throttle.admit(address: same, username: "eve", at: start) != .now)
        #expect(throttle.admit(address: other, username: "eve", at: start) == .now)
    }

    @Test func aUserIsSlowedFromEverywhereButNeverLockedOut() {
        let throttle = LoginThrottle()
        fail(throttle, 1000, from: nil) { _ in "ann" }
        for _ in 0..<100 {
            #expect(throttle.admit(address: there, username: "ann", at: start) == .later(.seconds(2)))
        }
        #expect(throttle.admit(address: there, username: "bob", at: start) == .now)
        throttle.succeeded(username: "ann")
        #expect(throttle.admit(address: there, username: "ann", at: start) == .now)
    }

    @Test func timeForgives() {
        let throttle = LoginThrottle()
        fail(throttle, 8, from: here) { _ in "ann" }
        #expect(throttle.admit(address: here, username: "ann", at: start + .seconds(30)) != .now)
        #expect(throttle.admit(address: here, username: "ann", at: start + .seconds(61)) == .now)
    }

    @Test func manyNamesDoNotWashOutAnAddress() {
        let throttle = LoginThrottle()
        fail(throttle, 50, from: here) { "user\($0)" }
        fail(throttle, 100_000, from: nil) { "name\($0)" }
        #expect(throttle.admit(address: here, username: "eve", at: start) != .now)
    }
}
