import NexaStorage
import NexaValue

/// The keys and values of the catalog family.
///
/// A key is a kind byte and a name; a value is a MessagePack map, so that later versions can add fields.
enum CatalogRecord {
    enum Kind {
        static let counter: UInt8 = 1
        static let database: UInt8 = 2
        static let collection: UInt8 = 3
        static let user: UInt8 = 4
        static let index: UInt8 = 5
        static let indexMarks: UInt8 = 6
        static let indexProgress: UInt8 = 7
        static let loginSecret: UInt8 = 0x20
    }

    static let counterKey: [UInt8] = [Kind.counter]

    static func counterValue(_ next: UInt32) -> [UInt8] {
        MessagePack.encode(["next_collection": .int(Int64(next))] as Document)
    }

    static func databaseKey(_ name: String) -> [UInt8] { [Kind.database] + Array(name.utf8) }

    static func databaseValue() -> [UInt8] {
        MessagePack.encode(["created_at": .string(String(decoding: WallClock.text(), as: UTF8.self))] as Document)
    }

    static func collectionKey(_ database: String, _ name: String) -> [UInt8] {
        var key: [UInt8] = [Kind.collection]
        IDEncoding.append(database, to: &key)
        return key + Array(name.utf8)
    }

    static func collectionValue(_ collection: Collection) -> [UInt8] {
        var document: Document = [
            "number": .int(Int64(collection.number)),
            "created_at": .string(String(decoding: WallClock.text(), as: UTF8.self))
        ]
        if collection.vectorDimensions > 0 {
            document["vector_dimensions"] = .int(Int64(collection.vectorDimensions))
        }
        return MessagePack.encode(document)
    }

    static func userKey(_ name: String) -> [UInt8] { [Kind.user] + Array(name.utf8) }

    static let loginSecretKey: [UInt8] = [Kind.loginSecret]

    static func loginSecretValue(_ secret: [UInt8]) -> [UInt8] {
        MessagePack.encode(["secret": .bytes(secret)] as Document)
    }

    /// Everything in the catalog.
    struct Contents {
        var nextCollection: UInt32 = 1
        var databases: [String] = []
        var collections: [Collection] = []
        var users: [UserRecord] = []
        var indexes: [IndexContents] = []
        var indexMarks: [UInt32: Index.Marks] = [:]
        var indexProgress: [UInt32: IndexProgress] = [:]
        /// What the salts of users who do not exist are made of.
        var loginSecret: [UInt8]?
    }

    /// Reads the whole catalog.
    static func load(_ store: Store) throws(EngineError) -> Contents {
        var contents = Contents()
        try translating { () throws(StorageError) in
            var iterator = try store.makeIterator(.catalog)
            while try iterator.advance() {
                let key = iterator.key.withUnsafeBytes { Array($0) }
                let value = try? MessagePack.decodeDocument(iterator.value)
                guard let value, add(key, value, to: &contents) else {
                    throw StorageError(
                        .corrupted, "The catalog has an entry of an unknown form (\(key.prefix(40)))",
                        advice: "Start a server of the version that wrote the directory, or restore a backup")
                }
            }
        }
        return contents
    }

    private static func add(_ key: [UInt8], _ value: Document, to contents: inout Contents) -> Bool {
        let name = String(decoding: key.dropFirst(), as: UTF8.self)
        switch key.first {
        case Kind.counter:
            guard let next = value["next_collection"]?.int, let next = UInt32(exactly: next) else { return false }
            contents.nextCollection = next
        case Kind.database: contents.databases.append(name)
        case Kind.collection:
            var position = 1
            let database = key.withUnsafeBytes { IDEncoding.read($0, at: &position) }
            guard let database = database?.string, let number = value["number"]?.int,
                let number = UInt32(exactly: number)
            else { return false }
            contents.collections.append(
                Collection(
                    number: number, database: database, name: String(decoding: key[position...], as: UTF8.self),
                    vectorDimensions: Int(value["vector_dimensions"]?.int ?? 0)))
        case Kind.index, Kind.indexMarks, Kind.indexProgress: return addIndex(key, value, to: &contents)
        case Kind.user:
            guard let record = UserRecord(value) else { return false }
            contents.users.append(record)
        case Kind.loginSecret:
            guard let secret = value["secret"]?.bytes, !secret.isEmpty else { return false }
            contents.loginSecret = secret
        default: return false
        }
        return true
    }
}
