public import NexaValue

/// `Value` and `Document` in any coder: ours takes them as they are, others see the kinds they know.
extension Value: Codable {
    /// Reads whatever stands there.
    public init(from decoder: any Decoder) throws {
        if let decoder = decoder as? EncodedDecoder {
            self = try decoder.value()
            return
        }
        if let container = try? decoder.container(keyedBy: PathKey.self) {
            self = .document(try Document(container))
            return
        }
        if var container = try? decoder.unkeyedContainer() {
            var elements: [Value] = []
            while !container.isAtEnd { elements.append(try container.decode(Value.self)) }
            self = .array(elements)
            return
        }
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .int(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = Value(value)
        } else if let value = try? container.decode(Double.self) {
            self = .double(value)
        } else {
            self = .string(try container.decode(String.self))
        }
    }

    /// Writes the value; bytes as an array of numbers, timestamps and extensions as documents of their parts.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .int(let value): try container.encode(value)
        case .uint(let value): try container.encode(value)
        case .double(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .bytes(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .vector(let value): try container.encode(value)
        case .document(let value): try container.encode(value)
        case .timestamp(let value): try container.encode(value)
        case .extended(let value):
            try container.encode(
                ["type": .int(Int64(value.type)), "bytes": .array(value.bytes.map { .int(Int64($0)) })] as Document)
        }
    }
}

extension Document: Codable {
    /// Reads all fields.
    public init(from decoder: any Decoder) throws {
        if let decoder = decoder as? EncodedDecoder {
            guard let document = try decoder.value().document else {
                throw decoder.mismatch("a document", as: Document.self)
            }
            self = document
        } else {
            try self.init(decoder.container(keyedBy: PathKey.self))
        }
    }

    init(_ container: KeyedDecodingContainer<PathKey>) throws {
        self.init()
        for key in container.allKeys { self[key.stringValue] = .some(try container.decode(Value.self, forKey: key)) }
    }

    /// Writes all fields in order.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: PathKey.self)
        for (key, value) in self { try container.encode(value, forKey: PathKey(key)) }
    }
}

extension Timestamp: Codable {
    private enum Key: String, CodingKey { case seconds, nanoseconds }

    /// Reads the two parts.
    public init(from decoder: any Decoder) throws {
        if let decoder = decoder as? EncodedDecoder {
            self = try decoder.date()
            return
        }
        let container = try decoder.container(keyedBy: Key.self)
        self.init(
            seconds: try container.decode(Int64.self, forKey: .seconds),
            nanoseconds: try container.decode(UInt32.self, forKey: .nanoseconds))
    }

    /// Writes the two parts.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(seconds, forKey: .seconds)
        try container.encode(nanoseconds, forKey: .nanoseconds)
    }
}
