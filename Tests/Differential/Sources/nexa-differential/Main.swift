import Glibc
import NexaEngine
import NexaQuery
import NexaValue

/// Answers the questions of `oracle.py`: a JSON object per line in, a JSON object per line out.
@main struct Main {
    static func main() async {
        guard CommandLine.arguments.count == 2 else {
            print("usage: nexa-differential DIRECTORY")
            exit(64)
        }
        do {
            var options = EngineOptions()
            options.documentCacheBytes = 1 << 20
            let engine = try Engine.open(at: CommandLine.arguments[1], options: options)
            let session = Session(engine: engine)
            while let line = readLine(strippingNewline: true) {
                let answer: Document
                do {
                    answer = try await session.answer(
                        JSON.decodeDocument(line, JSON.Options(readsExtendedForms: true)))
                } catch let error as EngineError {
                    answer = ["error": .string(error.message), "code": .string(error.code.rawValue)]
                }
                write(try JSON.string(.document(answer)) + "\n")
            }
            engine.close()
        } catch {
            print("nexa-differential: \(error)")
            exit(1)
        }
    }
}

/// Writes at once: the other side waits for the line.
private func write(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
        guard count > 0 else { exit(1) }
        bytes = bytes.dropFirst(count)
    }
}

/// The collection that is asked about.
struct Session {
    let engine: Engine
    private let database = "default"
    private let collection = "c"

    init(engine: Engine) { self.engine = engine }

    struct Unknown: Error { var command: String }

    func answer(_ question: Document) async throws -> Document {
        let filter = question["filter"]?.document ?? [:]
        switch question["cmd"]?.string ?? "" {
        case "reset":
            try? await engine.dropCollection(database: database, name: collection)
            let documents = (question["documents"]?.array ?? []).compactMap(\.document)
            try await engine.createCollection(database: database, name: collection)
            try await engine.insert(contentsOf: documents, database: database, collection: collection, durability: .os)
            return ["ok": 1]
        case "find":
            var options = QueryOptions()
            options.sort = question["sort"] ?? .null
            options.skip = Int(question["skip"]?.int ?? 0)
            options.limit = Int(question["limit"]?.int ?? 0)
            options.projection = question["projection"]?.document ?? [:]
            let found = try engine.find(filter, database: database, collection: collection, options: options)
            return ["ok": Self.shown(found)]
        case "update", "delete":
            let encoded = MessagePack.encode(filter)
            let update = MessagePack.encode(question["update"]?.document ?? [:])
            var write = CollectionWrite(
                .filter(encoded), question["cmd"] == "update" ? .update(update) : .delete)
            write.isMany = question["many"]?.bool ?? false
            let result = try await engine.write(write, database: database, collection: collection)
            return ["ok": .int(Int64(question["cmd"] == "update" ? result.matched : result.deleted))]
        case "aggregate":
            let stages = (question["pipeline"]?.array ?? []).compactMap(\.document)
            return ["ok": Self.shown(try engine.aggregate(stages, database: database, collection: collection))]
        case "out":
            let stages = (question["pipeline"]?.array ?? []).compactMap(\.document)
            _ = try engine.aggregate(stages, database: database, collection: collection)
            var options = QueryOptions()
            options.sort = ["_id": 1]
            return ["ok": Self.shown(try engine.find(database: database, collection: "o", options: options))]
        case "distinct":
            let execution = try engine.distinct(
                database: database, collection: collection, field: question["field"]?.string ?? "", filter: filter)
            while try execution.step(budget: 4096) == .more {}
            return ["ok": .array(execution.values)]
        case "index":
            for field in question["fields"]?.array ?? [] {
                let definition = IndexDefinition(keys: [.init(field.string ?? "")])
                _ = await withCheckedContinuation { continuation in
                    engine.createIndex(database: database, collection: collection, definition: definition) {
                        continuation.resume(returning: $0)
                    }
                }
            }
            return ["ok": 1]
        case "all": return ["ok": Self.shown(try engine.find(database: database, collection: collection))]
        case let command: throw Unknown(command: command)
        }
    }

    /// Without the times that the engine keeps in every document, which the oracle does not have.
    static func shown(_ documents: [Document]) -> Value {
        .array(
            documents.map { document in
                var document = document
                document["_created_at"] = nil
                document["_updated_at"] = nil
                return .document(document)
            })
    }
}
