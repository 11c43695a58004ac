import NexaEngine
import NexaProtocol

/// What a request needs: the one place where that is decided.
enum RequiredAccess: Sendable, Equatable {
    /// Anyone who is logged in.
    case session
    /// This access to this database.
    case database(String, DatabaseAccess)
    /// Reading some database; what of them is looked at each time.
    case anyDatabase
    /// The role `admin`.
    case server(action: String)

    init(_ request: Request) {
        switch request {
        case .connect, .ping, .disconnect, .listDatabases: self = .session
        case .insert(let insert): self = .database(insert.namespace.database, .write)
        case .insertMany(let batch): self = .database(batch.namespace.database, .write)
        case .update(let update): self = .database(update.namespace.database, .write)
        case .delete(let delete): self = .database(delete.namespace.database, .write)
        case .updateMany(let write), .deleteMany(let write): self = .database(write.namespace.database, .write)
        case .findAndModify(let modify): self = .database(modify.namespace.database, .write)
        case .bulkWrite(let bulk): self = .database(bulk.namespace.database, .write)
        case .createIndex(let create): self = .database(create.namespace.database, .write)
        case .dropIndex(let drop): self = .database(drop.namespace.database, .write)
        case .listIndexes(let namespace), .collectionStats(let namespace): self = .database(namespace.database, .read)
        case .explain(let query): self = .database(query.namespace.database, .read)
        case .databaseStats(let database): self = .database(database, .read)
        case .read(let read): self = .database(read.namespace.database, .read)
        case .query(let query): self = .database(query.namespace.database, .read)
        case .listCollections(let database): self = .database(database, .read)
        case .dropCollection(let namespace): self = .database(namespace.database, .admin)
        case .createDatabase: self = .server(action: "create")
        case .dropDatabase: self = .server(action: "drop")
        case .unsubscribe: self = .session
        case .beginTransaction, .commitTransaction, .abortTransaction: self = .session
        case .subscribe(let subscribe): self = subscribe.database.map { .database($0, .read) } ?? .anyDatabase
        }
    }

    /// Why the user may not, in the words of 3.0; `nil` when the user may.
    func refusal(for user: User) -> RequestError? {
        switch self {
        case .session: nil
        case .anyDatabase where user.role.access != nil: nil
        case .anyDatabase:
            RequestError("Permission denied: You don't have 'read' access to any database", code: .permissionDenied)
        case .database(let database, let access) where user.may(access, database: database): nil
        case .database(let database, .admin):
            RequestError(
                "Permission denied: You need 'admin' access to drop collections in database '\(database)'",
                code: .permissionDenied)
        case .database(let database, let access):
            RequestError(
                "Permission denied: You don't have '\(access)' access to database '\(database)'",
                code: .permissionDenied)
        case .server where user.role == .admin: nil
        case .server(let action):
            RequestError("Permission denied. Only admins can \(action) databases.", code: .permissionDenied)
        }
    }
}
