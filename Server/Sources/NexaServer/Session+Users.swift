import NexaEngine
import NexaProtocol
import NexaTransport
import NexaValue

/// Users: the four messages of 3.0, and the two of `user-administration`.
extension Session {
    func createUser(_ create: Request.CreateUser) {
        let engine = shared.engine
        work { () throws(RequestError) in
            let role = try Self.role(create.role)
            let grants = try create.grants.map { grants throws(RequestError) in try Self.grants(grants) }
            return try Self.translating { () throws(EngineError) in
                try engine.createUser(create.username, password: create.password, role: role, grants: grants)
                var fields: Document = [
                    "message": .string("User '\(create.username)' created successfully"),
                    "username": .string(create.username), "role": .string(role.rawValue)
                ]
                if create.wantsKey {
                    fields["api_key"] = .string(try engine.makeAPIKey(for: create.username).key)
                    fields["note"] = "Keep the API key: it is not shown again."
                }
                return fields
            }
        } then: { [self] _ in
            audit("user-created", [("subject", create.username), ("role", create.role)])
            if create.wantsKey { audit("key-created", [("subject", create.username)]) }
        }
    }

    func deleteUser(_ name: String) {
        let engine = shared.engine
        work { () throws(RequestError) in
            try Self.translating { () throws(EngineError) in
                try engine.dropUser(name)
                return ["message": .string("User '\(name)' deleted successfully")]
            }
        } then: { [self] _ in
            audit("user-deleted", [("subject", name)])
        }
    }

    func listUsers() {
        var users: Document = [:]
        for description in shared.engine.userDescriptions() {
            let user = description.user
            users[user.name] = [
                "role": .string(user.role.rawValue),
                "database_permissions": .document(Document(granted: user.grants ?? [:])),
                // Whether the permissions count, or the role.
                "confined": .bool(user.grants != nil && user.role != .admin),
                "api_key_prefix": .string(description.keyPrefixes.first.map { $0 + "..." } ?? ""),
                "api_keys": .int(Int64(description.keyPrefixes.count)),
                "created_at": .double(description.createdAt),
                "last_login": description.lastLogin.map { .double($0) } ?? .null,
                "password_changed_at": description.passwordChangedAt.map { .double($0) } ?? .null
            ]
        }
        reply(.fields(["users": .document(users), "count": .int(Int64(users.count))]))
    }

    func changePassword(_ change: Request.ChangePassword) {
        guard case .user(let user, _) = login else { return }
        let isOwn = change.username == user.name
        guard !isOwn || userLogin?.keyPrefix == nil else { return reply(.failure(Self.needsPassword)) }
        // Until it is done, this session is not among those that the change ends.
        isChangingOwnPassword = isOwn
        let engine = shared.engine
        work { () throws(RequestError) -> (Document, UserLogin) in
            try Self.translating { () throws(EngineError) in
                let login = try engine.changeUser(change.username, password: change.newPassword)
                return (
                    ["message": .string("Password changed successfully for user '\(change.username)'")], login
                )
            }
        } fields: {
            $0.0
        } then: { [self] result in
            audit("password-changed", [("subject", change.username)])
            if isOwn { renew(result.1) }
        } finally: { [self] in
            isChangingOwnPassword = false
            usersChanged()
        }
    }

    func updateUser(_ update: Request.UpdateUser) {
        let engine = shared.engine
        work { () throws(RequestError) in
            let role = try update.role.map { role throws(RequestError) in try Self.role(role) }
            let grants = try Self.change(update)
            return try Self.translating { () throws(EngineError) in
                let user = try engine.changeUser(update.username, role: role, grants: grants).user
                return [
                    "message": .string("User '\(user.name)' updated successfully"), "username": .string(user.name),
                    "role": .string(user.role.rawValue),
                    "database_permissions": user.grants.map { .document(Document(granted: $0)) } ?? .null
                ]
            }
        } then: { [self] fields in
            audit(
                "user-changed",
                [
                    ("subject", update.username), ("role", fields["role"]?.string ?? ""),
                    (
                        "grants",
                        fields["database_permissions"]?.document?.map { "\($0)=\($1.string ?? "")" }
                            .joined(separator: ",") ?? "none"
                    )
                ])
        }
    }

