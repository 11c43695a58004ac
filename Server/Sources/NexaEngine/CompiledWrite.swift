import NexaQuery
import NexaValue

/// A write with its filter and its update compiled: whatever is wrong with them is known before anything is written.
struct CompiledWrite {
    enum Action {
        case insert([UInt8])
        case update(UpdateProgram)
        case replace([UInt8])
        case delete
    }

    let write: CollectionWrite
    let action: Action
    /// `nil` for the target `.id`.
    let filter: QueryFilter?
    let filterDocument: Document
    /// Whether one document may take as long as thousands do otherwise.
    var isCostly: Bool { filter?.isCostly == true || projection?.isCostly == true }
    /// `nil` for whole documents.
    let projection: Projection?
    /// The only ids that the target can mean, if it says so.
    let ids: [Value]?

    /// How large an encoded filter or the list of array filters may be.
    static let maximumFilterBytes = 4 << 20

    init(_ write: CollectionWrite) throws(EngineError) {
        self.write = write
        switch write.action {
        case .insert(let document):
            try Engine.validate(document)
            action = .insert(document)
        case .update(let update): action = .update(try Self.program(update, arrayFilters: write.arrayFilters))
        case .replace(let document):
            guard !write.isMany else {
                throw EngineError(.badRequest, "Many documents cannot be replaced by one; use update operators")
            }
            try Engine.validate(document)
            action = .replace(document)
        case .delete: action = .delete
        }
        guard !write.isMany || (write.sort.isNull && write.returned == nil) else {
            throw EngineError(.badRequest, "A sort order and a returned document are for writes to one document")
        }
        if case .delete = action, write.isUpsert { throw EngineError(.badRequest, "A deletion inserts nothing") }
        switch write.target {
        case .id(let id):
            filterDocument = ["_id": id]
            filter = nil
            ids = DocumentKey.candidates(id)
        case .filter(let bytes):
            let document = try Self.document(bytes, "filter")
            let compiled = try translatingQuery { () throws(QueryError) in try QueryFilter(compiling: document) }
            filterDocument = document
            filter = compiled
            // Other values cannot be an _id.
            if case .oneOf(let values) = compiled.idConstraint, write.sort.isNull {
                ids = values.filter { (try? DocumentKey.check($0)) != nil }
            } else {
                ids = nil
            }
        }
        let projection = try translatingQuery { () throws(QueryError) in try Projection(compiling: write.projection) }
        self.projection = projection.returnsWholeDocuments ? nil : projection
    }

    /// Compiles encoded operators.
    static func program(_ update: [UInt8], arrayFilters: [UInt8] = []) throws(EngineError) -> UpdateProgram {
        try Engine.validate(update)
        try translatingQuery { () throws(QueryError) in try UpdateProgram.checkValueCount(update.span.bytes) }
        let document: Document
        var filters: [Document] = []
        do throws(MessagePackError) {
            document = try MessagePack.decodeDocument(update)
            guard arrayFilters.count <= maximumFilterBytes else {
                throw MessagePackError(.truncated, at: arrayFilters.count)
            }
            let list = arrayFilters.isEmpty ? [] : try MessagePack.decode(arrayFilters).array ?? []
            for case .document(let filter) in list { filters.append(filter) }
            guard filters.count == list.count else {
                throw MessagePackError(.unexpectedKind(expected: "document", found: "another kind"), at: 0)
            }
        } catch {
            throw EngineError(.badRequest, "The update or its array filters are not acceptable: \(error)")
        }
        return try translatingQuery { () throws(QueryError) in
            try UpdateProgram(compiling: document, arrayFilters: filters)
        }
    }

    private static func document(_ bytes: [UInt8], _ what: String) throws(EngineError) -> Document {
        guard !bytes.isEmpty else { return [:] }
        guard bytes.count <= maximumFilterBytes else {
            throw EngineError(.limit, "The \(what) has \(bytes.count) bytes; the limit is \(maximumFilterBytes)")
        }
        do throws(MessagePackError) {
            return try MessagePack.decodeDocument(bytes)
        } catch {
            throw EngineError(.badRequest, "The \(what) is not acceptable MessagePack: \(error)")
        }
    }

    // MARK: Documents

    /// Whether a document is still what the target means; ids are not compared again.
    func means(_ document: [UInt8]) throws(EngineError) -> Bool {
        guard let filter, !filter.matchesEverything else { return true }
        return try translatingQuery { () throws(QueryError) in try filter.matches(document.span.bytes) }
    }

