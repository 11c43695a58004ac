import NexaProtocol
import NexaValue

/// The users of a server: `client.users`.
///
/// ```swift
/// try await client.users.create("ann", password: password, role: .guest, grants: ["shop": .write])
/// let key = try await client.users.createAPIKey(for: "ann", label: "nightly report")
/// ```
///
/// Only administrators may use it, except for the own password and the own API keys.
public struct NexaUsers: Sendable {
    let core: ClientCore

    /// What a user may do in every database, unless there are grants.
    public enum Role: String, Sendable, Hashable, CaseIterable {
        /// Everything, users and databases included; grants do not limit it.
        case admin
        /// Read and change documents.
        case write
        /// Read documents.
        case read
        /// Nothing but to be connected.
        case guest
    }

    /// What a user may do with one database.
    public enum Access: String, Sendable, Hashable, CaseIterable {
        /// Read documents and list collections.
        case read
        /// Also change documents.
        case write
        /// Also drop collections.
        case admin
    }

    /// One user.
    public struct User: Sendable, Hashable {
        /// The name to log in with.
        public var name: String
        /// What the user may do where grants do not decide.
        public var role: Role
        /// What the user may do, by database. With `nil` the role holds in every database; otherwise the role says
        /// nothing any more (unless it is `.admin`), and a database that is not here is closed.
        public var grants: [String: Access]?
        /// How many API keys the user has.
        public var apiKeyCount: Int
        /// Seconds since 1970.
        public var createdAt: Double
        /// Seconds since 1970; `nil` for never.
        public var lastLogin: Double?
        /// Seconds since 1970; `nil` while the first password holds.
        public var passwordChangedAt: Double?
    }

    /// What can be told of an API key.
    public struct APIKey: Sendable, Hashable {
        /// Its first 15 characters, which name it.
        public var prefix: String
        /// What it was made for.
        public var label: String
        /// Seconds since 1970.
        public var createdAt: Double
        /// Seconds since 1970; `nil` when it was not used since the server was started.
        public var lastUsed: Double?
    }

    /// An API key, just made. It is not to be had again: the server keeps its hash only.
    public struct NewAPIKey: Sendable {
        /// The key: it logs its user in in place of the password.
        public var key: String
        /// What can be told of it.
        public var description: APIKey
    }

    // MARK: Users

    /// Makes a user.
    ///
    /// - Parameters:
    ///   - name: the name.
    ///   - password: the password.
    ///   - role: what the user may do in all databases.
    ///   - grants: what the user may do, by database, in place of the role; needs a server of this version.
    ///   - options: how the call is made.
    /// - Throws: `NexaError` with `.invalidRequest` when there is a user of this name.
    public func create(
        _ name: String, password: String, role: Role = .read, grants: [String: Access]? = nil,
        options: CallOptions = .standard
    ) async throws(NexaError) {
        let request = Request.createUser(
            .init(
                username: name, password: password, role: role.rawValue, grants: grants.map(Self.document),
                wantsKey: false))
        _ = try await core.reply(
            to: request, operation: "createUser", options: options,
            requiring: grants == nil ? [] : [.userAdministration])
    }

    /// Removes a user: his connections are closed, his grants and keys are gone. `root` cannot be removed.
    ///
    /// - Throws: `NexaError` with `.notFound` when there is none.
    public func delete(_ name: String, options: CallOptions = .standard) async throws(NexaError) {
        _ = try await core.reply(to: .deleteUser(name), operation: "deleteUser", options: options)
    }

    /// All users, sorted by name.
    ///
    /// - Throws: `NexaError` when the user is no administrator.
    public func list(_ options: CallOptions = .standard) async throws(NexaError) -> [User] {
        let reply = try await core.reply(to: .listUsers, operation: "listUsers", options: options)
        guard let users = try reply.fields()["users"]?.document else {
            throw reply.malformed("the reply lacks 'users'")
        }
        return try users.map { (name, fields) throws(NexaError) in
            guard let fields = fields.document, let user = Self.user(name, fields) else {
                throw reply.malformed("user '\(name)' has an unknown form")
            }
            return user
        }.sorted { $0.name < $1.name }
    }

    /// Gives a user another password: anyone his own, administrators everyone's.
    ///
    /// The user's connections that logged in with the old password end, but for the one that the call was made on.
    /// This client goes on with the password that it was made with, so make a new one after changing its own.
    /// - Throws: `NexaError`.
    public func changePassword(
        of name: String, to password: String, options: CallOptions = .standard
    ) async throws(NexaError) {
        let request = Request.changePassword(.init(username: name, newPassword: password))
        _ = try await core.reply(to: request, operation: "changePassword", options: options)
    }

    /// Gives a user another role. It counts for connections that are open, too.
    ///
    /// - Throws: `NexaError`; the role of `root` cannot be changed.
    public func setRole(
        of name: String, to role: Role, options: CallOptions = .standard
    ) async throws(NexaError) {
        try await update(.init(username: name, role: role.rawValue), options)
    }

