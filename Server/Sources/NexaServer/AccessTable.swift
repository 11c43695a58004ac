import NexaEngine
import NexaProtocol

/// The authorisation matrix: what each message needs. A message that serves for several things has a row for each.
///
/// Messages × needs is all there is to it: who meets a need follows from the role and the grants of the user
/// (`User.access(to:)`). A message without a row does not compile.
enum AccessTable: String, Sendable, CaseIterable {
    case connect, ping, disconnect
    case createDatabase, dropDatabase, dropDatabaseViaCollection, listDatabases, listDatabasesViaCollections
    case listCollections, dropCollection
    case insert, insertMany, read, update, delete, query
    case updateMany, deleteMany, findAndModify, bulkWrite
    case aggregate, aggregateWriting, distinct
    case vectorSearch, buildVectorIndex, getVectors
    case createIndex, dropIndex, listIndexes, explain, collectionStats, databaseStats
    case subscribe, subscribeToEverything, unsubscribe
    case beginTransaction, commitTransaction, abortTransaction
    case createUser, deleteUser, listUsers, changePassword, updateUser, apiKeys
    case queryTOON, exportTOON, importTOON
    case backup, compact, importMongoDatabase, importMongoCollection

    /// What a user must have.
    enum Need: Sendable, Hashable {
        /// To be logged in; for CONNECT not even that.
        case nothing
        /// This access to the database of the request.
        case database(DatabaseAccess)
        /// Some database to read. Which of them is looked at for each that is shown.
        case someDatabase
        /// To be the user whom the request is about, or an administrator.
        case sameUser(refusal: String)
        /// The role `admin`.
        case administrator(action: String)
    }

    /// The message and what it needs.
    var row: (type: MessageType, need: Need) {
        switch self {
        case .connect: (.connect, .nothing)
        case .ping: (.ping, .nothing)
        case .disconnect: (.disconnect, .nothing)
        case .createDatabase: (.create, .administrator(action: "create databases"))
        case .dropDatabase: (.dropDatabase, .administrator(action: "drop databases"))
        case .dropDatabaseViaCollection: (.dropCollection, .administrator(action: "drop databases"))
        // Shows only what the user may read.
        case .listDatabases: (.listDatabases, .nothing)
        case .listDatabasesViaCollections: (.listCollections, .nothing)
        case .listCollections: (.listCollections, .database(.read))
        case .dropCollection: (.dropCollection, .database(.admin))
        case .insert: (.create, .database(.write))
        case .insertMany: (.batchWrite, .database(.write))
        case .read: (.read, .database(.read))
        case .update: (.update, .database(.write))
        case .delete: (.delete, .database(.write))
        case .query: (.query, .database(.read))
        case .updateMany: (.updateMany, .database(.write))
        case .deleteMany: (.deleteMany, .database(.write))
        case .findAndModify: (.findAndModify, .database(.write))
        case .bulkWrite: (.bulkWrite, .database(.write))
        case .aggregate: (.aggregate, .database(.read))
        // $merge and $out write into the database that is read.
        case .aggregateWriting: (.aggregate, .database(.write))
        case .distinct: (.distinct, .database(.read))
        case .vectorSearch: (.vectorSearch, .database(.read))
        case .buildVectorIndex: (.buildVectorIndex, .database(.write))
        case .getVectors: (.getVectors, .database(.read))
        case .queryTOON: (.queryTOON, .database(.read))
        case .exportTOON: (.exportTOON, .database(.read))
        case .importTOON: (.importTOON, .database(.write))
        case .createIndex: (.createIndex, .database(.write))
        case .dropIndex: (.dropIndex, .database(.write))
        case .listIndexes: (.listIndexes, .database(.read))
        case .explain: (.explain, .database(.read))
        case .collectionStats: (.collectionStats, .database(.read))
        case .databaseStats: (.databaseStats, .database(.read))
        case .subscribe: (.subscribeChanges, .database(.read))
        case .subscribeToEverything: (.subscribeChanges, .someDatabase)
        case .unsubscribe: (.unsubscribeChanges, .nothing)
        // What is done in a transaction is checked there.
        case .beginTransaction: (.beginTransaction, .nothing)
        case .commitTransaction: (.commitTransaction, .nothing)
        case .abortTransaction: (.abortTransaction, .nothing)
        case .createUser: (.createUser, .administrator(action: "create users"))
        case .deleteUser: (.deleteUser, .administrator(action: "delete users"))
        case .listUsers: (.listUsers, .administrator(action: "list users"))
        case .changePassword: (.changePassword, .sameUser(refusal: "You can only change your own password."))
        case .updateUser: (.updateUser, .administrator(action: "change users"))
        // They touch the files of the server.
        case .backup: (.backup, .administrator(action: "make backups"))
        case .compact: (.compact, .administrator(action: "compact the tables"))
        case .importMongoDatabase: (.importMongoDatabase, .administrator(action: "import from files of the server"))
        case .importMongoCollection: (.importMongoCollection, .administrator(action: "import from files of the server"))
        case .apiKeys: (.apiKeys, .sameUser(refusal: "You can only manage your own API keys."))
        }
    }
}
