import NexaSCRAM
import NexaStorage
import NexaValue

/// The users in the catalog, and what was found out about their passwords.
final class UserDirectory: Sendable {
    private struct Entry {
        var record: UserRecord
        /// The last right password, while the record has not changed.
        var verified: VerifiedPassword?
    }

    private let store: Store
    private let loginSecret: [UInt8]
    private let entries: Monitor<[String: Entry]>
    /// Slow verifications at a time: each takes 19 MiB and a core. Always the same for one user, so that of a
    /// thousand connections that log in at once the first pays and the others find the result.
    private let slots = (0..<4).map { _ in Monitor(false) }

    init(_ store: Store, _ records: [UserRecord], loginSecret: [UInt8]) {
        self.store = store
        self.loginSecret = loginSecret
        entries = Monitor(
            Dictionary(records.map { ($0.user.name, Entry(record: $0)) }, uniquingKeysWith: { first, _ in first }))
    }

    func user(_ name: String) -> User? { entries.withLock { $0[name]?.record.user } }

    /// All users, by name.
    var all: [User] { entries.withLock { $0.values.map(\.record.user) }.sorted { $0.name < $1.name } }

    /// Compares with the last right password only; `nil` decides nothing.
    func verifyFast(_ name: String, _ password: String) -> User? {
        guard password.utf8.count <= PasswordHash.maximumPasswordByteCount else { return nil }
        // Hashed before the look-up, for unknown users too, so that the time says nothing.
        guard let given = VerifiedPassword(password) else { return nil }
        return entries.withLock { entries in
            guard let entry = entries[name], let verified = entry.verified, verified.matches(given) else { return nil }
            return entry.record.user
        }
    }

    /// Checks a password; some 25 ms. The same work is done for users who do not exist.
    func verify(_ name: String, _ password: String) -> User? {
        guard password.utf8.count <= PasswordHash.maximumPasswordByteCount else { return nil }
        return slots[Int(bitPattern: name.hashValue.magnitude) & 3].withLock { _ in
            if let user = verifyFast(name, password) { return user }
            let record = entries.withLock { $0[name]?.record }
            let isRight = (record?.passwordHash ?? .decoy).matches(password)
            guard let record, isRight else { return nil }
            let verified = VerifiedPassword(password)
            let user = entries.withLock { entries -> User? in
                // Only if nobody changed the user meanwhile.
                guard entries[name]?.record == record else { return nil }
                entries[name]?.verified = verified
                return record.user
            }
            if user != nil, record.scram == nil { addVerifier(to: record, password) }
            return user
        }
    }

    // MARK: SCRAM

    /// For an unknown name a decoy that always looks the same; `nil` for a known one without a verifier.
    func scramVerifier(_ name: String) -> ScramVerifier? {
        // Made for known users too, so that the time says nothing.
        let decoy = ScramVerifier.decoy(for: name, secret: loginSecret)
        return entries.withLock { entries in
            guard let entry = entries[name] else { return decoy }
            return entry.record.scram
        }
    }

    func user(_ name: String, with verifier: ScramVerifier) -> User? {
        entries.withLock { entries in
            guard let record = entries[name]?.record, record.scram == verifier else { return nil }
            return record.user
        }
    }

    /// Makes the verifier of a password that was just found right; without it the user goes on as before.
    private func addVerifier(to record: UserRecord, _ password: String) {
        guard let scram = Self.makeVerifier(password) else { return }
        changing.withLock { _ in
            guard entries.withLock({ $0[record.user.name]?.record }) == record else { return }
            var record = record
            record.scram = scram
            guard (try? save(record)) != nil else { return }
            entries.withLock { $0[record.user.name]?.record = record }
        }
    }

    func forgetVerifier(_ name: String) throws(EngineError) {
        try changing.withLock { _ throws(EngineError) in
            guard var record = entries.withLock({ $0[name]?.record }) else { return }
            record.scram = nil
            try save(record)
            entries.withLock { $0[name] = Entry(record: record) }
        }
    }

    private static func makeVerifier(_ password: String) -> ScramVerifier? {
        SystemRandom.bytes(16).map { ScramVerifier(password: password, salt: $0) }
    }

    private func save(_ record: UserRecord) throws(EngineError) {
        var batch = WriteBatch()
        batch.put(.catalog, key: CatalogRecord.userKey(record.user.name), value: MessagePack.encode(record.document))
        _ = try translating { () throws(StorageError) in try store.write(batch) }
    }

    // MARK: Changing

    private let changing = Monitor(false)

    /// Makes a user, or with `isNew` false gives an existing one another role or password.
    func put(_ name: String, role: User.Role?, password: String?, isNew: Bool) throws(EngineError) {
        try Names.check(name, of: "user")
        if let password {
            guard !password.isEmpty else { throw EngineError(.badRequest, "The password is empty") }
            guard password.utf8.count <= PasswordHash.maximumPasswordByteCount else {
                throw EngineError(
                    .limit, "The password is longer than \(PasswordHash.maximumPasswordByteCount) bytes, the limit")
            }
        }
        try changing.withLock { _ throws(EngineError) in
            let old = entries.withLock { $0[name]?.record }
            if isNew, old != nil { throw EngineError(.badRequest, "User '\(name)' already exists") }
            if !isNew, old == nil { throw EngineError(.notFound, "User '\(name)' not found") }
            guard let hash = password.map({ PasswordHash(password: $0) }) ?? old?.passwordHash else {
                throw EngineError(.storage, "The password cannot be hashed: no memory or no randomness")
            }
            // The bytes of the name as first written: its key is made of them.
            let name = old?.user.name ?? name
            let record = UserRecord(
                user: User(name: name, role: role ?? old?.user.role ?? .guest), passwordHash: hash,
                scram: password == nil ? old?.scram : password.flatMap(Self.makeVerifier),
                createdAt: old?.createdAt ?? String(decoding: WallClock.text(), as: UTF8.self))
            try save(record)
            entries.withLock { $0[name] = Entry(record: record) }
        }
    }

    /// Removes a user.
    func remove(_ name: String) throws(EngineError) {
        try changing.withLock { _ throws(EngineError) in
            guard let name = entries.withLock({ $0[name]?.record.user.name }) else {
                throw EngineError(.notFound, "User '\(name)' not found")
            }
            var batch = WriteBatch()
            batch.delete(.catalog, key: CatalogRecord.userKey(name))
            _ = try translating { () throws(StorageError) in try store.write(batch) }
            entries.withLock { $0[name] = nil }
        }
    }
}
