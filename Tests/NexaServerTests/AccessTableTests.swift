import NexaEngine
import NexaProtocol
import NexaValue
import TestKit
import Testing

@testable import NexaServer

/// The authorisation matrix: every message, for every role with every grant, on a database of his and on another.
@Suite struct AccessTableTests {
    /// What the tests below send, and who may: a letter for each kind of user of `users`, `-` for those who may not.
    ///
    /// The columns are: admin, write, read, guest without grants; then a guest with read, write and admin on `shop`;
    /// then a user of the role write with grants for another database only, and one with an empty list of them.
    static let expectations: [AccessTable: (request: Request, permitted: String)] = [
        .connect: (.connect(.init(username: "nobody", password: "x")), "awrg RWA og"),
        .ping: (.ping, "awrg RWA og"),
        .disconnect: (.disconnect, "awrg RWA og"),
        .createDatabase: (.createDatabase("made"), "a--- --- --"),
        .dropDatabase: (.dropDatabase("shop", viaCollection: false), "a--- --- --"),
        .dropDatabaseViaCollection: (.dropDatabase("shop", viaCollection: true), "a--- --- --"),
        .listDatabases: (.listDatabases(viaCollections: false), "awrg RWA og"),
        .listDatabasesViaCollections: (.listDatabases(viaCollections: true), "awrg RWA og"),
        .listCollections: (.listCollections(database: "shop"), "awr- RWA --"),
        .dropCollection: (.dropCollection(shop), "a--- --A --"),
        .insert: (.insert(.init(namespace: shop, document: encoded(["a": 1]))), "aw-- -WA --"),
        .insertMany: (.insertMany(.init(namespace: shop, documents: manyDocuments)), "aw-- -WA --"),
        .read: (.read(.init(namespace: shop, id: "x")), "awr- RWA --"),
        .update: (.update(.init(namespace: shop, id: "x", updates: encoded(["a": 2]))), "aw-- -WA --"),
        .delete: (.delete(.init(namespace: shop, id: "x")), "aw-- -WA --"),
        .query: (.query(.init(namespace: shop)), "awr- RWA --"),
        .updateMany: (.updateMany(.init(namespace: shop, write: setting)), "aw-- -WA --"),
        .deleteMany: (
            .deleteMany(.init(namespace: shop, write: .init(.filter(encoded([:])), .delete, isMany: true))),
            "aw-- -WA --"
        ),
        .findAndModify: (.findAndModify(.init(namespace: shop, write: setting)), "aw-- -WA --"),
        .bulkWrite: (.bulkWrite(.init(namespace: shop, writes: [setting])), "aw-- -WA --"),
        .aggregate: (.aggregate(.init(namespace: shop, step: .begin([]))), "awr- RWA --"),
        .aggregateWriting: (
            .aggregate(.init(namespace: shop, step: .begin([["$merge": ["into": "d"]]]))), "aw-- -WA --"
        ),
        .distinct: (.distinct(.init(namespace: shop, field: "a")), "awr- RWA --"),
        .vectorSearch: (.vectorSearch(.init(namespace: shop, target: .vector([1]))), "awr- RWA --"),
        .buildVectorIndex: (.buildVectorIndex(.init(namespace: shop)), "aw-- -WA --"),
        .getVectors: (.getVectors("shop"), "awr- RWA --"),
        .queryTOON: (.queryTOON(.init(query: .init(namespace: shop))), "awr- RWA --"),
        .exportTOON: (.exportTOON(.init(namespace: shop)), "awr- RWA --"),
        .importTOON: (.importTOON(.init(namespace: shop, text: Array("a: 1".utf8))), "aw-- -WA --"),
        .createIndex: (.createIndex(.init(namespace: shop, definition: ["keys": ["a": 1]])), "aw-- -WA --"),
        .dropIndex: (.dropIndex(.init(namespace: shop, name: "a_1")), "aw-- -WA --"),
        .listIndexes: (.listIndexes(shop), "awr- RWA --"),
        .explain: (.explain(.init(namespace: shop)), "awr- RWA --"),
        .collectionStats: (.collectionStats(shop), "awr- RWA --"),
        .databaseStats: (.databaseStats("shop"), "awr- RWA --"),
        .subscribe: (.subscribe(.init(collection: "c", database: "shop")), "awr- RWA --"),
        .subscribeToEverything: (.subscribe(.init()), "awr- RWA o-"),
        .unsubscribe: (.unsubscribe, "awrg RWA og"),
        .beginTransaction: (.beginTransaction(.init()), "awrg RWA og"),
        .commitTransaction: (.commitTransaction(.init()), "awrg RWA og"),
        .abortTransaction: (.abortTransaction, "awrg RWA og"),
        .createUser: (.createUser(.init(username: "made", password: "x", role: "admin")), "a--- --- --"),
        .deleteUser: (.deleteUser("victim"), "a--- --- --"),
        .listUsers: (.listUsers, "a--- --- --"),
        .changePassword: (.changePassword(.init(username: "victim", newPassword: "x")), "a--- --- --"),
        .updateUser: (.updateUser(.init(username: "victim", role: "admin")), "a--- --- --"),
        .backup: (.backup(directory: "x"), "a--- --- --"),
        .compact: (.compact, "a--- --- --"),
        .importMongoDatabase: (.importMongo(.init(uri: "x", sourceDatabase: "shop")), "a--- --- --"),
        .importMongoCollection: (
            .importMongo(.init(uri: "x", sourceDatabase: "shop", sourceCollection: "c")), "a--- --- --"
        ),
        .apiKeys: (.apiKeys(.init(username: "victim", action: .create(label: ""))), "a--- --- --")
    ]