    /// What happens to a document; `nil` when it stays as it is.
    func change(
        _ key: [UInt8], _ id: Value, _ old: [UInt8], _ stamping: DocumentStamping
    ) throws(EngineError) -> DocumentChange? {
        switch action {
        case .insert: return nil
        case .delete: return DocumentChange(key: key, kind: .delete, old: old, new: nil)
        case .update(let program):
            let index: Int? =
                program.usesMatchedIndex
                ? try filter.flatMap { (filter) throws(EngineError) in
                    try translatingQuery { () throws(QueryError) in try filter.matchedIndex(in: old.span.bytes) }
                } : .none
            return try Self.change(program, key, id, old, stamping, matchedIndex: index)
        case .replace(let document):
            guard let new = try stamping.replace(old.span.bytes, by: document.span.bytes, id: id) else { return nil }
            return DocumentChange(
                key: key, kind: .update, old: old, new: new.bytes,
                fields: ChangeNote.updates(new.fields, removed: new.removed))
        }
    }

    /// What operators do to a document; `nil` when it stays as it is.
    static func change(
        _ program: UpdateProgram, _ key: [UInt8], _ id: Value, _ old: [UInt8], _ stamping: DocumentStamping,
        matchedIndex: Int? = nil
    ) throws(EngineError) -> DocumentChange? {
        let changes = try translatingQuery { () throws(QueryError) in
            try program.changes(to: old.span.bytes, matchedIndex: matchedIndex, now: WallClock.timestamp())
        }
        guard let changes else { return nil }
        let new = try stamping.merge(
            changes.fields.span.bytes, into: old.span.bytes, id: id, removing: changes.removed)
        return DocumentChange(
            key: key, kind: .update, old: old, new: new,
            fields: ChangeNote.updates(changes.fields, removed: changes.removed))
    }

    /// The document that an upsert inserts.
    func newDocument(_ stamping: DocumentStamping) throws(EngineError) -> StampedDocument {
        let document: Document
        switch action {
        case .update(let program):
            document = try translatingQuery { () throws(QueryError) -> Document in
                var document = try UpsertSeed.document(for: filterDocument)
                try program.apply(toNew: &document, now: WallClock.timestamp())
                return document
            }
        case .replace(let bytes):
            try translatingQuery { () throws(QueryError) in try UpdateProgram.checkValueCount(bytes.span.bytes) }
            var decoded: Document
            do throws(MessagePackError) { decoded = try MessagePack.decodeDocument(bytes) } catch {
                throw EngineError(error)
            }
            let seed = try translatingQuery { () throws(QueryError) in try UpsertSeed.document(for: filterDocument) }
            if let id = seed["_id"] {
                guard decoded["_id"] == nil || decoded["_id"] == id else {
                    throw EngineError(.badRequest, "The replacement has another _id than the filter")
                }
                decoded["_id"] = .some(id)
            }
            if let name = decoded.keys.first(where: { $0.utf8.first == 0x24 }) {
                throw EngineError(.badRequest, "A replacement document has no update operators; found '\(name)'")
            }
            document = decoded
        case .insert, .delete: throw EngineError(.badRequest, "Only updates and replacements insert what is not there")
        }
        let encoded = MessagePack.encode(document)
        guard encoded.count <= EngineLimits.maximumDocumentBytes else { throw .documentTooLarge(encoded.count) }
        return try stamping.stamp(encoded.span.bytes)
    }

    /// A document as it is returned.
    func returned(_ document: [UInt8]) throws(EngineError) -> [UInt8] {
        guard let projection else { return document }
        var writer = MessagePackWriter(capacity: document.count)
        try translatingQuery { () throws(QueryError) in try projection.apply(document.span.bytes, to: &writer) }
        return writer.bytes
    }
}

extension WallClock {
    /// The time with microseconds, as in the stamps.
    static func timestamp() -> Timestamp {
        let now = now()
        return Timestamp(seconds: Int64(now.seconds), nanoseconds: UInt32(now.nanoseconds / 1000 * 1000))
    }
}

extension ChangeNote {
    /// What a note tells of an update: the encoded map of fields, and behind it the names of those that are gone.
    static func updates(_ fields: [UInt8], removed: [String]) -> [UInt8] {
        removed.isEmpty ? fields : fields + MessagePack.encode(.array(removed.map { .string($0) }))
    }
}
