import Glibc
import NexaValue

/// Builds the keys of documents: the collection's number in four bytes, then the encoded `_id`.
enum DocumentKey {
    /// The bytes before the `_id`.
    static let prefixLength = 4

    /// The key of a document.
    ///
    /// - Throws: `.badRequest` for an `_id` that `check` refuses.
    static func make(_ collection: UInt32, _ id: Value) throws(EngineError) -> [UInt8] {
        try check(id)
        var key = prefix(collection)
        switch id {
        case .int(let number): IDEncoding.append(number, to: &key)
        case .string(let text): IDEncoding.append(text, to: &key)
        default: break
        }
        return key
    }

    /// Refuses an `_id` that is neither a text of 1 to 1024 bytes nor a 64-bit integer.
    static func check(_ id: Value) throws(EngineError) {
        switch id {
        case .int: return
        case .string(let text):
            guard !text.isEmpty else { throw EngineError(.badRequest, "_id is an empty string") }
            guard text.utf8.count <= EngineLimits.maximumIDBytes else {
                throw EngineError(
                    .badRequest,
                    "_id is a string of \(text.utf8.count) bytes; the limit is \(EngineLimits.maximumIDBytes)")
            }
        case .uint: throw EngineError(.badRequest, "_id is an integer above 9223372036854775807")
        default:
            throw EngineError(.badRequest, "_id must be a string or an integer, not a value of kind \(id.kindName)")
        }
    }

    /// Whether one key stands before another in the tables.
    static func isRising(_ key: [UInt8], _ next: [UInt8]) -> Bool {
        key.withUnsafeBytes { key in
            next.withUnsafeBytes { next in
                guard let one = key.baseAddress, let other = next.baseAddress else { return key.count < next.count }
                let order = memcmp(one, other, min(key.count, next.count))
                return order < 0 || (order == 0 && key.count < next.count)
            }
        }
    }

    /// What the keys of all documents of a collection begin with; also the lowest bound of a scan.
    static func prefix(_ collection: UInt32) -> [UInt8] {
        withUnsafeBytes(of: collection.bigEndian) { Array($0) }
    }

    /// The bound above all documents of a collection.
    static func end(_ collection: UInt32) -> [UInt8] {
        prefix(collection) + [0xFF]
    }

    /// The `_id` in a key; `nil` for a key of another form.
    static func id(in key: UnsafeRawBufferPointer) -> Value? {
        var position = prefixLength
        guard let value = IDEncoding.read(key, at: &position), position == key.count else { return nil }
        return value
    }

    /// The ids that a request may mean: a text of decimal digits also names the integer, for clients that
    /// know ids as text only.
    static func candidates(_ id: Value) -> [Value] {
        guard let number = integer(named: id) else { return [id] }
        return [id, .int(number)]
    }

    /// The integer that a text of decimal digits names.
    static func integer(named id: Value) -> Int64? {
        guard case .string(let text) = id, let number = Int64(text), String(number) == text else { return nil }
        return number
    }
}

/// The key of a document whose `_id` is a short text, made without allocating. The bytes are those of `DocumentKey`.
struct ShortDocumentKey {
    private var bytes: InlineArray<64, UInt8>
    private var count = 0

    /// False for an `_id` that is no text, is too long, or has a NUL, which has to be escaped.
    var isUsable: Bool { count > 0 }

    init(_ collection: UInt32, _ id: Value) {
        bytes = InlineArray(repeating: 0)
        guard case .string(var text) = id else { return }
        let length = text.utf8.count
        guard length > 0, length <= 64 - DocumentKey.prefixLength - 3 else { return }
        count = DocumentKey.prefixLength + 1 + length + 2
        for position in 0..<DocumentKey.prefixLength {
            bytes[position] = UInt8(truncatingIfNeeded: collection >> UInt32(24 - 8 * position))
        }
        bytes[DocumentKey.prefixLength] = IDEncoding.string
        let start = DocumentKey.prefixLength + 1
        var hasNUL = false
        var target = bytes.mutableSpan
        text.withUTF8 { utf8 in
            for position in 0..<length {
                let byte = utf8[position]
                hasNUL = hasNUL || byte == 0
                target[start + position] = byte
            }
        }
        if hasNUL { count = 0 }
    }

    var span: RawSpan {
        @_lifetime(borrow self)
        get { bytes.span.bytes.extracting(0..<count) }
    }
}
