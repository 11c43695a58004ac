import NexaEngine
import NexaProtocol

/// What a request needs: its row of the `AccessTable`, and the database or the user that it names.
struct RequiredAccess: Sendable, Equatable {
    private let row: AccessTable
    /// The database or the user that the row is about.
    private let subject: String

    private init(row: AccessTable, _ subject: String = "") {
        self.row = row
        self.subject = subject
    }

    init(_ request: Request) {
        switch request {
        case .connect: self.init(row: .connect)
        case .ping: self.init(row: .ping)
        case .disconnect: self.init(row: .disconnect)
        case .listDatabases(let old): self.init(row: old ? .listDatabasesViaCollections : .listDatabases)
        case .createDatabase: self.init(row: .createDatabase)
        case .dropDatabase(_, let old): self.init(row: old ? .dropDatabaseViaCollection : .dropDatabase)
        case .listCollections(let database): self.init(row: .listCollections, database)
        case .dropCollection(let namespace): self.init(row: .dropCollection, namespace.database)
        case .insert(let insert): self.init(row: .insert, insert.namespace.database)
        case .insertMany(let batch): self.init(row: .insertMany, batch.namespace.database)
        case .update(let update): self.init(row: .update, update.namespace.database)
        case .delete(let delete): self.init(row: .delete, delete.namespace.database)
        case .read(let read): self.init(row: .read, read.namespace.database)
        case .query(let query): self.init(row: .query, query.namespace.database)
        case .subscribe(let subscribe):
            self.init(row: subscribe.database == nil ? .subscribeToEverything : .subscribe, subscribe.database ?? "")
        case .unsubscribe: self.init(row: .unsubscribe)
        case .beginTransaction: self.init(row: .beginTransaction)
        case .commitTransaction: self.init(row: .commitTransaction)
        case .abortTransaction: self.init(row: .abortTransaction)
        case .createUser: self.init(row: .createUser)
        case .deleteUser: self.init(row: .deleteUser)
        case .listUsers: self.init(row: .listUsers)
        case .changePassword(let change): self.init(row: .changePassword, change.username)
        case .updateUser: self.init(row: .updateUser)
        case .backup: self.init(row: .backup)
        case .compact: self.init(row: .compact)
        case .importMongo(let request):
            self.init(row: request.sourceCollection == nil ? .importMongoDatabase : .importMongoCollection)
        case .apiKeys(let keys): self.init(row: .apiKeys, keys.username ?? "")
        case .updateMany(let write): self.init(row: .updateMany, write.namespace.database)
        case .deleteMany(let write): self.init(row: .deleteMany, write.namespace.database)
        case .findAndModify(let modify): self.init(row: .findAndModify, modify.namespace.database)
        case .bulkWrite(let bulk): self.init(row: .bulkWrite, bulk.namespace.database)
        case .aggregate(let aggregate):
            self.init(row: aggregate.target == nil ? .aggregate : .aggregateWriting, aggregate.namespace.database)
        case .distinct(let distinct): self.init(row: .distinct, distinct.namespace.database)
        case .vectorSearch(let search): self.init(row: .vectorSearch, search.namespace.database)
        case .buildVectorIndex(let build): self.init(row: .buildVectorIndex, build.namespace.database)
        case .getVectors(let database): self.init(row: .getVectors, database)
        case .queryTOON(let query): self.init(row: .queryTOON, query.query.namespace.database)
        case .exportTOON(let export): self.init(row: .exportTOON, export.namespace.database)
        case .importTOON(let request): self.init(row: .importTOON, request.namespace.database)
        case .createIndex(let create): self.init(row: .createIndex, create.namespace.database)
        case .dropIndex(let drop): self.init(row: .dropIndex, drop.namespace.database)
        case .listIndexes(let namespace): self.init(row: .listIndexes, namespace.database)
        case .explain(let query): self.init(row: .explain, query.namespace.database)
        case .collectionStats(let namespace): self.init(row: .collectionStats, namespace.database)
        case .databaseStats(let database): self.init(row: .databaseStats, database)
        }
    }

    /// Why the user may not, in the words of 3.0; `nil` when the user may.
    func refusal(for user: User) -> RequestError? {
        switch row.row.need {
        case .nothing: nil
        case .database(let access) where user.may(access, database: subject): nil
        case .database(.admin):
            Self.denied(": You need 'admin' access to drop collections in database '\(subject)'")
        case .database(let access):
            Self.denied(": You don't have '\(access)' access to database '\(subject)'")
        case .someDatabase where user.mayReadSomething: nil
        case .someDatabase: Self.denied(": You don't have 'read' access to any database")
        case .sameUser where user.role == .admin || subject.isEmpty || subject == user.name: nil
        case .sameUser(let refusal): Self.denied(". \(refusal)")
        case .administrator where user.role == .admin: nil
        case .administrator(let action): Self.denied(". Only admins can \(action).")
        }
    }

    private static func denied(_ reason: String) -> RequestError {
        RequestError("Permission denied\(reason)", code: .permissionDenied)
    }
}
