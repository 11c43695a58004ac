import NexaSCRAM
import NexaStorage
import NexaValue
import Synchronization

/// Changes of users. They block for a hash and for the commit.
extension UserDirectory {
    /// Makes a user, or with `isNew` false gives an existing one another password, role or grants.
    ///
    /// - Returns: the login that goes on for whoever changed his own password; all others by password are over.
    @discardableResult
    func put(
        _ name: String, role: User.Role?, password: String?, grants: GrantChange = .none, isNew: Bool
    ) throws(EngineError) -> UserLogin {
        try Names.check(name, of: "user")
        try Self.check(password)
        // Outside of the lock: it takes 25 ms.
        let hash = password.flatMap { PasswordHash(password: $0) }
        guard hash != nil || password == nil else {
            throw EngineError(.storage, "The password cannot be hashed: no memory or no randomness")
        }
        return try changing.withLock { _ throws(EngineError) in
            let old = record(name)
            if isNew, old != nil { throw EngineError(.badRequest, "User '\(name)' already exists") }
            guard var record = old ?? hash.map({ Self.newRecord(name, hash: $0) }), isNew || old != nil else {
                throw Self.noUser(name)
            }
            // The bytes of the name as first written: its key is made of them.
            record.user = User(
                name: record.user.name, role: role ?? record.user.role,
                grants: try Self.changed(record.user.grants, by: grants))
            if let hash, let password {
                record.passwordHash = hash
                record.scram = Self.makeVerifier(password, salt: record.keys.first?.scram.salt)
                if old != nil { record.passwordChangedAt = WallClock.seconds() }
            }
            try save(record)
            return commit(record, isNewPassword: password != nil)
        }
    }

    /// Removes a user, his grants and his keys.
    func remove(_ name: String) throws(EngineError) {
        try changing.withLock { _ throws(EngineError) in
            guard let name = record(name)?.user.name else { throw Self.noUser(name) }
            var batch = WriteBatch()
            batch.delete(.catalog, key: CatalogRecord.userKey(name))
            _ = try translating { () throws(StorageError) in try store.write(batch) }
            state.withLock { $0.entries[name] = nil }
        }
        changed()
    }

    // MARK: API keys

    /// Makes a key for a user; it is returned here only.
    func makeKey(_ name: String, label: String) throws(EngineError) -> (key: String, description: APIKeyDescription) {
        guard label.utf8.count <= EngineLimits.maximumNameBytes else {
            throw EngineError(
                .limit, "The label of a key is longer than \(EngineLimits.maximumNameBytes) bytes, the limit")
        }
        return try changing.withLock { _ throws(EngineError) in
            guard var record = record(name) else { throw Self.noUser(name) }
            guard record.keys.count < EngineLimits.maximumAPIKeys else {
                throw EngineError(
                    .limit, "User '\(name)' has \(EngineLimits.maximumAPIKeys) API keys, which is the limit",
                    advice: "Revoke one that is not used any more")
            }
            guard let salt = record.salt ?? SystemRandom.bytes(16),
                let made = APIKeyRecord.make(label: label, salt: salt, at: WallClock.seconds()),
                !record.keys.contains(where: { $0.prefix == made.record.prefix })
            else { throw EngineError(.storage, "The system has no randomness for an API key") }
            record.keys.append(made.record)
            try save(record)
            state.withLock { $0.entries[record.user.name]?.record = record }
            return (made.key, Self.description(made.record, lastUsed: nil))
        }
    }

    /// The keys of a user, oldest first.
    func keys(_ name: String) throws(EngineError) -> [APIKeyDescription] {
        try state.withLock { state throws(EngineError) in
            guard let entry = state.entries[name] else { throw Self.noUser(name) }
            return entry.record.keys.map { Self.description($0, lastUsed: entry.keyUses[$0.prefix]) }
        }
    }

    /// Revokes a key; logins by it are over.
    func revokeKey(_ name: String, prefix: String) throws(EngineError) {
        try changing.withLock { _ throws(EngineError) in
            guard var record = record(name) else { throw Self.noUser(name) }
            guard let position = record.keys.firstIndex(where: { $0.prefix == prefix }) else {
                throw EngineError(.notFound, "API key '\(prefix.prefix(100))' of user '\(name)' not found")
            }
            record.keys.remove(at: position)
            try save(record)
            state.withLock { state in
                state.entries[record.user.name]?.record = record
                state.entries[record.user.name]?.keyUses[prefix] = nil
            }
        }
        changed()
    }

    // MARK: What logins leave behind

