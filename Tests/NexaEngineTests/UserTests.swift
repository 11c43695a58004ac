import Glibc
@_spi(Testing) import NexaEngine
import NexaSCRAM
import NexaValue
import TestKit
import Testing

@Suite struct UserTests {
    @Test func rootIsMadeOnce() throws {
        let fixture = try Fixture()
        #expect(fixture.engine.needsBootstrap)
        let generated = try #require(try fixture.engine.bootstrapRoot(password: nil))
        #expect(generated.count == 20)
        #expect(try fixture.engine.bootstrapRoot(password: "other") == nil)
        for _ in 0..<2 {
            #expect(
                fixture.engine.logIn(username: "root", password: generated)?.user == User(name: "root", role: .admin))
            #expect(fixture.engine.logIn(username: "root", password: "other") == nil)
            #expect(!fixture.engine.needsBootstrap)
            try fixture.reopen()
        }
    }

    @Test func aGivenPasswordIsNotReturned() throws {
        let fixture = try Fixture()
        #expect(try fixture.engine.bootstrapRoot(password: Engine.insecureRootPassword) == nil)
        #expect(fixture.engine.logIn(username: "root", password: "nexadb123") != nil)
    }

    @Test func passwordsAreChecked() throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try engine.createUser("ann", password: "pässword", role: .write)
        #expect(engine.logInFast(username: "ann", password: "pässword") == nil, "nothing is known yet")
        #expect(engine.logIn(username: "ann", password: "passwort") == nil)
        #expect(engine.logIn(username: "bob", password: "pässword") == nil)
        #expect(engine.logIn(username: "bob", password: "decoy of a user who does not exist") == nil)
        #expect(engine.logIn(username: "ann", password: "") == nil)
        #expect(engine.logIn(username: "ann", password: String(repeating: "x", count: 1 << 20)) == nil)
        #expect(engine.logIn(username: "ann", password: "pässword")?.user.role == .write)
        #expect(engine.logInFast(username: "ann", password: "pässword")?.user.name == "ann")
        #expect(engine.logInFast(username: "ann", password: "passwort") == nil)
        #expect(engine.logInFast(username: "bob", password: "pässword") == nil)
    }

    /// Whether a SCRAM login with this password succeeds.
    private func scramSucceeds(_ engine: Engine, _ name: String, _ password: String) throws -> Bool {
        guard let verifier = engine.scramVerifiers(username: name)?.first else { return false }
        var client = ScramClient(username: name)
        var server = try ScramServer(clientFirst: client.first)
        let challenge = try client.challenge(server.challenge(verifier))
        let keys = ScramKeys(password: password, salt: challenge.salt, iterations: challenge.iterations)
        let proof = client.proof(challenge, keys: keys)
        guard let last = try? server.finish(proof) else { return false }
        try client.verify(last)
        return engine.logIn(username: name, provenFor: verifier)?.user.name == name
    }

    @Test func aSCRAMVerifierFollowsThePassword() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .write)
        #expect(try scramSucceeds(fixture.engine, "ann", "one"))
        #expect(try !scramSucceeds(fixture.engine, "ann", "two"))
        let before = try #require(fixture.engine.scramVerifiers(username: "ann")?.first)
        try fixture.engine.changeUser("ann", role: .read)
        #expect(fixture.engine.scramVerifiers(username: "ann")?.first == before, "another role changes no password")
        try fixture.engine.changeUser("ann", password: "two")
        #expect(fixture.engine.logIn(username: "ann", provenFor: before) == nil, "a login begun before is over")
        try fixture.reopen()
        #expect(try scramSucceeds(fixture.engine, "ann", "two"))
        #expect(try !scramSucceeds(fixture.engine, "ann", "one"))
    }

    @Test func usersWhoDoNotExistLookLikeOthers() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .write)
        let real = try #require(fixture.engine.scramVerifiers(username: "ann")?.first)
        let decoy = try #require(fixture.engine.scramVerifiers(username: "bob")?.first)
        #expect(decoy.salt.count == real.salt.count && decoy.iterations == real.iterations)
        #expect(fixture.engine.logIn(username: "bob", provenFor: decoy) == nil)
        #expect(try !scramSucceeds(fixture.engine, "bob", "one"))
        try fixture.reopen()
        #expect(fixture.engine.scramVerifiers(username: "bob")?.first == decoy, "the same after each start")
    }

    @Test func aPlainLoginMakesTheVerifierOfAnOldUser() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .write)
        try fixture.engine.forgetScramVerifier(of: "ann")
        for _ in 0..<2 {
            #expect(fixture.engine.scramVerifiers(username: "ann")?.first == nil)
            #expect(fixture.engine.logIn(username: "ann", password: "two") == nil)
            try fixture.reopen()
        }
        #expect(fixture.engine.logIn(username: "ann", password: "one")?.user.role == .write)
        #expect(try scramSucceeds(fixture.engine, "ann", "one"))
        try fixture.reopen()
        #expect(try scramSucceeds(fixture.engine, "ann", "one"))
    }

    @Test func aChangedUserIsCheckedAnew() throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        try engine.createUser("ann", password: "one", role: .write)
        #expect(engine.logIn(username: "ann", password: "one") != nil)
        try engine.changeUser("ann", password: "two")
        #expect(engine.logInFast(username: "ann", password: "one") == nil)
        #expect(engine.logIn(username: "ann", password: "one") == nil)
        #expect(engine.logIn(username: "ann", password: "two")?.user.role == .write)
        try engine.changeUser("ann", role: .guest)
        #expect(engine.logIn(username: "ann", password: "two")?.user.role == .guest)
        try engine.dropUser("ann")
        #expect(engine.logInFast(username: "ann", password: "two") == nil)
        #expect(engine.logIn(username: "ann", password: "two") == nil)
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
            for _ in 0..<1000 { group.addTask { engine.logIn(username: "ann", password: "secret") != nil } }
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