    private static let setting = Request.Write(.filter(encoded([:])), .update(encoded(["$set": ["a": 2]])))
    private static let shop = Request.Namespace(database: "shop", collection: "c")

    private static var manyDocuments: [UInt8] {
        var writer = MessagePackWriter()
        writer.write(Value.array([["a": 1]]))
        return writer.bytes
    }

    /// The users of the columns, each with a letter.
    static let users: [(letter: Character, user: User)] = [
        ("a", User(name: "a", role: .admin)), ("w", User(name: "w", role: .write)),
        ("r", User(name: "r", role: .read)), ("g", User(name: "g", role: .guest)),
        ("R", User(name: "R", role: .guest, grants: ["shop": .read])),
        ("W", User(name: "W", role: .read, grants: ["shop": .write])),
        ("A", User(name: "A", role: .guest, grants: ["shop": .admin, "other": .read])),
        ("o", User(name: "o", role: .write, grants: ["other": .admin])),
        ("g", User(name: "e", role: .write, grants: [:]))
    ]

    /// Row by row, the users who may.
    static func columns(_ permitted: String) -> [Bool] { permitted.filter { $0 != " " }.map { $0 != "-" } }

    @Test func everyRowIsTested() {
        for row in AccessTable.allCases {
            guard let (request, permitted) = Self.expectations[row] else {
                Issue.record("\(row) has no expectation: add a request and who may send it")
                continue
            }
            #expect(request.type == row.row.type, "\(row)")
            #expect(Self.columns(permitted).count == Self.users.count, "\(row)")
        }
    }

    /// A message that the protocol knows has a row: whatever byte a peer sends, something decides.
    @Test func everyMessageHasARow() {
        let types = Set(AccessTable.allCases.map(\.row.type))
        for byte in UInt8.min...UInt8.max {
            let type = MessageType(rawValue: byte)
            do {
                _ = try Request(type: type, payload: [0x80].span.bytes)
            } catch {
                if error.code == .unsupported { continue }
            }
            #expect(types.contains(type), "\(type) is served, and stands in no row of AccessTable")
        }
    }

    @Test(arguments: AccessTable.allCases) func everyCellIsRight(row: AccessTable) throws {
        let (request, permitted) = try #require(Self.expectations[row])
        for (column, may) in zip(Self.users, Self.columns(permitted)) {
            let refusal = RequiredAccess(request).refusal(for: column.user)
            #expect((refusal == nil) == may, "\(row) by \(column.user)")
            if let refusal {
                #expect(refusal.code == .permissionDenied)
                #expect(refusal.message.hasPrefix("Permission denied"))
            }
        }
    }

    /// The same through connections: what the table says is what happens, and a refused request changes nothing.
    @Test func everyCellHoldsOnTheWire() async throws {
        try await Running.with { server in
            let engine = server.engine
            for (_, user) in Self.users {
                try engine.createUser(user.name, password: "secret", role: user.role, grants: user.grants)
            }
            try engine.createUser("victim", password: "secret", role: .read)
            let root = try server.peer().logIn()
            try root.ask(.createDatabase("shop"))
            try root.ask(.insert(.init(namespace: Self.shop, document: encoded(["_id": "x", "a": 1]))))
            for row in AccessTable.allCases {
                let (request, permitted) = try #require(Self.expectations[row])
                for (column, may) in zip(Self.users, Self.columns(permitted)) where !may {
                    let peer = try server.peer().logIn(username: column.user.name, password: "secret")
                    let reply = try peer.ask(request)
                    #expect(
                        reply.type == .error && reply.fields["code"] == "permission-denied", "\(row) by \(column.user)")
                    #expect(try peer.ask(.ping).type == .pong, "the connection goes on")
                }
            }
            #expect(engine.user(named: "made") == nil)
            #expect(engine.user(named: "victim")?.role == .read)
            #expect(try engine.apiKeys(of: "victim").isEmpty)
            let document = try root.ask(.read(.init(namespace: Self.shop, id: "x"))).fields["document"]
            #expect(document?.document?["a"] == 1)
            #expect(try root.ask(.listCollections(database: "shop")).fields["collections"] == ["c"])
            // And who may is not refused; drops come last.
            for row in AccessTable.allCases where ![.connect, .dropDatabase, .dropDatabaseViaCollection].contains(row) {
                let (request, permitted) = try #require(Self.expectations[row])
                for (column, may) in zip(Self.users, Self.columns(permitted)) where may {
                    let peer = try server.peer().logIn(username: column.user.name, password: "secret")
                    #expect(try peer.ask(request).fields["code"] != "permission-denied", "\(row) by \(column.user)")
                }
            }
        }
    }

    @Test func listsShowWhatOneMayRead() async throws {
        try await Running.with { server in
            try server.engine.createUser("ann", password: "secret", role: .write, grants: ["shop": .read])
            let root = try server.peer().logIn()
            for name in ["shop", "other"] { try root.ask(.createDatabase(name)) }
            let ann = try server.peer().logIn(username: "ann")
            #expect(try ann.ask(.listDatabases(viaCollections: false)).fields["databases"] == ["shop"])
        }
    }
}
