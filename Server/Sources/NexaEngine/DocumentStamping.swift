import NexaValue

/// The names of the fields that the engine keeps.
enum MetaField {
    static let id = Array("_id".utf8)
    static let createdAt = Array("_created_at".utf8)
    static let updatedAt = Array("_updated_at".utf8)
    static let vector = Array("vector".utf8)
}

/// A document as it will be stored.
struct StampedDocument {
    /// The `_id`: the client's or a new one.
    var id: Value
    /// Whether the client chose it, so that it may be taken already.
    var isClientID: Bool
    /// The encoded document: `_id`, `_created_at`, `_updated_at`, then the client's fields in their order.
    var bytes: [UInt8]
    /// Whether there is a field `vector`.
    var mayHaveVector: Bool
}

/// Puts `_id` and the time stamps in front of encoded documents, and merges encoded updates into them,
/// without decoding the other fields.
struct DocumentStamping {
    /// The time to stamp with, as RFC 3339.
    let now: [UInt8]
    let identifiers: DocumentIDGenerator
    /// What the collection demands of a list under `vector`; 0 for nothing.
    let vectorDimensions: Int

    /// Stamps a new document. The bytes have been validated and are one map.
    func stamp(_ document: RawSpan) throws(EngineError) -> StampedDocument {
        var fields = try Fields(document, dimensions: vectorDimensions)
        let idBytes = fields.take(MetaField.id, of: document)
        let created = fields.take(MetaField.createdAt, of: document)
        let updated = fields.take(MetaField.updatedAt, of: document)
        let id: Value
        if let idBytes {
            id = try Self.decode(document, idBytes)
            try DocumentKey.check(id)
        } else {
            id = .string(identifiers.next().rawValue)
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(document.byteCount + 128)
        Self.appendMapHead(fields.count + 3, to: &bytes)
        Self.appendText(MetaField.id, to: &bytes)
        if let idBytes {
            Self.append(document, idBytes, to: &bytes)
        } else {
            bytes.append(contentsOf: MessagePack.encode(id))
        }
        Self.appendText(MetaField.createdAt, to: &bytes)
        append(document, created, to: &bytes)
        Self.appendText(MetaField.updatedAt, to: &bytes)
        append(document, updated, to: &bytes)
        for range in fields.runs { Self.append(document, range, to: &bytes) }
        return StampedDocument(
            id: id, isClientID: idBytes != nil, bytes: bytes,
            mayHaveVector: fields.index(of: MetaField.vector, in: document) != nil)
    }

    /// Merges updates into a stored document: their fields replace those of the same name, in place, or are
    /// appended. The identity and the time of creation stay; the time of the update is now.
    ///
    /// - Parameter removed: fields that are left out.
    /// - Throws: `.badRequest` for names of operators, and for an `_id` other than the document's.
    func merge(
        _ updates: RawSpan, into document: RawSpan, id: Value, removing removed: [String] = []
    ) throws(EngineError) -> [UInt8] {
        var changes = try Fields(updates, dimensions: vectorDimensions)
        if let entry = changes.remaining.first(where: \.isOperator) {
            let name = updates.extracting(entry.key).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            throw EngineError(
                .badRequest, "An update has either fields or operators; '\(name)' stands beside fields",
                advice: "Put the fields below $set")
        }
        if let range = changes.take(MetaField.id, of: updates) {
            guard try Self.decode(updates, range) == id else {
                throw EngineError(.badRequest, "_id cannot be changed by an update")
            }
        }
        _ = changes.take(MetaField.createdAt, of: updates)
        _ = changes.take(MetaField.updatedAt, of: updates)
        var fields = try Fields(document, dimensions: 0)
        let storedID = fields.take(MetaField.id, of: document)
        let created = fields.take(MetaField.createdAt, of: document)
        _ = fields.take(MetaField.updatedAt, of: document)
        fields.remove(removed, of: document)
        let finder = FieldFinder(changes, of: updates)
        var isUsed = [Bool](repeating: false, count: changes.count)
        var body: [UInt8] = []
        body.reserveCapacity(document.byteCount + updates.byteCount)
        var count = 3
        for entry in fields.remaining {
            count += 1
            Self.append(document, entry.keyStart..<entry.value.lowerBound, to: &body)
            if let position = finder.position(of: document.extracting(entry.key), in: updates) {
                isUsed[position] = true
                Self.append(updates, changes.remaining[position].value, to: &body)
            } else {
                Self.append(document, entry.value, to: &body)
            }
        }
        for (position, entry) in changes.remaining.enumerated() where !isUsed[position] {
            count += 1
            Self.append(updates, entry.keyStart..<entry.value.upperBound, to: &body)
        }
        return try assembled(document, storedID, id, created, count: count, body: body)
    }

    /// What a replacement changes.
    struct Replacement {
        /// The whole new document.
        var bytes: [UInt8]
        /// The new and the changed fields, as an encoded map.
        var fields: [UInt8]
        var removed: [String]
    }

    /// Puts the fields of another document in the place of those of a stored one; `nil` when they are the same.
    ///
    /// - Throws: as `merge`.
    func replace(
        _ document: RawSpan, by replacement: RawSpan, id: Value
    ) throws(EngineError) -> Replacement? {
        var new = try Fields(replacement, dimensions: vectorDimensions)
        try Self.checkReplacement(new, replacement)
        if let range = new.take(MetaField.id, of: replacement) {
            guard try Self.decode(replacement, range) == id else {
                throw EngineError(.badRequest, "_id cannot be changed by a replacement")
            }
        }
        _ = new.take(MetaField.createdAt, of: replacement)
        _ = new.take(MetaField.updatedAt, of: replacement)
        var old = try Fields(document, dimensions: 0)
        let storedID = old.take(MetaField.id, of: document)
        let created = old.take(MetaField.createdAt, of: document)
        _ = old.take(MetaField.updatedAt, of: document)
        let finder = FieldFinder(old, of: document)
        var isUsed = [Bool](repeating: false, count: old.count)
        var body: [UInt8] = []
        body.reserveCapacity(replacement.byteCount)
        var changed: [UInt8] = []
        var changedCount = 0
        var isSame = new.count == old.count
        for (place, entry) in new.remaining.enumerated() {
            let whole = entry.keyStart..<entry.value.upperBound
            Self.append(replacement, whole, to: &body)
            if let position = finder.position(of: replacement.extracting(entry.key), in: document) {
                isUsed[position] = true
                isSame = isSame && position == place
                let value = document.extracting(old.remaining[position].value)
                if value.elementsEqual(replacement.extracting(entry.value)) { continue }
            }
            isSame = false
            changedCount += 1
            Self.append(replacement, whole, to: &changed)
        }
        if isSame { return nil }
        var removed: [String] = []
        for (position, entry) in old.remaining.enumerated() where !isUsed[position] {
            removed.append(document.extracting(entry.key).withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
        }
        var fields: [UInt8] = []
        Self.appendMapHead(changedCount, to: &fields)
        return Replacement(
            bytes: try assembled(document, storedID, id, created, count: new.count + 3, body: body),
            fields: fields + changed, removed: removed)
    }

    private static func checkReplacement(_ fields: Fields, _ document: RawSpan) throws(EngineError) {
        guard let entry = fields.remaining.first(where: \.isOperator) else { return }
        let name = document.extracting(entry.key).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        throw EngineError(.badRequest, "A replacement document has no update operators; found '\(name)'")
    }

    /// The fields that the engine keeps, of a stored document, in front of others.
    private func assembled(
        _ document: RawSpan, _ storedID: Range<Int>?, _ id: Value, _ created: Range<Int>?, count: Int, body: [UInt8]
    ) throws(EngineError) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(body.count + 128)
        Self.appendMapHead(count, to: &bytes)
        Self.appendText(MetaField.id, to: &bytes)
        if let storedID {
            Self.append(document, storedID, to: &bytes)
        } else {
            bytes.append(contentsOf: MessagePack.encode(id))
        }
        Self.appendText(MetaField.createdAt, to: &bytes)
        append(document, created, to: &bytes)
        Self.appendText(MetaField.updatedAt, to: &bytes)
        Self.appendText(now, to: &bytes)
        bytes.append(contentsOf: body)
        guard bytes.count <= EngineLimits.maximumDocumentBytes + 256 else {
            throw .documentTooLarge(bytes.count)
        }
        return bytes
    }

    // MARK: Bytes

    /// The value in a range, or the time stamp when there is none.
    private func append(_ source: RawSpan, _ range: Range<Int>?, to bytes: inout [UInt8]) {
        if let range { Self.append(source, range, to: &bytes) } else { Self.appendText(now, to: &bytes) }
    }

    private static func append(_ source: RawSpan, _ range: Range<Int>, to bytes: inout [UInt8]) {
        source.extracting(range).withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    /// A string of at most 31 bytes.
    private static func appendText(_ text: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(0xA0 | UInt8(truncatingIfNeeded: text.count))
        bytes.append(contentsOf: text)
    }

    private static func appendMapHead(_ count: Int, to bytes: inout [UInt8]) {
        switch count {
        case ..<16: bytes.append(0x80 | UInt8(truncatingIfNeeded: count))
        case ..<(1 << 16):
            bytes.append(0xDE)
            withUnsafeBytes(of: UInt16(truncatingIfNeeded: count).bigEndian) { bytes.append(contentsOf: $0) }
        default:
            bytes.append(0xDF)
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: count).bigEndian) { bytes.append(contentsOf: $0) }
        }
    }

