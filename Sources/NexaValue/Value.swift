/// One dynamic NexaDB value: what MessagePack can carry and a document can hold.
///
/// The integer, unsigned and floating kinds are kept apart so that a value survives a round trip
/// unchanged: `.int` holds everything `Int64` can hold, `.uint` only what lies above `Int64.max`.
/// The enum is deliberately not `indirect`: arrays and documents already box their contents, and an
/// indirect payload doubles the time to build a document.
public enum Value: Sendable, Hashable {
    /// JSON `null`, MessagePack `nil`.
    case null
    /// A boolean.
    case bool(Bool)
    /// An integer in the range of `Int64`.
    case int(Int64)
    /// An integer above `Int64.max`. Use `Value(_: UInt64)` to get the canonical case.
    case uint(UInt64)
    /// A 64-bit floating point number, NaN and infinities included.
    case double(Double)
    /// UTF-8 text.
    case string(String)
    /// Opaque bytes (MessagePack `bin`). JSON has no such kind.
    case bytes([UInt8])
    /// An ordered list.
    case array([Value])
    /// An ordered map with string keys.
    case document(Document)
    /// A vector of 32-bit floats; it travels as an array of floats and is decoded as `.array`.
    case vector([Float])
    /// A point in time (MessagePack extension type -1).
    case timestamp(Timestamp)
    /// A MessagePack extension that NexaDB gives no meaning to; kept byte for byte.
    case extended(ExtendedValue)

    /// An integer in its canonical case: `.int` when it fits `Int64`, else `.uint`.
    @inlinable
    public init(_ value: UInt64) {
        self = value <= UInt64(Int64.max) ? .int(Int64(value)) : .uint(value)
    }
}

/// A point in time as seconds and nanoseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Sendable, Hashable {
    /// Whole seconds since the epoch, rounded down; negative before 1970.
    public var seconds: Int64
    /// 0 ..< 1 000 000 000, counted forward from `seconds`.
    public var nanoseconds: UInt32

    /// Creates a timestamp; `nanoseconds` must be below one thousand million.
    public init(seconds: Int64, nanoseconds: UInt32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}

/// A MessagePack extension value: an application type and its bytes.
public struct ExtendedValue: Sendable, Hashable {
    /// The application's bytes.
    public var bytes: [UInt8]
    /// The application's type code; negative codes are reserved by MessagePack.
    public var type: Int8

    /// Creates an extension value.
    public init(type: Int8, bytes: [UInt8]) {
        self.type = type
        self.bytes = bytes
    }
}

extension Value: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    /// Creates `.null`.
    @inlinable public init(nilLiteral: ()) { self = .null }
    /// Creates `.bool`.
    @inlinable public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// Creates `.int`.
    @inlinable public init(integerLiteral value: Int64) { self = .int(value) }
    /// Creates `.double`.
    @inlinable public init(floatLiteral value: Double) { self = .double(value) }
    /// Creates `.string`.
    @inlinable public init(stringLiteral value: String) { self = .string(value) }
    /// Creates `.array`.
    @inlinable public init(arrayLiteral elements: Value...) { self = .array(elements) }
    /// Creates `.document`; a repeated key keeps its first place and its last value.
    @inlinable public init(dictionaryLiteral elements: (String, Value)...) { self = .document(Document(elements)) }
}

/// The contents, when the value is of that kind; `nil` otherwise.
extension Value {
    /// True for `.null`.
    @inlinable public var isNull: Bool { if case .null = self { true } else { false } }
    /// The boolean of a `.bool`.
    @inlinable public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The text of a `.string`.
    @inlinable public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The bytes of a `.bytes`.
    @inlinable public var bytes: [UInt8]? { if case .bytes(let value) = self { value } else { nil } }
    /// The elements of an `.array`.
    @inlinable public var array: [Value]? { if case .array(let value) = self { value } else { nil } }
    /// The fields of a `.document`.
    @inlinable public var document: Document? { if case .document(let value) = self { value } else { nil } }

    /// The integer of an `.int`, or of a `.double` that is a whole number `Int64` can hold exactly.
    public var int: Int64? {
        switch self {
        case .int(let value): value
        case .double(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// The number of an `.int`, `.uint` or `.double`, rounded to the nearest `Double`.
    public var double: Double? {
        switch self {
        case .int(let value): Double(value)
        case .uint(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// The kind in the words of an error message: "string", "array", …
    public var kindName: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .int, .uint: "integer"
        case .double: "double"
        case .string: "string"
        case .bytes: "binary"
        case .array: "array"
        case .document: "document"
        case .vector: "vector"
        case .timestamp: "timestamp"
        case .extended: "extension"
        }
    }
}