    func apiKeys(_ keys: Request.APIKeys) {
        guard case .user(let user, _) = login else { return }
        let name = keys.username ?? user.name
        let engine = shared.engine
        switch keys.action {
        case .list:
            do throws(EngineError) {
                let list = try engine.apiKeys(of: name)
                reply(
                    .fields([
                        "username": .string(name), "api_keys": .array(list.map { .document(Self.fields(of: $0)) }),
                        "count": .int(Int64(list.count))
                    ]))
            } catch {
                reply(.failure(RequestError(error)))
            }
        case .create(let label):
            guard name != user.name || userLogin?.keyPrefix == nil else { return reply(.failure(Self.needsPassword)) }
            work { () throws(RequestError) in
                try Self.translating { () throws(EngineError) in
                    let made = try engine.makeAPIKey(for: name, label: label)
                    var fields = Self.fields(of: made.description)
                    fields["username"] = .string(name)
                    fields["api_key"] = .string(made.key)
                    fields["message"] = "API key created; it is not shown again"
                    return fields
                }
            } then: { [self] fields in
                audit("key-created", [("subject", name), ("key", fields["prefix"]?.string ?? "")])
            }
        case .revoke(let prefix):
            work { () throws(RequestError) in
                try Self.translating { () throws(EngineError) in
                    try engine.revokeAPIKey(of: name, prefix: prefix)
                    return ["username": .string(name), "prefix": .string(prefix), "message": "API key revoked"]
                }
            } then: { [self] _ in
                audit("key-revoked", [("subject", name), ("key", prefix)])
            }
        }
    }

    // MARK: Parts

    private static let needsPassword = RequestError(
        "An API key cannot change the password or make keys of its user; log in with the password",
        code: .permissionDenied)

    private static func fields(of key: APIKeyDescription) -> Document {
        [
            "prefix": .string(key.prefix), "label": .string(key.label), "created_at": .double(key.createdAt),
            "last_used": key.lastUsed.map { .double($0) } ?? .null
        ]
    }

    private static func role(_ word: String) throws(RequestError) -> User.Role {
        guard let role = User.Role(rawValue: word) else {
            throw RequestError("Invalid role. Must be one of: admin, write, read, guest")
        }
        return role
    }

    /// `guest` is the word of 3.0 for nothing at all.
    private static func access(_ value: Value, to database: String) throws(RequestError) -> DatabaseAccess? {
        if value == "guest" { return nil }
        guard let access = value.string.flatMap(DatabaseAccess.init) else {
            throw RequestError(
                "Invalid permission for database '\(database)'. Must be one of: admin, write, read, guest")
        }
        return access
    }

    private static func grants(_ document: Document) throws(RequestError) -> [String: DatabaseAccess] {
        var grants: [String: DatabaseAccess] = [:]
        for (database, value) in document { grants[database] = try access(value, to: database) }
        return grants
    }

    private static func change(_ update: Request.UpdateUser) throws(RequestError) -> GrantChange {
        if let all = update.grants {
            return .replace(try all.document.map { grants throws(RequestError) in try Self.grants(grants) })
        }
        guard !update.grant.isEmpty || !update.revoke.isEmpty else { return .none }
        var merged: [String: DatabaseAccess?] = [:]
        for database in update.revoke { merged[database] = .some(nil) }
        for (database, value) in update.grant { merged[database] = .some(try access(value, to: database)) }
        return .merge(merged)
    }

    private static func translating<Success>(_ body: () throws(EngineError) -> Success) throws(RequestError) -> Success
    {
        do throws(EngineError) { return try body() } catch { throw RequestError(error) }
    }

    /// Runs what blocks on a worker, and answers with its fields.
    func work(
        _ body: @escaping @Sendable () throws(RequestError) -> Document,
        then: @escaping @Sendable (Document) -> Void
    ) {
        work(body, fields: { $0 }, then: then, finally: {})
    }

    /// Runs what blocks on a worker; the rest runs on the reactor, `then` only after success, before the reply.
    private func work<Success: Sendable>(
        _ body: @escaping @Sendable () throws(RequestError) -> Success,
        fields: @escaping @Sendable (Success) -> Document, then: @escaping @Sendable (Success) -> Void,
        finally: @escaping @Sendable () -> Void
    ) {
        let slot = begin(.exclusive)
        let isAccepted = shared.workers.submit { [self] in
            let result = Result(catching: body)
            reactor.execute { [self] in
                switch result {
                case .success(let success):
                    then(success)
                    complete(slot, with: .fields(fields(success)))
                case .failure(let error): complete(slot, with: .failure(error))
                }
                finally()
            }
        }
        guard !isAccepted else { return }
        complete(slot, with: .failure(Self.overloaded))
        finally()
    }
}