    private static func decode(_ source: RawSpan, _ range: Range<Int>) throws(EngineError) -> Value {
        do throws(MessagePackError) {
            return try MessagePack.decode(source.extracting(range))
        } catch {
            throw EngineError(error)
        }
    }
}

/// Where the fields of an encoded map lie.
private struct Fields {
    struct Entry {
        /// Where the key begins, its head included.
        var keyStart: Int
        /// The text of the key.
        var key: Range<Int>
        var value: Range<Int>
        /// Whether the key begins with `$`.
        var isOperator: Bool
    }

    /// The fields that were not taken, in order.
    private(set) var remaining: [Entry] = []
    var count: Int { remaining.count }

    init(_ map: RawSpan, dimensions: Int) throws(EngineError) {
        do throws(MessagePackError) {
            var reader = MessagePackReader(map)
            let count = try reader.readMapHead()
            remaining.reserveCapacity(count)
            for _ in 0..<count {
                let keyStart = reader.position
                let key = try reader.readKey()
                let start = reader.position
                try reader.skip()
                remaining.append(
                    Entry(
                        keyStart: keyStart, key: start - key.byteCount..<start, value: start..<reader.position,
                        isOperator: key.withUnsafeBytes { $0.first } == UInt8(ascii: "$")))
            }
        } catch {
            throw EngineError(error)
        }
        if dimensions > 0, let index = index(of: MetaField.vector, in: map) {
            let head = RawValue(span: map, offset: remaining[index].value.lowerBound).head
            if case .array(let found)? = head, found != dimensions {
                throw EngineError(
                    .badRequest, "Vector dimension mismatch: collection expects \(dimensions) dimensions, got \(found)")
            }
        }
    }

