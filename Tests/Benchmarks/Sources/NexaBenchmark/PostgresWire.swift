import NexaValue

/// PostgreSQL: a film is a row of its id and a `jsonb`. Protocol 3, statements prepared once on each
/// connection, then Bind, Execute and Sync for each request: every request is a transaction of its own.
struct PostgresWire: WireProtocol {
    typealias Scanner = PostgresReplyScanner

    let name = "PostgreSQL"
    let numberForm = RequestTemplates.NumberForm.decimal
    let updateCarriesDocument = false

    private static let textType: UInt32 = 25
    private static let jsonbType: UInt32 = 3802
    private static let statements: [(name: String, sql: String, types: [UInt32])] = [
        ("load", "INSERT INTO films (id, doc) VALUES ($1, $2)", [textType, jsonbType]),
        ("insert", "INSERT INTO inserted (id, doc) VALUES ($1, $2)", [textType, jsonbType]),
        ("read", "SELECT doc FROM films WHERE id = $1", [textType]),
        ("update", "UPDATE films SET doc = doc || $2 WHERE id = $1", [textType, jsonbType]),
        ("query", "SELECT doc FROM films WHERE doc->'year' = $1", [jsonbType])
    ]

    func begin(_ connection: Connection<Scanner>) throws(BenchmarkError) -> String {
        var body: [UInt8] = [0, 3, 0, 0]
        for text in ["user", "postgres", "database", "postgres", "application_name", "nexa-bench"] {
            body.append(contentsOf: Self.cString(text))
        }
        body.append(0)
        let reply = try connection.exchange(Self.bigEndian(UInt32(body.count + 4)) + body)
        return try parameter("server_version", in: reply)
    }

    func createCollections(_ control: Connection<Scanner>) throws(BenchmarkError) {
        for table in ["films", "inserted"] {
            try run("DROP TABLE IF EXISTS \(table)", control)
            try run("CREATE TABLE \(table) (id text PRIMARY KEY, doc jsonb NOT NULL)", control)
        }
    }

    func removeInserted(_ control: Connection<Scanner>) throws(BenchmarkError) {
        try run("TRUNCATE inserted", control)
    }

    func countInserted(_ control: Connection<Scanner>) throws(BenchmarkError) -> Int {
        let reply = try control.exchange(Self.message("Q", Self.cString("SELECT count(*) FROM inserted")))
        guard let column = try firstColumns(in: reply).first else { return -1 }
        return Int(String(decoding: column, as: UTF8.self)) ?? -1
    }

    func prepareServer(_ control: Connection<Scanner>, for operation: Operation) throws(BenchmarkError) {
        // What autovacuum would do within a minute of the load.
        if operation == .read || operation == .query { try run("VACUUM ANALYZE films", control) }
    }

    /// Chooses the durability and, on the connection's first operation, prepares the statements.
    func prepare(_ connection: Connection<Scanner>, for operation: Operation) throws(BenchmarkError) {
        let isAsynchronous = operation.durability == .os
        try run("SET synchronous_commit = \(isAsynchronous ? "off" : "on")", connection)
        try run("DEALLOCATE ALL", connection)
        for (name, sql, types) in Self.statements {
            var body = Self.cString(name) + Self.cString(sql) + Self.bigEndian(UInt16(types.count))
            for type in types { body.append(contentsOf: Self.bigEndian(type)) }
            _ = try connection.exchange(Self.message("P", body) + Self.message("S", []))
        }
    }

    func request(_ operation: Operation, film: Document, year: Int64) throws(BenchmarkError) -> [UInt8]? {
        let id = Array(RequestTemplates.idPlaceholder.utf8)
        switch operation {
        case .load: return Self.execute("load", [id, try compactJSON(film)])
        case .insertOS, .insertSync: return Self.execute("insert", [id, try compactJSON(film)])
        case .read: return Self.execute("read", [id])
        case .updateOS, .updateSync:
            let change: Document = ["views": .int(Int64(RequestTemplates.numberPlaceholder))]
            return Self.execute("update", [id, try compactJSON(change)])
        case .query: return Self.execute("query", [Array("\(year)".utf8)])
        }
    }

    func document(inReply reply: [UInt8]) throws(BenchmarkError) -> Document {
        guard let column = try firstColumns(in: reply).first else { throw BenchmarkError("the reply has no row") }
        return try NexaBenchmark.document(fromJSON: column)
    }

    func documentCount(inReply reply: [UInt8]) throws(BenchmarkError) -> Int {
        try firstColumns(in: reply).count
    }

    // MARK: Messages

    private func run(_ sql: String, _ connection: Connection<Scanner>) throws(BenchmarkError) {
        do throws(BenchmarkError) {
            _ = try connection.exchange(Self.message("Q", Self.cString(sql)))
        } catch {
            throw BenchmarkError("\(sql): \(error)")
        }
    }

    /// Bind to the unnamed portal, all parameters and columns as text; Execute; Sync.
    private static func execute(_ statement: String, _ parameters: [[UInt8]]) -> [UInt8] {
        var bind = cString("") + cString(statement) + bigEndian(UInt16(0)) + bigEndian(UInt16(parameters.count))
        for parameter in parameters {
            bind.append(contentsOf: bigEndian(UInt32(parameter.count)))
            bind.append(contentsOf: parameter)
        }
        bind.append(contentsOf: bigEndian(UInt16(0)))
        let unlimited = bigEndian(UInt32(0))
        return message("B", bind) + message("E", cString("") + unlimited) + message("S", [])
    }

    private static func message(_ type: Unicode.Scalar, _ body: [UInt8]) -> [UInt8] {
        [UInt8(ascii: type)] + bigEndian(UInt32(body.count + 4)) + body
    }

    private static func cString(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

    private static func bigEndian(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }

    /// The first column of every row in a reply.
    private func firstColumns(in reply: [UInt8]) throws(BenchmarkError) -> [ArraySlice<UInt8>] {
        var columns: [ArraySlice<UInt8>] = []
        var offset = 0
        while let message = try PostgresMessage(in: reply.span, at: offset) {
            offset = message.body.upperBound
            guard message.type == UInt8(ascii: "D"), message.body.count >= 6 else { continue }
            columns.append(reply[message.body].dropFirst(6))
        }
        return columns
    }

    /// A ParameterStatus that the server sends at the start of a session.
    private func parameter(_ name: String, in reply: [UInt8]) throws(BenchmarkError) -> String {
        var offset = 0
        while let message = try PostgresMessage(in: reply.span, at: offset) {
            offset = message.body.upperBound
            guard message.type == UInt8(ascii: "S") else { continue }
            let words = reply[message.body].split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            if words.count == 2, words[0] == name { return words[1] }
        }
        throw BenchmarkError("the server does not tell its \(name)")
    }
}