/// Grants, API keys, and what ends a login.
@Suite struct UserAdministrationTests {
    @Test func grantsDecideInPlaceOfTheRole() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .read)
        for _ in 0..<2 {
            let user = try #require(fixture.engine.user(named: "ann"))
            #expect(user.may(.read, database: "a") && !user.may(.write, database: "a"), "the role holds")
            #expect(user.mayReadSomething)
            try fixture.reopen()
        }
        try fixture.engine.changeUser("ann", grants: .merge(["shop": .write]))
        for _ in 0..<2 {
            let user = try #require(fixture.engine.user(named: "ann"))
            #expect(user.may(.write, database: "shop") && !user.may(.admin, database: "shop"))
            #expect(!user.may(.read, database: "a"), "a grant is not added to the role")
            try fixture.reopen()
        }
        try fixture.engine.changeUser("ann", grants: .merge(["shop": nil]))
        for _ in 0..<2 {
            let user = try #require(fixture.engine.user(named: "ann"))
            #expect(!user.may(.read, database: "shop"), "the last grant that goes opens nothing")
            #expect(!user.mayReadSomething)
            try fixture.reopen()
        }
        try fixture.engine.changeUser("ann", grants: .replace(nil))
        #expect(fixture.engine.user(named: "ann")?.may(.read, database: "a") == true)
        try fixture.engine.changeUser("ann", role: .admin, grants: .replace([:]))
        #expect(fixture.engine.user(named: "ann")?.may(.admin, database: "a") == true, "admins have no limits")
    }

    @Test func impossibleGrantsAreRefused() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .read)
        let tooMany = Dictionary(
            uniqueKeysWithValues: (0...EngineLimits.maximumGrants).map { ("d\($0)", DatabaseAccess.read) })
        let limit = #expect(throws: EngineError.self) {
            try fixture.engine.changeUser("ann", grants: .replace(tooMany))
        }
        #expect(limit?.code == .limit)
        #expect(throws: EngineError.self) { try fixture.engine.changeUser("ann", grants: .merge(["a/b": .read])) }
        #expect(throws: EngineError.self) { try fixture.engine.changeUser("bob", grants: .replace(nil)) }
        #expect(fixture.engine.user(named: "ann")?.grants == nil)
    }

    @Test func rootStaysWhatItIs() throws {
        let fixture = try Fixture()
        _ = try fixture.engine.bootstrapRoot(password: "secret")
        #expect(
            #expect(throws: EngineError.self) { try fixture.engine.dropUser("root") }?.message
                == "Cannot delete root user")
        #expect(throws: EngineError.self) { try fixture.engine.changeUser("root", role: .write) }
        try fixture.engine.changeUser("root", grants: .replace([:]))
        #expect(fixture.engine.user(named: "root")?.may(.admin, database: "a") == true)
    }

    @Test func aKeyLogsIn() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .write)
        try fixture.engine.createUser("bob", password: "one", role: .write)
        let made = try fixture.engine.makeAPIKey(for: "ann", label: "report")
        #expect(made.key.utf8.count == 48 && made.key.hasPrefix("nxdb_") && made.key.hasPrefix(made.description.prefix))
        #expect(made.description.prefix.count == 15)
        for _ in 0..<2 {
            let login = try #require(fixture.engine.logInFast(username: "ann", password: made.key))
            #expect(login.user.name == "ann" && login.keyPrefix == made.description.prefix)
            #expect(fixture.engine.logIn(username: "ann", password: made.key) == login)
            #expect(fixture.engine.logIn(username: "bob", password: made.key) == nil, "a key is its user's")
            #expect(fixture.engine.logInFast(username: "ann", password: made.key.dropLast() + "!") == nil)
            #expect(try scramLogin(fixture.engine, "ann", made.key)?.keyPrefix == made.description.prefix)
            #expect(try scramLogin(fixture.engine, "ann", "one")?.keyPrefix == nil)
            #expect(try scramLogin(fixture.engine, "ann", "two") == nil)
            try fixture.reopen()
        }
        try fixture.engine.changeUser("ann", password: "two")
        #expect(try scramLogin(fixture.engine, "ann", made.key) != nil, "keys outlive the password")
        #expect(try scramLogin(fixture.engine, "ann", "two") != nil)
        #expect(try scramLogin(fixture.engine, "ann", "one") == nil)
        #expect(try fixture.engine.apiKeys(of: "ann").map(\.label) == ["report"])
        try fixture.engine.revokeAPIKey(of: "ann", prefix: made.description.prefix)
        for _ in 0..<2 {
            #expect(fixture.engine.logIn(username: "ann", password: made.key) == nil)
            #expect(try scramLogin(fixture.engine, "ann", made.key) == nil)
            #expect(try fixture.engine.apiKeys(of: "ann").isEmpty)
            try fixture.reopen()
        }
        let error = #expect(throws: EngineError.self) {
            try fixture.engine.revokeAPIKey(of: "ann", prefix: made.description.prefix)
        }
        #expect(error?.code == .notFound)
    }

    @Test func aKeyIsNowhereInTheData() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .write)
        let made = try fixture.engine.makeAPIKey(for: "ann")
        let secret = Array(made.key.utf8.dropFirst(15))
        fixture.engine.close()
        let prefix = Array(made.description.prefix.utf8)
        #expect(Self.files(below: fixture.directory.path).contains { Self.occurs(prefix, in: $0) }, "this finds things")
        #expect(!Self.files(below: fixture.directory.path).contains { Self.occurs(secret, in: $0) })
    }

    private static func files(below folder: String) -> [String] {
        Files.names(in: folder).flatMap { name in
            let path = folder + "/" + name
            return Files.isFolder(path) ? files(below: path) : [path]
        }
    }

    private static func occurs(_ bytes: [UInt8], in file: String) -> Bool {
        let contents = Files.read(file)
        return contents.withUnsafeBytes { contents in
            guard var place = contents.baseAddress else { return false }
            let end = place + contents.count
            while let found = memchr(place, CInt(bytes[0]), end - place) {
                if end - UnsafeRawPointer(found) >= bytes.count, memcmp(found, bytes, bytes.count) == 0 { return true }
                place = UnsafeRawPointer(found) + 1
            }
            return false
        }
    }

    @Test func keysHaveALimit() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .write)
        for _ in 0..<EngineLimits.maximumAPIKeys { _ = try fixture.engine.makeAPIKey(for: "ann") }
        #expect(#expect(throws: EngineError.self) { try fixture.engine.makeAPIKey(for: "ann") }?.code == .limit)
        #expect(throws: EngineError.self) { try fixture.engine.makeAPIKey(for: "nobody") }
    }

    @Test func aLoginEndsWithWhatItCameBy() throws {
        let fixture = try Fixture()
        let engine = fixture.engine
        func login(_ password: String) throws -> UserLogin {
            try #require(engine.logIn(username: "ann", password: password))
        }
        try engine.createUser("ann", password: "one", role: .write)
        let key = try engine.makeAPIKey(for: "ann")
        let (byPassword, byKey) = (try login("one"), try login(key.key))
        let byPeer = try #require(engine.logInTrusted(username: "ann"))
        let before = engine.userGeneration
        try engine.changeUser("ann", role: .read)
        #expect(engine.userGeneration != before)
        for login in [byPassword, byKey, byPeer] { #expect(engine.current(login)?.user.role == .read) }
        let renewed = try engine.changeUser("ann", password: "two")
        #expect(engine.current(byPassword) == nil)
        #expect(engine.current(renewed) != nil && engine.current(byKey) != nil && engine.current(byPeer) != nil)
        try engine.revokeAPIKey(of: "ann", prefix: key.description.prefix)
        #expect(engine.current(byKey) == nil && engine.current(renewed) != nil)
        try engine.dropUser("ann")
        try engine.createUser("ann", password: "two", role: .admin)
        #expect(engine.current(renewed) == nil && engine.current(byPeer) == nil, "another user of the same name")
    }

    @Test func descriptionsSayWhen() throws {
        let fixture = try Fixture()
        try fixture.engine.createUser("ann", password: "one", role: .write)
        let new = try #require(fixture.engine.userDescriptions().first)
        #expect(new.createdAt > 1.7e9 && new.lastLogin == nil && new.passwordChangedAt == nil)
        let login = try #require(fixture.engine.logIn(username: "ann", password: "one"))
        #expect(fixture.engine.noteLogin(login))
        fixture.engine.recordLogin(login)
        #expect(!fixture.engine.noteLogin(login), "once a minute")
        try fixture.engine.changeUser("ann", password: "two")
        try fixture.reopen()
        let old = try #require(fixture.engine.userDescriptions().first)
        #expect(old.createdAt == new.createdAt)
        #expect((old.lastLogin ?? 0) >= new.createdAt && (old.passwordChangedAt ?? 0) >= new.createdAt)
    }

    private func scramLogin(_ engine: Engine, _ name: String, _ password: String) throws -> UserLogin? {
        let verifiers = try #require(engine.scramVerifiers(username: name))
        var client = ScramClient(username: name)
        var server = try ScramServer(clientFirst: client.first)
        let challenge = try client.challenge(server.challenge(verifiers[0]))
        let keys = ScramKeys(password: password, salt: challenge.salt, iterations: challenge.iterations)
        guard let (last, verifier) = try? server.finish(client.proof(challenge, keys: keys), anyOf: verifiers) else {
            return nil
        }
        try client.verify(last)
        return engine.logIn(username: name, provenFor: verifier)
    }
}
