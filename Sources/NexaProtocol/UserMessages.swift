public import NexaValue

extension Request {
    /// CREATE_USER.
    public struct CreateUser: Sendable, Hashable {
        /// The name to log in with.
        public var username: String
        /// The first password.
        public var password: String
        /// `admin`, `write`, `read` or `guest`.
        public var role: String
        /// Database names with `read`, `write` or `admin`, in place of the role; `nil` for none. With
        /// `user-administration`.
        public var grants: Document?
        /// Whether the reply shall have an API key. Clients of 3.0 get one without asking.
        public var wantsKey: Bool

        /// Creates the message.
        public init(
            username: String, password: String, role: String = "read", grants: Document? = nil, wantsKey: Bool = true
        ) {
            self.username = username
            self.password = password
            self.role = role
            self.grants = grants
            self.wantsKey = wantsKey
        }
    }

    /// CHANGE_PASSWORD.
    public struct ChangePassword: Sendable, Hashable {
        /// Whose.
        public var username: String
        /// The password from now on.
        public var newPassword: String

        /// Creates the message.
        public init(username: String, newPassword: String) {
            self.username = username
            self.newPassword = newPassword
        }
    }

    /// UPDATE_USER: fields that are absent change nothing.
    public struct UpdateUser: Sendable, Hashable {
        /// Whom.
        public var username: String
        /// The role from now on.
        public var role: String?
        /// All grants from now on: a document, or `.null` for none, so that the role holds everywhere.
        public var grants: Value?
        /// Grants to set; the others stay.
        public var grant: Document
        /// Databases whose grants are taken away.
        public var revoke: [String]

        /// Creates the message.
        public init(
            username: String, role: String? = nil, grants: Value? = nil, grant: Document = [:], revoke: [String] = []
        ) {
            self.username = username
            self.role = role
            self.grants = grants
            self.grant = grant
            self.revoke = revoke
        }
    }

    /// API_KEYS: makes, lists or revokes keys.
    public struct APIKeys: Sendable, Hashable {
        /// What to do.
        public enum Action: Sendable, Hashable {
            case list
            /// The label is what the owner calls the key.
            case create(label: String)
            /// The prefix is the first 15 characters of the key.
            case revoke(prefix: String)
        }

        /// Whose keys; `nil` for those of who asks.
        public var username: String?
        /// What to do.
        public var action: Action

        /// Creates the message.
        public init(username: String? = nil, action: Action) {
            self.username = username
            self.action = action
        }
    }
}

/// Everything that a message on users holds is small.
private let maximumUserFieldBytes = 256 << 10

extension Request.CreateUser {
    init(_ fields: borrowing RequestFields) throws(RequestError) {
        guard fields.isPresent("username"), fields.isPresent("password"), let username = try fields.string("username"),
            let password = try fields.string("password")
        else { throw RequestError("Missing 'username' or 'password' field") }
        self.init(username: username, password: password)
        if let role = try fields.string("role") { self.role = role }
        if let grants = try fields.value("database_permissions", maximumByteCount: maximumUserFieldBytes),
            !grants.isNull
        {
            guard let grants = grants.document else { throw RequestError.grantsAreNoDocument }
            self.grants = grants
        }
        if try fields.value("api_key", maximumByteCount: 64)?.bool == false { wantsKey = false }
    }

    func encode(into writer: inout MessagePackWriter) {
        var fields: Document = [
            "username": .string(username), "password": .string(password), "role": .string(role)
        ]
        if let grants { fields["database_permissions"] = .document(grants) }
        if !wantsKey { fields["api_key"] = false }
        writer.write(fields)
    }
}

extension Request.ChangePassword {
    init(_ fields: borrowing RequestFields) throws(RequestError) {
        guard fields.isPresent("username"), fields.isPresent("new_password"),
            let username = try fields.string("username"), let password = try fields.string("new_password")
        else { throw RequestError("Missing 'username' or 'new_password' field") }
        self.init(username: username, newPassword: password)
    }

    func encode(into writer: inout MessagePackWriter) {
        writer.write(["username": .string(username), "new_password": .string(newPassword)] as Document)
    }
}

extension Request.UpdateUser {
    init(_ fields: borrowing RequestFields) throws(RequestError) {
        self.init(username: try fields.requiredUsername())
        role = try fields.string("role")
        grants = try fields.value("database_permissions", maximumByteCount: maximumUserFieldBytes)
        guard grants == nil || grants?.isNull == true || grants?.document != nil else {
            throw RequestError.grantsAreNoDocument
        }
        grant = try fields.document("grant", maximumByteCount: maximumUserFieldBytes)
        if let databases = try fields.value("revoke", maximumByteCount: maximumUserFieldBytes), !databases.isNull {
            let names = databases.array?.map(\.string) ?? [nil]
            guard !names.contains(nil) else { throw RequestError("Field 'revoke' must be a list of database names") }
            revoke = names.compactMap { $0 }
        }
        guard grants == nil || (grant.isEmpty && revoke.isEmpty) else {
            throw RequestError("'database_permissions' replaces all grants: leave 'grant' and 'revoke' out")
        }
    }

    func encode(into writer: inout MessagePackWriter) {
        var fields: Document = ["username": .string(username)]
        if let role { fields["role"] = .string(role) }
        if let grants { fields["database_permissions"] = grants }
        if !grant.isEmpty { fields["grant"] = .document(grant) }
        if !revoke.isEmpty { fields["revoke"] = .array(revoke.map { .string($0) }) }
        writer.write(fields)
    }
}

extension Request.APIKeys {
    init(_ fields: borrowing RequestFields) throws(RequestError) {
        let action: Action
        switch try fields.string("action") {
        case "list", nil: action = .list
        case "create": action = .create(label: try fields.string("label") ?? "")
        case "revoke":
            guard let prefix = try fields.string("prefix"), !prefix.isEmpty else {
                throw RequestError("Missing 'prefix' field: the first 15 characters of the key")
            }
            action = .revoke(prefix: prefix)
        case let word?:
            throw RequestError("Unknown action '\(word.prefix(100))': use 'create', 'list' or 'revoke'")
        }
        self.init(username: try fields.string("username"), action: action)
    }

    func encode(into writer: inout MessagePackWriter) {
        var fields: Document = [:]
        if let username { fields["username"] = .string(username) }
        switch action {
        case .list: fields["action"] = "list"
        case .create(let label):
            fields["action"] = "create"
            if !label.isEmpty { fields["label"] = .string(label) }
        case .revoke(let prefix):
            fields["action"] = "revoke"
            fields["prefix"] = .string(prefix)
        }
        writer.write(fields)
    }
}

extension RequestFields {
    func requiredUsername() throws(RequestError) -> String {
        guard isPresent("username"), let name = try string("username") else {
            throw RequestError("Missing 'username' field")
        }
        return name
    }
}

extension RequestError {
    fileprivate static let grantsAreNoDocument = RequestError(
        "Field 'database_permissions' must be a document of database names with 'read', 'write' or 'admin'")
}
