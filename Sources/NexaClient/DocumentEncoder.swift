public import NexaValue

extension Document {
    /// Writes a model as a document.
    ///
    /// Integers, floating point numbers, booleans, text, arrays and nested models become the values of the same
    /// kind, a `[Float]` a `.vector`; `nil` properties are left out where the model's `encode` leaves them out, as synthesized ones do.
    /// - Throws: `NexaError` with `.encoding`, naming the path, when the model is not a document or its `encode` throws.
    public static func encode(
        _ model: some Encodable, coding: ModelCoding = .standard
    ) throws(NexaError) -> Document {
        if let document = model as? Document { return document }
        let value = try Value.encode(model, coding: coding)
        guard let document = value.document else {
            throw NexaError(.encoding, "A model must encode as a document with fields, not as \(value.kindName)")
        }
        return document
    }
}

extension Value {
    /// Writes anything encodable as a value.
    ///
    /// - Throws: `NexaError` with `.encoding`, naming the path, when its `encode` throws.
    public static func encode(_ model: some Encodable, coding: ModelCoding = .standard) throws(NexaError) -> Value {
        let node = EncodingNode(coding)
        do {
            try node.encode(model, at: [])
            return node.value
        } catch let error as EncodingError {
            throw NexaError(.encoding, error.sentence, underlying: error)
        } catch {
            throw NexaError(.encoding, "The model's encode(to:) failed", underlying: error)
        }
    }
}

/// A value in the making. Containers write into nodes, so that `superEncoder` and nested containers may be
/// filled in any order.
final class EncodingNode {
    private enum Content {
        case nothing
        case value(Value)
        case keyed(fields: [(key: String, node: EncodingNode)], positions: [String: Int])
        case unkeyed([EncodingNode])
    }

    private var content = Content.nothing
    let coding: ModelCoding

    init(_ coding: ModelCoding) { self.coding = coding }

    /// What was written; a model that writes nothing is an empty document, as with the standard encoders.
    var value: Value {
        switch content {
        case .nothing: .document([:])
        case .value(let value): value
        case .keyed(let fields, _): .document(Document(fields.map { ($0.key, $0.node.value) }))
        case .unkeyed(let nodes): .array(nodes.map(\.value))
        }
    }

    func set(_ value: Value) { content = .value(value) }

    func beginKeyed() {
        if case .keyed = content { return }
        content = .keyed(fields: [], positions: [:])
    }

    func beginUnkeyed() {
        if case .unkeyed = content { return }
        content = .unkeyed([])
    }

    /// The node of a field; a field written twice keeps its place and takes the new value.
    func child(_ key: String) -> EncodingNode {
        beginKeyed()
        guard case .keyed(var fields, var positions) = content else { return EncodingNode(coding) }
        content = .nothing  // so that the arrays below are not copied
        let node = EncodingNode(coding)
        if let position = positions[key] {
            fields[position].node = node
        } else {
            positions[key] = fields.count
            fields.append((key, node))
        }
        content = .keyed(fields: fields, positions: positions)
        return node
    }

    /// The node of a new last element.
    func append() -> EncodingNode {
        beginUnkeyed()
        guard case .unkeyed(var nodes) = content else { return EncodingNode(coding) }
        content = .nothing
        let node = EncodingNode(coding)
        nodes.append(node)
        content = .unkeyed(nodes)
        return node
    }

    var elementCount: Int {
        if case .unkeyed(let nodes) = content { nodes.count } else { 0 }
    }

    /// Writes any value here; those that a document holds as they are do not go through their `encode`.
    func encode<T: Encodable>(_ value: T, at path: [any CodingKey]) throws {
        switch value {
        case let value as Value: set(value)
        case let value as Document: set(.document(value))
        case let value as Timestamp: set(.timestamp(value))
        case let value as String: set(.string(value))
        // By type, because every empty array can be cast to this one.
        case let value as [UInt8] where T.self == [UInt8].self: set(.bytes(value))
        case let value as [Float] where T.self == [Float].self: set(.vector(value))
        default:
            switch FoundationType.of(T.self) {
            case .date: try encodeDate(value, path)
            case .uuid: try encodeUUID(value, path)
            case .data:
                guard let bytes = value as? any Sequence<UInt8> else { fallthrough }
                set(.bytes([UInt8](bytes)))
            case nil: try value.encode(to: NodeEncoder(node: self, codingPath: path))
            }
        }
    }

    /// What the value itself writes: a single scalar.
    private func scalar(_ value: some Encodable, _ path: [any CodingKey]) throws -> Value {
        let node = EncodingNode(coding)
        try value.encode(to: NodeEncoder(node: node, codingPath: path))
        return node.value
    }

    private func encodeDate(_ date: some Encodable, _ path: [any CodingKey]) throws {
        let written = try scalar(date, path)
        guard let sinceReference = written.double else { return set(written) }
        let seconds = sinceReference + FoundationType.referenceDate
        switch coding.dates {
        case .secondsSince1970: set(.double(seconds))
        case .millisecondsSince1970 where (seconds * 1000).magnitude < 9e18:
            set(.int(Int64((seconds * 1000).rounded())))
        case .timestamp, .millisecondsSince1970:
            guard let timestamp = Timestamp(secondsSince1970: seconds) else {
                throw EncodingError.invalidValue(
                    date, .init(codingPath: path, debugDescription: "the date is too far away to be stored"))
            }
            set(.timestamp(timestamp))
        }
    }

    private func encodeUUID(_ uuid: some Encodable, _ path: [any CodingKey]) throws {
        let written = try scalar(uuid, path)
        guard coding.uuids == .bytes, let text = written.string else { return set(written) }
        let digits = text.filter { $0 != "-" }.compactMap(\.hexDigitValue)
        guard digits.count == 32 else { return set(written) }
        set(.bytes((0..<16).map { UInt8(digits[2 * $0] << 4 | digits[2 * $0 + 1]) }))
    }
}

