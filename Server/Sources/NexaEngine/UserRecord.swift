import NexaSCRAM
import NexaValue

/// What the catalog keeps of a user: never the password, only its Argon2id hash and its SCRAM verifier.
struct UserRecord: Sendable, Hashable {
    var user: User
    var passwordHash: PasswordHash
    /// `nil` until the first plain login of a user who was made before there was SCRAM.
    var scram: ScramVerifier?
    /// RFC 3339 in UTC.
    var createdAt: String
    /// Seconds since 1970.
    var passwordChangedAt: Double?
    /// Seconds since 1970; written at most once a minute.
    var lastLogin: Double?
    var keys: [APIKeyRecord] = []

    /// What new verifiers have to be made with: logins by key and by password get the same challenge.
    var salt: [UInt8]? { scram?.salt ?? keys.first?.scram.salt }

    var document: Document {
        var document: Document = [
            "name": .string(user.name), "role": .string(user.role.rawValue),
            "password": .string(passwordHash.encoded), "created_at": .string(createdAt)
        ]
        if let scram { document["scram"] = .document(scram.document) }
        if let grants = user.grants {
            document["grants"] = .document(Document(granted: grants))
        }
        if let passwordChangedAt { document["password_changed_at"] = .double(passwordChangedAt) }
        if let lastLogin { document["last_login"] = .double(lastLogin) }
        if !keys.isEmpty { document["keys"] = .array(keys.map { .document($0.document) }) }
        return document
    }

    init(user: User, passwordHash: PasswordHash, scram: ScramVerifier?, createdAt: String) {
        self.user = user
        self.passwordHash = passwordHash
        self.scram = scram
        self.createdAt = createdAt
    }

    /// `nil` for a record that cannot be read whole: a user with fewer limits than meant must not come of it.
    init?(_ document: Document) {
        guard let name = document["name"]?.string, let role = document["role"]?.string.flatMap(User.Role.init),
            let hash = document["password"]?.string
        else { return nil }
        var grants: [String: DatabaseAccess]?
        if let stored = document["grants"] {
            guard let stored = stored.document else { return nil }
            var read: [String: DatabaseAccess] = [:]
            for (database, access) in stored {
                guard let access = access.string.flatMap(DatabaseAccess.init) else { return nil }
                read[database] = access
            }
            grants = read
        }
        user = User(name: name, role: role, grants: grants)
        passwordHash = PasswordHash(encoded: hash)
        createdAt = document["created_at"]?.string ?? ""
        passwordChangedAt = document["password_changed_at"]?.double
        lastLogin = document["last_login"]?.double
        for key in document["keys"]?.array ?? [] {
            guard let key = key.document.flatMap(APIKeyRecord.init) else { return nil }
            keys.append(key)
        }
        if let scram = document["scram"] {
            guard let verifier = scram.document.flatMap(ScramVerifier.init) else { return nil }
            self.scram = verifier
        }
    }
}

extension Document {
    /// Database names with the words of messages, in order.
    public init(granted grants: [String: DatabaseAccess]) {
        self.init()
        for (database, access) in grants.sorted(by: { $0.key < $1.key }) { self[database] = .string(access.rawValue) }
    }
}

extension ScramVerifier {
    var document: Document {
        [
            "salt": .bytes(salt), "iterations": .int(Int64(iterations)), "stored_key": .bytes(storedKey),
            "server_key": .bytes(serverKey)
        ]
    }

    init?(_ document: Document) {
        guard let salt = document["salt"]?.bytes, let iterations = document["iterations"]?.int,
            let storedKey = document["stored_key"]?.bytes, let serverKey = document["server_key"]?.bytes
        else { return nil }
        self.init(salt: salt, iterations: Int(iterations), storedKey: storedKey, serverKey: serverKey)
    }
}
