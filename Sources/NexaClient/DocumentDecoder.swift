public import NexaValue

extension Document {
    /// Reads the document as a model.
    ///
    /// - Throws: `NexaError` with `.decoding`, whose sentence names the path and both types, such as
    ///   `orders[3].total: expected Int, found string`.
    public func decode<Model: Decodable>(
        _ type: Model.Type, coding: ModelCoding = .standard
    ) throws(NexaError) -> Model {
        if let document = self as? Model { return document }
        return try EncodedDecoder.decode(type, MessagePack.encode(self), at: 0, coding)
    }
}

extension Value {
    /// Reads the value as anything decodable.
    ///
    /// - Throws: `NexaError` with `.decoding`, whose sentence names the path and both types.
    public func decode<Model: Decodable>(
        _ type: Model.Type, coding: ModelCoding = .standard
    ) throws(NexaError) -> Model {
        try EncodedDecoder.decode(type, MessagePack.encode(self), at: 0, coding)
    }
}

/// What all decoders of one model share.
final class DecodingSource: Sendable {
    let bytes: [UInt8]
    let coding: ModelCoding

    init(_ bytes: [UInt8], _ coding: ModelCoding) {
        self.bytes = bytes
        self.coding = coding
    }
}

/// Where a container stands in the model. Kept as a chain that is only spelled out for an error.
final class DecodingPath: Sendable {
    private let parent: DecodingPath?
    private let key: any CodingKey
    let depth: Int

    init(_ parent: DecodingPath?, _ key: any CodingKey) {
        self.parent = parent
        self.key = key
        depth = (parent?.depth ?? 0) + 1
    }

    var keys: [any CodingKey] { (parent?.keys ?? []) + [key] }
}

/// The `Decoder` over one encoded value: from the bytes of a reply into a model, without a tree of values between.
///
/// Bytes are checked as they are read: malformed ones end in a `DecodingError`.
struct EncodedDecoder: Decoder {
    let source: DecodingSource
    /// Where the value begins.
    let offset: Int
    /// The way to the value, its own key included; `nil` at the top.
    let path: DecodingPath?

    /// Reads the value at an offset as a model.
    static func decode<Model: Decodable>(
        _ type: Model.Type, _ bytes: [UInt8], at offset: Int, _ coding: ModelCoding
    ) throws(NexaError) -> Model {
        do {
            return try EncodedDecoder(source: DecodingSource(bytes, coding), offset: offset, path: nil).unwrap(type)
        } catch let error as DecodingError {
            throw NexaError(.decoding, error.sentence, underlying: error)
        } catch {
            throw NexaError(.decoding, "The model's init(from:) failed", underlying: error)
        }
    }

    var codingPath: [any CodingKey] { path?.keys ?? [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    /// The decoder of a value inside this one.
    func inner(_ offset: Int, _ key: any CodingKey) -> EncodedDecoder {
        EncodedDecoder(source: source, offset: offset, path: DecodingPath(path, key))
    }

    /// The head of the value.
    func head() throws -> MessagePackReader.Head {
        let bytes = source.bytes
        var reader = MessagePackReader(bytes.span.bytes, at: offset)
        do throws(MessagePackError) {
            return try reader.readHead()
        } catch {
            throw malformed(error)
        }
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        try checkDepth()
        guard case .map = try head() else { throw mismatch("a document", as: Document.self) }
        do throws(MessagePackError) {
            return KeyedDecodingContainer(KeyedFields<Key>(decoder: self, fields: try FieldIndex(source.bytes, offset)))
        } catch {
            throw malformed(error)
        }
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try checkDepth()
        switch try head() {
        case .array(let count):
            let bytes = source.bytes
            var reader = MessagePackReader(bytes.span.bytes, at: offset)
            _ = try? reader.readHead()
            return ArrayElements(decoder: self, elementCount: count, firstOffset: reader.position)
        case .bytes:
            guard let binary = try value().bytes else { throw mismatch("an array", as: [Value].self) }
            return ByteElements(bytes: binary, decoder: self)
        default: throw mismatch("an array", as: [Value].self)
        }
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    /// Deeper than any server stores means hostile bytes, and a stack has an end.
    private func checkDepth() throws {
        guard (path?.depth ?? 0) <= MessagePack.Limits.standard.maximumDepth else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: [], debugDescription: "the document is nested too deeply"))
        }
    }

    /// The value decoded whole.
    func value() throws -> Value {
        let bytes = source.bytes
        var reader = MessagePackReader(bytes.span.bytes, at: offset)
        do throws(MessagePackError) {
            return try reader.readValue()
        } catch {
            throw malformed(error)
        }
    }

    /// Reads any type; those that a document holds as they are do not go through their `init(from:)`.
    func unwrap<T: Decodable>(_ type: T.Type) throws -> T {
        if type == Value.self, let value = try value() as? T { return value }
        if type == Document.self {
            guard let document = try value().document as? T else { throw mismatch("a document", as: Document.self) }
            return document
        }
        if type == Timestamp.self, let timestamp = try date() as? T { return timestamp }
        // An integer `_id` reads as the text of the id.
        if type == DocumentID.self, case .int(let number) = try head(), let id = DocumentID("\(number)") as? T {
            return id
        }
        if type == [UInt8].self, case .bytes = try head(), let bytes = try value().bytes as? T { return bytes }
        if type == [Float].self, let vector = vector(Float.init, Float.init, Float.init) as? T { return vector }
        if type == [Double].self, let list = vector({ $0 }, Double.init, Double.init) as? T { return list }
        switch FoundationType.of(type) {
        case .date: return try decodeDate(type)
        case .uuid: return try decodeUUID(type)
        case .data, nil: return try T(from: self)
        }
    }

    // MARK: Errors

    func mismatch(_ expected: String, as type: Any.Type) -> DecodingError {
        guard let head = try? head() else { return malformed(MessagePackError(.truncated, at: offset)) }
        let context = DecodingError.Context(
            codingPath: codingPath, debugDescription: "expected \(expected), found \(head.kindName)")
        return head == .null ? .valueNotFound(type, context) : .typeMismatch(type, context)
    }

    func doesNotFit(_ type: Any.Type) -> DecodingError {
        .dataCorrupted(.init(codingPath: codingPath, debugDescription: "the number does not fit in \(type)"))
    }

    func malformed(_ error: MessagePackError) -> DecodingError {
        .dataCorrupted(.init(codingPath: codingPath, debugDescription: "the reply is malformed: \(error)"))
    }
}

extension DecodingError {
    /// The path and what is wrong there.
    fileprivate var sentence: String {
        let context: Context
        switch self {
        case .typeMismatch(_, let found), .valueNotFound(_, let found), .keyNotFound(_, let found),
            .dataCorrupted(let found):
            context = found
        @unknown default: return "The document cannot be read as the model"
        }
        let path = context.codingPath.pathText
        return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
    }
}