    /// The bytes of the fields: those side by side in one piece.
    var runs: [Range<Int>] {
        var runs: [Range<Int>] = []
        for entry in remaining {
            if let last = runs.last, last.upperBound == entry.keyStart {
                runs[runs.count - 1] = last.lowerBound..<entry.value.upperBound
            } else {
                runs.append(entry.keyStart..<entry.value.upperBound)
            }
        }
        return runs
    }

    func index(of key: [UInt8], in map: RawSpan) -> Int? {
        let key = key.span.bytes
        for (index, entry) in remaining.enumerated() where entry.key.count == key.byteCount {
            if map.extracting(entry.key).elementsEqual(key) { return index }
        }
        return nil
    }

    /// Removes fields by name.
    mutating func remove(_ names: [String], of map: RawSpan) {
        guard !names.isEmpty else { return }
        let gone = Set(names.map { Array($0.utf8) })
        var kept: [Entry] = []
        for entry in remaining where !gone.contains(map.extracting(entry.key).withUnsafeBytes { Array($0) }) {
            kept.append(entry)
        }
        remaining = kept
    }

    /// Removes a field and returns where its value is.
    mutating func take(_ key: [UInt8], of map: RawSpan) -> Range<Int>? {
        guard let index = index(of: key, in: map) else { return nil }
        return remaining.remove(at: index).value
    }
}

/// Finds fields by name: a few by comparing, many by a table, since comparing all with all would be quadratic.
private struct FieldFinder {
    private let fields: [Fields.Entry]
    private var table: [[UInt8]: Int] = [:]

    init(_ fields: Fields, of map: RawSpan) {
        self.fields = fields.remaining
        guard fields.count > 8 else { return }
        for (position, entry) in fields.remaining.enumerated() {
            table[map.extracting(entry.key).withUnsafeBytes { Array($0) }] = position
        }
    }

    /// The place of the field with a name; `map` is the one that the finder was made of.
    func position(of name: RawSpan, in map: RawSpan) -> Int? {
        if !table.isEmpty { return table[name.withUnsafeBytes { Array($0) }] }
        for (position, entry) in fields.enumerated() where entry.key.count == name.byteCount {
            if map.extracting(entry.key).elementsEqual(name) { return position }
        }
        return nil
    }
}

extension EngineError {
    init(_ error: MessagePackError) {
        self.init(.badRequest, "The document is not acceptable MessagePack: \(error)")
    }

    static func documentTooLarge(_ count: Int) -> EngineError {
        EngineError(
            .limit, "The document has \(count) bytes; the limit is \(EngineLimits.maximumDocumentBytes)",
            advice: "Split it into several documents")
    }
}
