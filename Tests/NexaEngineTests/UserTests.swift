@_spi(Testing) import NexaEngine
import NexaSCRAM
import NexaValue
import Testing

@Suite struct UserTests {
    @Test func rootIsMadeOnce() throws {
        let fixture = try Fixture()
        #expect(fixture.engine.needsBootstrap)
        let generated = try #require(try fixture.engine.bootstrapRoot(password: nil))
        #expect(generated.count == 20)
        #expect(try fixture.engine.bootstrapRoot(password: "other") == nil)
        for _ in 0..<2 {
            #expect(fixture.engine.verify(username: "root", password: generated) == User(name: "root", role: .admin))
            #expect(fixture.engine.verify(username: "root", password: "other") == nil)
            #expect(!fixture.engine.needsBootstrap)
            try fixture.reopen()
        }
    }

    @Test func aGivenPasswordIsNotReturned() throws {
        let fixture = try Fixture()
        #expect(try fixture.engine.bootstrapRoot(password: Engine.insecureRootPassword) == nil)
        #expect(fixture.engine.verify(username: "root", password: "nexadb123") != nil)
    }

    @Test func passwordsAreChecked() throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try engine.createUser("ann", password: "pässword", role: .write)
        #expect(engine.verifyFast(username: "ann", password: "pässword") == nil, "nothing is known yet")
        #expect(engine.verify(username: "ann", password: "passwort") == nil)
        #expect(engine.verify(username: "bob", password: "pässword") == nil)
        #expect(engine.verify(username: "bob", password: "decoy of a user who does not exist") == nil)
        #expect(engine.verify(username: "ann", password: "") == nil)
        #expect(engine.verify(username: "ann", password: String(repeating: "x", count: 1 << 20)) == nil)
        #expect(engine.verify(username: "ann", password: "pässword")?.role == .write)
        #expect(engine.verifyFast(username: "ann", password: "pässword")?.name == "ann")
        #expect(engine.verifyFast(username: "ann", password: "passwort") == nil)
        #expect(engine.verifyFast(username: "bob", password: "pässword") == nil)
    }

    /// Whether a SCRAM login with this password succeeds.
    private func scramSucceeds(_ engine: Engine, _ name: String, _ password: String) throws -> Bool {
        guard let verifier = engine.scramVerifier(username: name) else { return false }
        var client = ScramClient(username: name)
        var server = try ScramServer(clientFirst: client.first)
        let challenge = try client.challenge(server.challenge(verifier))
        let keys = ScramKeys(password: password, salt: challenge.salt, iterations: challenge.iterations)
        let proof = client.proof(challenge, keys: keys)
        guard let last = try? server.finish(proof) else { return false }
        try client.verify(last)
        return engine.user(named: name, with: verifier)?.name == name
    }

    @Test func aSCRAMVerifierFollowsThePassword() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .write)
        #expect(try scramSucceeds(fixture.engine, "ann", "one"))
        #expect(try !scramSucceeds(fixture.engine, "ann", "two"))
        let before = try #require(fixture.engine.scramVerifier(username: "ann"))
        try fixture.engine.changeUser("ann", role: .read)
        #expect(fixture.engine.scramVerifier(username: "ann") == before, "another role changes no password")
        try fixture.engine.changeUser("ann", password: "two")
        #expect(fixture.engine.user(named: "ann", with: before) == nil, "a login begun before is over")
        try fixture.reopen()
        #expect(try scramSucceeds(fixture.engine, "ann", "two"))
        #expect(try !scramSucceeds(fixture.engine, "ann", "one"))
    }

    @Test func usersWhoDoNotExistLookLikeOthers() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .write)
        let real = try #require(fixture.engine.scramVerifier(username: "ann"))
        let decoy = try #require(fixture.engine.scramVerifier(username: "bob"))
        #expect(decoy.salt.count == real.salt.count && decoy.iterations == real.iterations)
        #expect(fixture.engine.user(named: "bob", with: decoy) == nil)
        #expect(try !scramSucceeds(fixture.engine, "bob", "one"))
        try fixture.reopen()
        #expect(fixture.engine.scramVerifier(username: "bob") == decoy, "the same after each start")
    }

    @Test func aPlainLoginMakesTheVerifierOfAnOldUser() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .write)
        try fixture.engine.forgetScramVerifier(of: "ann")
        for _ in 0..<2 {
            #expect(fixture.engine.scramVerifier(username: "ann") == nil)
            #expect(fixture.engine.verify(username: "ann", password: "two") == nil)
            try fixture.reopen()
        }
        #expect(fixture.engine.verify(username: "ann", password: "one")?.role == .write)
        #expect(try scramSucceeds(fixture.engine, "ann", "one"))
        try fixture.reopen()
        #expect(try scramSucceeds(fixture.engine, "ann", "one"))
    }

    @Test func aChangedUserIsCheckedAnew() throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try engine.createUser("ann", password: "one", role: .write)
        #expect(engine.verify(username: "ann", password: "one") != nil)
        try engine.changeUser("ann", password: "two")
        #expect(engine.verifyFast(username: "ann", password: "one") == nil)
        #expect(engine.verify(username: "ann", password: "one") == nil)
        #expect(engine.verify(username: "ann", password: "two")?.role == .write)
        try engine.changeUser("ann", role: .guest)
        #expect(engine.verify(username: "ann", password: "two")?.role == .guest)
        try engine.dropUser("ann")
        #expect(engine.verifyFast(username: "ann", password: "two") == nil)
        #expect(engine.verify(username: "ann", password: "two") == nil)
        #expect(#expect(throws: EngineError.self) { try engine.dropUser("ann") }?.code == .notFound)
    }

    @Test func usersAreUnique() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .read)
        let error = #expect(throws: EngineError.self) {
            try fixture.engine.createUser("ann", password: "two", role: .admin)
        }
        #expect(error?.message == "User 'ann' already exists")
        #expect(throws: EngineError.self) { try fixture.engine.createUser("a/b", password: "x", role: .read) }
        #expect(throws: EngineError.self) { try fixture.engine.createUser("bob", password: "", role: .read) }
        #expect(fixture.engine.allUsers().map(\.name) == ["ann"])
    }

    @Test func aThousandLoginsPayOnce() async throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try engine.createUser("ann", password: "secret", role: .read)
        let passed = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<1000 { group.addTask { engine.verify(username: "ann", password: "secret") != nil } }
            return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(passed == 1000)
    }

    @Test func rolesDecide() {
        func may(_ role: User.Role) -> [Bool] {
            let user = User(name: "u", role: role)
            return [.read, .write, .admin].map { user.may($0, database: "d") }
        }
        #expect(may(.admin) == [true, true, true])
        #expect(may(.write) == [true, true, false])
        #expect(may(.read) == [true, false, false])
        #expect(may(.guest) == [false, false, false])
    }
}