    /// Replaces all grants of a user; with `nil` the role holds in every database.
    ///
    /// - Throws: `NexaError`.
    public func setGrants(
        of name: String, to grants: [String: Access]?, options: CallOptions = .standard
    ) async throws(NexaError) {
        try await update(
            .init(username: name, grants: grants.map { .document(Self.document($0)) } ?? .null), options)
    }

    /// Lets a user do something with a database. Somebody who had no grants yet has only this one then.
    ///
    /// - Throws: `NexaError`.
    public func grant(
        _ access: Access, on database: String, to name: String, options: CallOptions = .standard
    ) async throws(NexaError) {
        try await update(.init(username: name, grant: [database: .string(access.rawValue)]), options)
    }

    /// Takes a grant away; the user may do nothing with the database then.
    ///
    /// - Throws: `NexaError`.
    public func revoke(
        on database: String, from name: String, options: CallOptions = .standard
    ) async throws(NexaError) {
        try await update(.init(username: name, revoke: [database]), options)
    }

    private func update(_ update: Request.UpdateUser, _ options: CallOptions) async throws(NexaError) {
        _ = try await core.reply(
            to: .updateUser(update), operation: "updateUser", options: options, requiring: [.userAdministration])
    }

    // MARK: API keys

    /// Makes an API key: it logs its user in in place of the password, and can be revoked alone.
    ///
    /// - Parameters:
    ///   - name: whose; `nil` for the user of this client.
    ///   - label: what it is for.
    ///   - options: how the call is made.
    /// - Throws: `NexaError` with `.limitExceeded` for more than 64 keys.
    public func createAPIKey(
        for name: String? = nil, label: String = "", options: CallOptions = .standard
    ) async throws(NexaError) -> NewAPIKey {
        let reply = try await keys(.init(username: name, action: .create(label: label)), options)
        let fields = try reply.fields()
        guard let key = fields["api_key"]?.string, let description = Self.key(fields) else {
            throw reply.malformed("the reply lacks 'api_key'")
        }
        return NewAPIKey(key: key, description: description)
    }

    /// The API keys of a user, oldest first.
    ///
    /// - Parameters:
    ///   - name: whose; `nil` for the user of this client.
    ///   - options: how the call is made.
    /// - Throws: `NexaError`.
    public func apiKeys(
        of name: String? = nil, options: CallOptions = .standard
    ) async throws(NexaError) -> [APIKey] {
        let reply = try await keys(.init(username: name, action: .list), options)
        guard let list = try reply.fields()["api_keys"]?.array else {
            throw reply.malformed("the reply lacks 'api_keys'")
        }
        return list.compactMap { $0.document.flatMap(Self.key) }
    }

    /// Revokes an API key: connections that logged in with it are closed.
    ///
    /// - Parameters:
    ///   - prefix: the first 15 characters of the key, or the whole key.
    ///   - name: whose; `nil` for the user of this client.
    ///   - options: how the call is made.
    /// - Throws: `NexaError` with `.notFound` when there is none.
    public func revokeAPIKey(
        _ prefix: String, of name: String? = nil, options: CallOptions = .standard
    ) async throws(NexaError) {
        _ = try await keys(.init(username: name, action: .revoke(prefix: String(prefix.prefix(15)))), options)
    }

    private func keys(_ request: Request.APIKeys, _ options: CallOptions) async throws(NexaError) -> Answer {
        try await core.reply(
            to: .apiKeys(request), operation: "apiKeys", options: options, requiring: [.userAdministration])
    }

    // MARK: Parts

    private static func document(_ grants: [String: Access]) -> Document {
        Document(grants.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value.rawValue)) })
    }

    private static func user(_ name: String, _ fields: Document) -> User? {
        guard let role = fields["role"]?.string.flatMap(Role.init) else { return nil }
        var grants: [String: Access] = [:]
        for (database, access) in fields["database_permissions"]?.document ?? [:] {
            // `guest` is nothing, in the words of 3.0.
            grants[database] = access.string.flatMap(Access.init)
        }
        let isConfined = fields["confined"]?.bool ?? !grants.isEmpty
        return User(
            name: name, role: role, grants: isConfined || !grants.isEmpty ? grants : nil,
            apiKeyCount: Int(fields["api_keys"]?.int ?? 1), createdAt: fields["created_at"]?.double ?? 0,
            lastLogin: fields["last_login"]?.double, passwordChangedAt: fields["password_changed_at"]?.double)
    }

    private static func key(_ fields: Document) -> APIKey? {
        guard let prefix = fields["prefix"]?.string else { return nil }
        return APIKey(
            prefix: prefix, label: fields["label"]?.string ?? "", createdAt: fields["created_at"]?.double ?? 0,
            lastUsed: fields["last_used"]?.double)
    }
}

extension NexaClient {
    /// The users of the server, their grants and their API keys.
    public var users: NexaUsers { NexaUsers(core: core) }
}
