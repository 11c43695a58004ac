import NexaValue

/// Scalars, read where they lie.
extension EncodedDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { (try? head()) == .null }

    func decode(_ type: Bool.Type) throws -> Bool {
        guard case .bool(let value) = try head() else { throw mismatch("Bool", as: type) }
        return value
    }

    func decode(_ type: String.Type) throws -> String {
        guard case .string = try head() else { throw mismatch("String", as: type) }
        let bytes = source.bytes
        var reader = MessagePackReader(bytes.span.bytes, at: offset)
        do throws(MessagePackError) {
            return try reader.readString()
        } catch {
            throw malformed(error)
        }
    }

    func decode(_ type: Double.Type) throws -> Double {
        switch try head() {
        case .double(let value): return value
        case .int(let value): return Double(value)
        case .uint(let value): return Double(value)
        default: throw mismatch("Double", as: type)
        }
    }

    func decode(_ type: Float.Type) throws -> Float {
        switch try head() {
        case .double(let value): return Float(value)
        case .int(let value): return Float(value)
        case .uint(let value): return Float(value)
        default: throw mismatch("Float", as: type)
        }
    }

    @inline(__always) private func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
        let result: T? =
            switch try head() {
            case .int(let value): T(exactly: value)
            case .uint(let value): T(exactly: value)
            case .double(let value): T(exactly: value)
            default: throw mismatch("\(type)", as: type)
            }
        guard let result else { throw doesNotFit(type) }
        return result
    }

    func decode(_ type: Int.Type) throws -> Int { try integer(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { try integer(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { try integer(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { try integer(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { try integer(type) }
    func decode(_ type: UInt.Type) throws -> UInt { try integer(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { try integer(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { try integer(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { try integer(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { try integer(type) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try unwrap(type) }
}

extension EncodedDecoder {
    /// A list of nothing but numbers, such as an embedding, at once; `nil` for anything else, which is read element by
    /// element and meets its error there.
    func vector<Number>(
        _ double: (Double) -> Number, _ int: (Int64) -> Number, _ uint: (UInt64) -> Number
    ) -> [Number]? {
        let bytes = source.bytes
        var reader = MessagePackReader(bytes.span.bytes, at: offset)
        guard case .array(let count)? = try? reader.readHead() else { return nil }
        var numbers: [Number] = []
        numbers.reserveCapacity(count)
        for _ in 0..<count {
            switch try? reader.readHead() {
            case .double(let value)?: numbers.append(double(value))
            case .int(let value)?: numbers.append(int(value))
            case .uint(let value)?: numbers.append(uint(value))
            default: return nil
            }
        }
        return numbers
    }
}

/// Foundation's types, whose `init(from:)` is given what it expects.
extension EncodedDecoder {
    /// The point in time that the value stands for.
    func date() throws -> Timestamp {
        let unit = source.coding.dates == .millisecondsSince1970 ? 1000.0 : 1
        let result: Timestamp? =
            switch try value() {
            case .timestamp(let value): value
            case .string(let text): Timestamp(iso8601: text)
            case .int(let number): Timestamp(secondsSince1970: Double(number) / unit)
            case .double(let number): Timestamp(secondsSince1970: number / unit)
            case .document(let parts) where parts.count == 2:
                // As other coders write a timestamp.
                if let seconds = parts["seconds"]?.int, let nanoseconds = parts["nanoseconds"]?.int {
                    Timestamp(seconds: seconds, nanoseconds: UInt32(clamping: nanoseconds))
                } else {
                    nil
                }
            default: nil
            }
        guard let result else { throw mismatch("a date", as: Timestamp.self) }
        return result
    }

    func decodeDate<T: Decodable>(_ type: T.Type) throws -> T {
        let seconds = try date().secondsSince1970 - FoundationType.referenceDate
        return try T(from: ScalarDecoder(value: .double(seconds), codingPath: codingPath))
    }

    func decodeUUID<T: Decodable>(_ type: T.Type) throws -> T {
        switch try value() {
        case .string: return try T(from: self)
        case .bytes(let bytes) where bytes.count == 16:
            var text = ""
            for (position, byte) in bytes.enumerated() {
                if [4, 6, 8, 10].contains(position) { text += "-" }
                text += String(byte >> 4, radix: 16, uppercase: true) + String(byte & 15, radix: 16, uppercase: true)
            }
            return try T(from: ScalarDecoder(value: .string(text), codingPath: codingPath))
        default: throw mismatch("a UUID", as: type)
        }
    }
}

/// A decoder over one scalar that stands in for what the bytes hold.
private struct ScalarDecoder: Decoder, SingleValueDecodingContainer {
    let value: Value
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    private func only(_ type: Any.Type) -> DecodingError {
        .typeMismatch(
            type, .init(codingPath: codingPath, debugDescription: "expected \(type), found \(value.kindName)"))
    }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        throw only(Document.self)
    }
    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw only([Value].self) }
    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool { false }
    func decode(_ type: Double.Type) throws -> Double {
        guard let value = value.double else { throw only(type) }
        return value
    }
    func decode(_ type: String.Type) throws -> String {
        guard let value = value.string else { throw only(type) }
        return value
    }
    func decode(_ type: Bool.Type) throws -> Bool { throw only(type) }
    func decode(_ type: Float.Type) throws -> Float { throw only(type) }
    func decode(_ type: Int.Type) throws -> Int { throw only(type) }
    func decode(_ type: Int8.Type) throws -> Int8 { throw only(type) }
    func decode(_ type: Int16.Type) throws -> Int16 { throw only(type) }
    func decode(_ type: Int32.Type) throws -> Int32 { throw only(type) }
    func decode(_ type: Int64.Type) throws -> Int64 { throw only(type) }
    func decode(_ type: UInt.Type) throws -> UInt { throw only(type) }
    func decode(_ type: UInt8.Type) throws -> UInt8 { throw only(type) }
    func decode(_ type: UInt16.Type) throws -> UInt16 { throw only(type) }
    func decode(_ type: UInt32.Type) throws -> UInt32 { throw only(type) }
    func decode(_ type: UInt64.Type) throws -> UInt64 { throw only(type) }
    func decode<T: Decodable>(_ type: T.Type) throws -> T { try T(from: self) }
}
