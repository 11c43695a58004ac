import NexaEngine
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
