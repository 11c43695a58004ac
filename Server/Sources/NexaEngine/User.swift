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

/// What the catalog keeps of a user: never the password, only its Argon2id hash.
struct UserRecord: Sendable, Hashable {
    var user: User
    var passwordHash: PasswordHash
    /// RFC 3339 in UTC.
    var createdAt: String

    var document: Document {
        [
            "name": .string(user.name), "role": .string(user.role.rawValue),
            "password": .string(passwordHash.encoded), "created_at": .string(createdAt)
        ]
    }

    init(user: User, passwordHash: PasswordHash, createdAt: String) {
        self.user = user
        self.passwordHash = passwordHash
        self.createdAt = createdAt
    }

    init?(_ document: Document) {
        guard let name = document["name"]?.string, let role = document["role"]?.string.flatMap(User.Role.init),
            let hash = document["password"]?.string
        else { return nil }
        user = User(name: name, role: role)
        passwordHash = PasswordHash(encoded: hash)
        createdAt = document["created_at"]?.string ?? ""
    }
}