/// The `Encoder` over a node.
private struct NodeEncoder: Encoder {
    let node: EncodingNode
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.beginKeyed()
        return KeyedEncodingContainer(KeyedNode<Key>(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.beginUnkeyed()
        return UnkeyedNode(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { SingleNode(node: node, codingPath: codingPath) }
}

private struct KeyedNode<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: EncodingNode
    let codingPath: [any CodingKey]
    private let renames: Bool

    init(node: EncodingNode, codingPath: [any CodingKey]) {
        self.node = node
        self.codingPath = codingPath
        renames = node.coding.renames(Key.self)
    }

    private func child(_ key: any CodingKey) -> EncodingNode {
        node.child(renames ? node.coding.field(key.stringValue) : key.stringValue)
    }

    private func single(_ key: any CodingKey) -> SingleNode {
        SingleNode(node: child(key), codingPath: codingPath + [key])
    }

    func encodeNil(forKey key: Key) { child(key).set(.null) }
    func encode(_ value: Bool, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: String, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: Double, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: Float, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: Int, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: Int8, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: Int16, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: Int32, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: Int64, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: UInt, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: UInt8, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: UInt16, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: UInt32, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: UInt64, forKey key: Key) { single(key).encode(value) }
    func encode(_ value: some Encodable, forKey key: Key) throws { try single(key).encode(value) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        NodeEncoder(node: child(key), codingPath: codingPath + [key]).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        NodeEncoder(node: child(key), codingPath: codingPath + [key]).unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
        NodeEncoder(node: node.child("super"), codingPath: codingPath + [PathKey("super")])
    }

    func superEncoder(forKey key: Key) -> any Encoder {
        NodeEncoder(node: child(key), codingPath: codingPath + [key])
    }
}

private struct UnkeyedNode: UnkeyedEncodingContainer {
    let node: EncodingNode
    let codingPath: [any CodingKey]
    var count: Int { node.elementCount }

    private func next() -> SingleNode {
        SingleNode(node: node.append(), codingPath: codingPath + [PathKey(count - 1)])
    }

    func encodeNil() { node.append().set(.null) }
    func encode(_ value: Bool) { next().encode(value) }
    func encode(_ value: String) { next().encode(value) }
    func encode(_ value: Double) { next().encode(value) }
    func encode(_ value: Float) { next().encode(value) }
    func encode(_ value: Int) { next().encode(value) }
    func encode(_ value: Int8) { next().encode(value) }
    func encode(_ value: Int16) { next().encode(value) }
    func encode(_ value: Int32) { next().encode(value) }
    func encode(_ value: Int64) { next().encode(value) }
    func encode(_ value: UInt) { next().encode(value) }
    func encode(_ value: UInt8) { next().encode(value) }
    func encode(_ value: UInt16) { next().encode(value) }
    func encode(_ value: UInt32) { next().encode(value) }
    func encode(_ value: UInt64) { next().encode(value) }
    func encode(_ value: some Encodable) throws { try next().encode(value) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        let place = next()
        return NodeEncoder(node: place.node, codingPath: place.codingPath).container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        let place = next()
        return NodeEncoder(node: place.node, codingPath: place.codingPath).unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
        let place = next()
        return NodeEncoder(node: place.node, codingPath: place.codingPath)
    }
}

private struct SingleNode: SingleValueEncodingContainer {
    let node: EncodingNode
    let codingPath: [any CodingKey]

    func encodeNil() { node.set(.null) }
    func encode(_ value: Bool) { node.set(.bool(value)) }
    func encode(_ value: String) { node.set(.string(value)) }
    func encode(_ value: Double) { node.set(.double(value)) }
    func encode(_ value: Float) { node.set(.double(Double(value))) }
    func encode(_ value: Int) { node.set(.int(Int64(value))) }
    func encode(_ value: Int8) { node.set(.int(Int64(value))) }
    func encode(_ value: Int16) { node.set(.int(Int64(value))) }
    func encode(_ value: Int32) { node.set(.int(Int64(value))) }
    func encode(_ value: Int64) { node.set(.int(value)) }
    func encode(_ value: UInt) { node.set(Value(UInt64(value))) }
    func encode(_ value: UInt8) { node.set(.int(Int64(value))) }
    func encode(_ value: UInt16) { node.set(.int(Int64(value))) }
    func encode(_ value: UInt32) { node.set(.int(Int64(value))) }
    func encode(_ value: UInt64) { node.set(Value(value)) }
    func encode(_ value: some Encodable) throws { try node.encode(value, at: codingPath) }
}

/// A part of a path that is no key of a model: an element's position, or a field of a free document.
struct PathKey: CodingKey {
    let stringValue: String
    let intValue: Int?

    init(_ position: Int) {
        stringValue = "\(position)"
        intValue = position
    }

    init(_ name: String) {
        stringValue = name
        intValue = nil
    }

    init(stringValue: String) { self.init(stringValue) }
    init(intValue: Int) { self.init(intValue) }
}

extension [any CodingKey] {
    /// The path as people write it: `orders[3].total`.
    var pathText: String {
        reduce(into: "") { text, key in
            if let position = key.intValue {
                text += "[\(position)]"
            } else {
                text += (text.isEmpty ? "" : ".") + key.stringValue
            }
        }
    }
}

extension EncodingError {
    fileprivate var sentence: String {
        guard case .invalidValue(_, let context) = self else { return "The model cannot be encoded" }
        let path = context.codingPath.pathText
        return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
    }
}
