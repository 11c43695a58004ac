import NexaQuery
import NexaStorage
import NexaValue

/// Reads an export of MongoDB into collections, in batches: memory does not depend on its size.
///
/// An `_id` that is neither a text nor an integer becomes a text: an ObjectId its hexadecimal digits, anything else its
/// Extended JSON. Other values become what `BSONTranscoder` says.
public struct MongoImport {
    /// What was imported of one collection.
    public struct Outcome: Sendable, Hashable {
        /// The collection here.
        public var name: String
        /// Documents that were inserted.
        public var count: Int
        /// What is not as it was in MongoDB, in words.
        public var warnings: [String]
    }

    private static let batchDocuments = 1000
    private static let batchBytes = 4 << 20

    private let engine: Engine
    private let export: MongoExport
    /// Throws when the import should end; asked once for each batch.
    private let check: () throws(EngineError) -> Void

    /// Prepares an import.
    ///
    /// - Parameters:
    ///   - root: the directory of the export, without links in its path.
    ///   - check: throws when the import should end; asked once for each batch.
    public init(from root: String, into engine: Engine, check: @escaping () throws(EngineError) -> Void = {}) {
        self.engine = engine
        export = MongoExport(root: root)
        self.check = check
    }

    /// Imports all collections of a database. Blocks.
    ///
    /// - Parameters:
    ///   - source: the database in the export.
    ///   - database: where its collections go.
    ///   - dropsExisting: whether collections of the same names are dropped before.
    /// - Throws: `.badRequest` for an export that cannot be read, `.duplicateID`, and what `check` throws. What was
    ///   inserted until then stays; the message says how much that is.
    public func importDatabase(
        _ source: String, into database: String, dropsExisting: Bool
    ) throws(EngineError) -> [Outcome] {
        var outcomes: [Outcome] = []
        for collection in try export.collections(of: source) {
            outcomes.append(
                try read(collection, into: database, collection.name, dropsExisting: dropsExisting))
        }
        return outcomes
    }

    /// Imports one collection. Blocks; see `importDatabase`.
    public func importCollection(
        _ name: String, of source: String, into database: String, _ collection: String, dropsExisting: Bool
    ) throws(EngineError) -> Outcome {
        try read(try export.collection(name, of: source), into: database, collection, dropsExisting: dropsExisting)
    }

    private func read(
        _ source: MongoExport.Collection, into database: String, _ name: String, dropsExisting: Bool
    ) throws(EngineError) -> Outcome {
        let file = try ExportFile(source.path)
        if dropsExisting {
            let result = waiting { engine.dropCollection(database: database, name: name, completion: $0) }
            if case .failure(let error) = result, error.code != .notFound { throw error }
        }
        try waiting { engine.createCollection(database: database, name: name, completion: $0) }.get()
        var outcome = Outcome(name: name, count: 0, warnings: [])
        do throws(EngineError) {
            while try insertBatch(of: file, database, &outcome) {}
        } catch {
            var error = error
            error.message +=
                " (collection '\(name)': \(outcome.count) documents were imported before, and stay)"
            if error.code == .duplicateID, error.advice == nil {
                error.advice = "Import with drop_existing to replace the collection"
            }
            throw error
        }
        if let path = source.metadataPath { try makeIndexes(path, database, &outcome) }
        return outcome
    }

    /// Inserts the next batch; false behind the last document.
    private func insertBatch(
        of file: ExportFile, _ database: String, _ outcome: inout Outcome
    ) throws(EngineError) -> Bool {
        try check()
        var documents = MessagePackWriter()
        var count = 0
        var isMore = true
        while count < Self.batchDocuments, documents.count < Self.batchBytes {
            let start = documents.count
            isMore = try file.next(into: &documents)
            guard isMore else { break }
            try Self.settleID(from: start, &documents)
            count += 1
        }
        guard count > 0 else { return false }
        var batch = MessagePackWriter(capacity: documents.count + 8)
        batch.writeArrayHead(count: count)
        batch.writeRaw(documents.span)
        let result = waiting { done in
            engine.insertMany(
                database: database, collection: outcome.name, documents: batch.bytes, durability: .sync,
                completion: done)
        }
        outcome.count += try result.get().count
        return isMore
    }

    /// Makes an `_id` a text where it is neither a text nor an integer.
    private static func settleID(from start: Int, _ writer: inout MessagePackWriter) throws(EngineError) {
        var document: Document
        do throws(MessagePackError) {
            let bytes = writer.span.extracting(start..<writer.count)
            switch try RawDocument(bytes).value(forKey: "_id")?.head {
            case nil, .string, .int: return
            default: document = try MessagePack.decodeDocument(bytes)
            }
        } catch {
            throw EngineError(.badRequest, "A document cannot be read: \(error)")
        }
        guard let id = document["_id"] else { return }
        if let number = id.int {
            document["_id"] = .int(number)
        } else {
            do throws(JSONEncodingError) {
                let text = try JSON.string(id, JSON.EncodingOptions(nonFiniteNumbers: .extendedForm))
                // A point in time is a text in quotes.
                document["_id"] = .string(text.hasPrefix("\"") ? String(text.dropFirst().dropLast()) : text)
            } catch {
                throw EngineError(.badRequest, "An _id cannot become a text: \(error)")
            }
        }
        writer.truncate(to: start)
        writer.write(document)
    }

    // MARK: Indexes

    /// Makes the indexes that `mongodump` has written down. They are built in the background.
    private func makeIndexes(
        _ path: String, _ database: String, _ outcome: inout Outcome
    ) throws(EngineError) {
        let file = try ExportFile(path)
        var writer = MessagePackWriter()
        guard try file.next(into: &writer), let metadata = try? MessagePack.decodeDocument(writer.span) else { return }
        if metadata["options"]?.document?.isEmpty == false {
            outcome.warnings.append("The options of the collection, such as a validator, are not taken over")
        }
        for index in metadata["indexes"]?.array ?? [] {
            guard let index = index.document, let keys = index["key"]?.document else { continue }
            if keys.keys == ["_id"] { continue }
            let name = index["name"]?.string ?? keys.keys.joined(separator: "_")
            var definition: Document = ["name": .string(name), "keys": .document(keys)]
            for (old, new) in [
                ("unique", "unique"), ("sparse", "sparse"), ("partialFilterExpression", "partial"),
                ("expireAfterSeconds", "expire_after")
            ] {
                definition[new] = index[old]
            }
            let special = ["collation", "wildcardProjection", "weights", "2dsphereIndexVersion"].filter {
                index[$0] != nil
            }
            do throws(EngineError) {
                guard special.isEmpty else { throw EngineError(.badRequest, "\(special[0]) is not supported") }
                let checked = try IndexDefinition(definition)
                _ = try waiting {
                    engine.createIndex(
                        database: database, collection: outcome.name, definition: checked, completion: $0)
                }.get()
            } catch {
                outcome.warnings.append("The index '\(name)' was not made: \(error.message)")
            }
        }
    }

    /// Waits for the completion of a call.
    private func waiting<Success: Sendable>(
        _ start: (@escaping @Sendable (Result<Success, EngineError>) -> Void) -> Void
    ) -> Result<Success, EngineError> {
        let result = Monitor<Result<Success, EngineError>?>(nil)
        start { outcome in
            result.withLock { $0 = outcome }
            result.wakeAll()
        }
        let lost = Result<Success, EngineError>.failure(EngineError(.shuttingDown, "The server is shutting down"))
        return result.wait(until: { $0 != nil }, deadline: { _ in nil }, then: { $0 ?? lost })
    }
}