    /// True when `record` is due: the time of a login is stored once a minute, not with each of a thousand.
    func note(_ login: UserLogin) -> Bool {
        let now = WallClock.seconds()
        return state.withLock { state in
            guard let entry = state.entries[login.user.name], entry.incarnation == login.incarnation else {
                return false
            }
            if let prefix = login.keyPrefix { state.entries[login.user.name]?.keyUses[prefix] = now }
            return (entry.record.lastLogin ?? 0) + 60 <= now
        }
    }

    /// Stores that the user has just logged in.
    func recordLogin(_ login: UserLogin) {
        changing.withLock { _ in
            guard current(login) != nil, var record = record(login.user.name) else { return }
            record.lastLogin = WallClock.seconds()
            // Lost with the machine at worst: nobody waits for the device here.
            guard (try? save(record, durability: .os)) != nil else { return }
            state.withLock { $0.entries[record.user.name]?.record = record }
        }
    }

    /// Makes the verifier of a password that was just found right; without it the user goes on as before.
    func addVerifier(to found: UserRecord, _ password: String) {
        guard let scram = Self.makeVerifier(password, salt: found.salt) else { return }
        changing.withLock { _ in
            guard var record = record(found.user.name), record.passwordHash == found.passwordHash else { return }
            record.scram = scram
            guard (try? save(record)) != nil else { return }
            state.withLock { $0.entries[record.user.name]?.record = record }
        }
    }

    func forgetVerifier(_ name: String) throws(EngineError) {
        try changing.withLock { _ throws(EngineError) in
            guard var record = record(name) else { return }
            record.scram = nil
            try save(record)
            state.withLock { state in
                state.entries[name]?.record = record
                state.entries[name]?.verified = nil
            }
        }
    }

    // MARK: Parts

    private func record(_ name: String) -> UserRecord? { state.withLock { $0.entries[name]?.record } }

    private static func newRecord(_ name: String, hash: PasswordHash) -> UserRecord {
        UserRecord(
            user: User(name: name, role: .guest), passwordHash: hash, scram: nil,
            createdAt: String(decoding: WallClock.text(), as: UTF8.self))
    }

    private static func noUser(_ name: String) -> EngineError {
        EngineError(.notFound, "User '\(name)' not found")
    }

    private static func check(_ password: String?) throws(EngineError) {
        guard let password else { return }
        guard !password.isEmpty else { throw EngineError(.badRequest, "The password is empty") }
        guard password.utf8.count <= PasswordHash.maximumPasswordByteCount else {
            throw EngineError(
                .limit, "The password is longer than \(PasswordHash.maximumPasswordByteCount) bytes, the limit")
        }
    }

    private static func changed(
        _ grants: [String: DatabaseAccess]?, by change: GrantChange
    ) throws(EngineError) -> [String: DatabaseAccess]? {
        var result = grants
        switch change {
        case .none: return grants
        case .replace(let all): result = all
        case .merge(let some):
            var merged = grants ?? [:]
            for (database, access) in some { merged[database] = access }
            result = merged
        }
        for database in (result ?? [:]).keys { try Names.check(database, of: "database") }
        guard (result?.count ?? 0) <= EngineLimits.maximumGrants else {
            throw EngineError(.limit, "A user has grants for at most \(EngineLimits.maximumGrants) databases")
        }
        return result
    }

    /// The salt stays while there are keys: their verifiers are made with it.
    private static func makeVerifier(_ password: String, salt: [UInt8]?) -> ScramVerifier? {
        (salt ?? SystemRandom.bytes(16)).map { ScramVerifier(password: password, salt: $0) }
    }

    private func save(
        _ record: UserRecord, durability: NexaStorage.Durability = .sync
    ) throws(EngineError) {
        var batch = WriteBatch()
        batch.put(.catalog, key: CatalogRecord.userKey(record.user.name), value: MessagePack.encode(record.document))
        _ = try translating { () throws(StorageError) in try store.write(batch, durability: durability) }
    }

    private func commit(_ record: UserRecord, isNewPassword: Bool) -> UserLogin {
        let login = state.withLock { state in
            let serial = state.nextSerial()
            var entry =
                state.entries[record.user.name] ?? Entry(record: record, incarnation: serial, passwordVersion: serial)
            entry.record = record
            if isNewPassword {
                entry.verified = nil
                entry.passwordVersion = serial
            }
            state.entries[record.user.name] = entry
            return entry.login(.password(version: entry.passwordVersion))
        }
        changed()
        return login
    }

    private func changed() {
        generation.add(1, ordering: .releasing)
        onChange()
    }

    private static func description(_ key: APIKeyRecord, lastUsed: Double?) -> APIKeyDescription {
        APIKeyDescription(prefix: key.prefix, label: key.label, createdAt: key.createdAt, lastUsed: lastUsed)
    }
}
