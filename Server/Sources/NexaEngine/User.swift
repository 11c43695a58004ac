import NexaSCRAM
import NexaValue

/// What someone may do with a database.
public enum DatabaseAccess: String, Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Read documents and list collections.
    case read
    /// Also change documents.
    case write
    /// Also drop collections.
    case admin

    private var rank: Int {
        switch self {
        case .read: 0
        case .write: 1
        case .admin: 2
        }
    }

    /// Orders by how much is allowed.
    public static func < (left: DatabaseAccess, right: DatabaseAccess) -> Bool { left.rank < right.rank }

    /// The word of messages.
    public var description: String { rawValue }
}

/// A user who may log in.
public struct User: Sendable, Hashable {
    /// What a user may do in every database.
    public enum Role: String, Sendable, Hashable {
        /// Everything, users and databases included.
        case admin
        /// Read and change documents.
        case write
        /// Read documents.
        case read
        /// Nothing but to be connected.
        case guest

        /// The access that the role gives to every database.
        public var access: DatabaseAccess? {
            switch self {
            case .admin: .admin
            case .write: .write
            case .read: .read
            case .guest: nil
            }
        }
    }

    /// The name to log in with.
    public let name: String
    /// What the user may do.
    public let role: Role

    /// Creates a user value; it does not store it.
    public init(name: String, role: Role) {
        self.name = name
        self.role = role
    }

    /// True when the user has this access to this database.
    public func may(_ access: DatabaseAccess, database: String) -> Bool {
        guard let granted = role.access else { return false }
        return access <= granted
    }
}

/// What the catalog keeps of a user: never the password, only its Argon2id hash and its SCRAM verifier.
struct UserRecord: Sendable, Hashable {
    var user: User
    var passwordHash: PasswordHash
    /// `nil` until the first plain login of a user who was made before there was SCRAM.
    var scram: ScramVerifier?
    /// RFC 3339 in UTC.
    var createdAt: String

    var document: Document {
        var document: Document = [
            "name": .string(user.name), "role": .string(user.role.rawValue),
            "password": .string(passwordHash.encoded), "created_at": .string(createdAt)
        ]
        if let scram {
            document["scram"] = [
                "salt": .bytes(scram.salt), "iterations": .int(Int64(scram.iterations)),
                "stored_key": .bytes(scram.storedKey), "server_key": .bytes(scram.serverKey)
            ]
        }
        return document
    }

    init(user: User, passwordHash: PasswordHash, scram: ScramVerifier?, createdAt: String) {
        self.user = user
        self.passwordHash = passwordHash
        self.scram = scram
        self.createdAt = createdAt
    }

    init?(_ document: Document) {
        guard let name = document["name"]?.string, let role = document["role"]?.string.flatMap(User.Role.init),
            let hash = document["password"]?.string
        else { return nil }
        user = User(name: name, role: role)
        passwordHash = PasswordHash(encoded: hash)
        createdAt = document["created_at"]?.string ?? ""
        guard let scram = document["scram"]?.document else { return }
        guard let salt = scram["salt"]?.bytes, let iterations = scram["iterations"]?.int,
            let storedKey = scram["stored_key"]?.bytes, let serverKey = scram["server_key"]?.bytes
        else { return nil }
        self.scram = ScramVerifier(
            salt: salt, iterations: Int(iterations), storedKey: storedKey, serverKey: serverKey)
    }
}
