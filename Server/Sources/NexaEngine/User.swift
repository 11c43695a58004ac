/// What someone may do with a database.
public enum DatabaseAccess: String, Sendable, Hashable, Comparable, CaseIterable, CustomStringConvertible {
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
    public enum Role: String, Sendable, Hashable, CaseIterable {
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
    /// What the user may do, by database; then the role says nothing any more, unless it is `admin`.
    ///
    /// `nil` for a user without grants: the role holds in every database. An empty one allows nothing.
    public let grants: [String: DatabaseAccess]?

    /// Creates a user value; it does not store it.
    public init(name: String, role: Role, grants: [String: DatabaseAccess]? = nil) {
        self.name = name
        self.role = role
        self.grants = grants
    }

    /// What the user may do with a database; `nil` for nothing.
    public func access(to database: String) -> DatabaseAccess? {
        guard role != .admin, let grants else { return role.access }
        return grants[database]
    }

    /// True when the user has this access to this database.
    public func may(_ access: DatabaseAccess, database: String) -> Bool {
        self.access(to: database).map { access <= $0 } ?? false
    }

    /// True when there is a database, if only by name, that the user may read.
    public var mayReadSomething: Bool {
        guard role != .admin, let grants else { return role.access != nil }
        return !grants.isEmpty
    }
}

/// How a user's grants change.
public enum GrantChange: Sendable, Hashable {
    /// They stay as they are.
    case none
    /// All of them are replaced; with `nil` the role holds everywhere.
    case replace([String: DatabaseAccess]?)
    /// Those of these databases are set or, with `nil`, taken away. A user without grants has none but these then.
    case merge([String: DatabaseAccess?])
}

/// What administrators see of a user.
public struct UserDescription: Sendable, Hashable {
    /// Name, role and grants.
    public var user: User
    /// The beginnings of the API keys, oldest first.
    public var keyPrefixes: [String]
    /// Seconds since 1970.
    public var createdAt: Double
    /// Seconds since 1970; exact to a minute after a restart. `nil` for never.
    public var lastLogin: Double?
    /// Seconds since 1970; `nil` while the first password holds.
    public var passwordChangedAt: Double?
}

/// Who is logged in, and by what. It ends with the user, and with the password or the key that it came by.
public struct UserLogin: Sendable, Hashable {
    /// What let the user in.
    enum Credential: Sendable, Hashable {
        case password(version: UInt64)
        case key(prefix: String)
        /// The system knows who is at the other end of a Unix socket.
        case peer
    }

    /// The user as of the login.
    public let user: User
    let credential: Credential
    /// Differs between users of the same name who were made one after the other.
    let incarnation: UInt64

    /// The beginning of the API key that let the user in; `nil` for a password.
    public var keyPrefix: String? {
        if case .key(let prefix) = credential { prefix } else { nil }
    }
}
