/// A cursor over encoded MessagePack bytes.
///
/// Every read is checked against the end of the span: hostile bytes end in a `MessagePackError`, never
/// in a trap. The format is that of https://github.com/msgpack/msgpack/blob/master/spec.md.
public struct MessagePackReader: ~Escapable {
    /// The head of one value: a scalar whole, or the length of what follows.
    @frozen public enum Head: Sendable, Hashable {
        case null
        case bool(Bool)
        case int(Int64)
        /// Only for integers above `Int64.max`.
        case uint(UInt64)
        case double(Double)
        /// So many bytes of UTF-8 follow.
        case string(byteCount: Int)
        /// So many bytes follow.
        case bytes(byteCount: Int)
        /// So many values follow.
        case array(count: Int)
        /// So many key-value pairs follow.
        case map(count: Int)
        /// So many bytes follow.
        case extended(type: Int8, byteCount: Int)

        /// The kind in the words of an error message.
        public var kindName: String {
            switch self {
            case .null: "null"
            case .bool: "boolean"
            case .int, .uint: "integer"
            case .double: "double"
            case .string: "string"
            case .bytes: "binary"
            case .array: "array"
            case .map: "document"
            case .extended(type: -1, _): "timestamp"
            case .extended: "extension"
            }
        }
    }

    /// The bytes being read.
    public let span: RawSpan
    /// The offset of the next value.
    public var position: Int
    /// What is accepted.
    public let limits: MessagePack.Limits

    /// Starts at a position of the span.
    @inlinable @_lifetime(copy span)
    public init(_ span: RawSpan, at position: Int = 0, limits: MessagePack.Limits = .standard) {
        self.span = span
        self.position = position
        self.limits = limits
    }

    /// True when every byte was read.
    @inlinable public var isAtEnd: Bool { position >= span.byteCount }

    /// The number of bytes not read yet.
    @inlinable public var remaining: Int { span.byteCount &- position }

    /// Checks that nothing follows the value just read.
    @inlinable public func expectEnd() throws(MessagePackError) {
        if position < span.byteCount { throw MessagePackError(.trailingBytes(remaining), at: position) }
    }

    // MARK: Heads

    @inlinable @inline(__always) @_lifetime(self: copy self)
    mutating func load<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(MessagePackError) -> T {
        guard remaining >= MemoryLayout<T>.size else { throw MessagePackError(.truncated, at: position) }
        let value = T(bigEndian: unsafe span.unsafeLoadUnaligned(fromByteOffset: position, as: T.self))
        position &+= MemoryLayout<T>.size
        return value
    }

    @inlinable @inline(__always) @_lifetime(self: copy self)
    mutating func checked(_ count: Int, minimumSize: Int) throws(MessagePackError) -> Int {
        // Every element takes at least one byte, so a count beyond the bytes left is a lie: no allocation follows it.
        guard count <= remaining / minimumSize else { throw MessagePackError(.truncated, at: position) }
        return count
    }

    /// Reads the head of the next value and moves behind it (not behind the contents it announces).
    ///
    /// A returned `byteCount` or `count` never exceeds the bytes that are left.
    @inlinable @_lifetime(self: copy self)
    public mutating func readHead() throws(MessagePackError) -> Head {
        let start = position
        let byte = try load(UInt8.self)
        switch byte {
        case 0x00...0x7F: return .int(Int64(byte))
        case 0x80...0x8F: return .map(count: try checked(Int(byte & 0x0F), minimumSize: 2))
        case 0x90...0x9F: return .array(count: try checked(Int(byte & 0x0F), minimumSize: 1))
        case 0xA0...0xBF: return .string(byteCount: try checked(Int(byte & 0x1F), minimumSize: 1))
        case 0xE0...0xFF: return .int(Int64(Int8(bitPattern: byte)))
        default: return try readLongHead(byte, start: start)
        }
    }

    @usableFromInline @_lifetime(self: copy self)
    mutating func readLongHead(_ byte: UInt8, start: Int) throws(MessagePackError) -> Head {
        switch byte {
        case 0xC0: return .null
        case 0xC2: return .bool(false)
        case 0xC3: return .bool(true)
        case 0xC4: return .bytes(byteCount: try checked(Int(load(UInt8.self)), minimumSize: 1))
        case 0xC5: return .bytes(byteCount: try checked(Int(load(UInt16.self)), minimumSize: 1))
        case 0xC6: return .bytes(byteCount: try checked(Int(load(UInt32.self)), minimumSize: 1))
        case 0xC7: return try readExtensionHead(byteCount: Int(load(UInt8.self)))
        case 0xC8: return try readExtensionHead(byteCount: Int(load(UInt16.self)))
        case 0xC9: return try readExtensionHead(byteCount: Int(load(UInt32.self)))
        case 0xCA: return .double(Double(Float(bitPattern: try load(UInt32.self))))
        case 0xCB: return .double(Double(bitPattern: try load(UInt64.self)))
        case 0xCC: return .int(Int64(try load(UInt8.self)))
        case 0xCD: return .int(Int64(try load(UInt16.self)))
        case 0xCE: return .int(Int64(try load(UInt32.self)))
        case 0xCF:
            let value = try load(UInt64.self)
            return value <= UInt64(Int64.max) ? .int(Int64(value)) : .uint(value)
        case 0xD0: return .int(Int64(try load(Int8.self)))
        case 0xD1: return .int(Int64(try load(Int16.self)))
        case 0xD2: return .int(Int64(try load(Int32.self)))
        case 0xD3: return .int(try load(Int64.self))
        case 0xD4: return try readExtensionHead(byteCount: 1)
        case 0xD5: return try readExtensionHead(byteCount: 2)
        case 0xD6: return try readExtensionHead(byteCount: 4)
        case 0xD7: return try readExtensionHead(byteCount: 8)
        case 0xD8: return try readExtensionHead(byteCount: 16)
        case 0xD9: return .string(byteCount: try checked(Int(load(UInt8.self)), minimumSize: 1))
        case 0xDA: return .string(byteCount: try checked(Int(load(UInt16.self)), minimumSize: 1))
        case 0xDB: return .string(byteCount: try checked(Int(load(UInt32.self)), minimumSize: 1))
        case 0xDC: return .array(count: try checked(Int(load(UInt16.self)), minimumSize: 1))
        case 0xDD: return .array(count: try checked(Int(load(UInt32.self)), minimumSize: 1))
        case 0xDE: return .map(count: try checked(Int(load(UInt16.self)), minimumSize: 2))
        case 0xDF: return .map(count: try checked(Int(load(UInt32.self)), minimumSize: 2))
        default: throw MessagePackError(.invalidByte(byte), at: start)
        }
    }

    @_lifetime(self: copy self)
    private mutating func readExtensionHead(byteCount: Int) throws(MessagePackError) -> Head {
        let type = try load(Int8.self)
        return .extended(type: type, byteCount: try checked(byteCount, minimumSize: 1))
    }

    // MARK: Moving over values

    /// Moves behind the next value, whatever it is, without looking at its contents.
    @inlinable @_lifetime(self: copy self)
    public mutating func skip() throws(MessagePackError) {
        var values = 1  // still to be passed over; bounded by the bytes left, as every count is
        while values > 0 {
            values &-= 1
            switch try readHead() {
            case .null, .bool, .int, .uint, .double: break
            case .string(let count), .bytes(let count), .extended(_, let count): position &+= count
            case .array(let count): values &+= count &- passFloats(count)
            case .map(let count): values &+= count &* 2
            }
        }
    }

    /// Moves behind the floats, or the doubles, that an array of so many elements begins with: an embedding has hundreds.
    ///
    /// - Returns: how many they are.
    @usableFromInline @_lifetime(self: copy self)
    mutating func passFloats(_ count: Int) -> Int {
        guard count >= 8, position < span.byteCount else { return 0 }
        let tag = unsafe span.unsafeLoad(fromByteOffset: position, as: UInt8.self)
        guard tag == 0xCA || tag == 0xCB else { return 0 }
        let size = tag == 0xCA ? 5 : 9
        let bound = min(count, remaining / size)
        var passed = 0
        while passed < bound, unsafe span.unsafeLoad(fromByteOffset: position, as: UInt8.self) == tag {
            position &+= size
            passed &+= 1
        }
        return passed
    }

    /// The bytes of the next value, moving behind it.
    @inlinable @_lifetime(copy self) @_lifetime(self: copy self)
    public mutating func readRaw() throws(MessagePackError) -> RawSpan {
        let start = position
        try skip()
        return span.extracting(start..<position)
    }

    /// The next `count` bytes, moving behind them.
    @inlinable @_lifetime(copy self) @_lifetime(self: copy self)
    public mutating func readBytes(_ count: Int) throws(MessagePackError) -> RawSpan {
        guard count >= 0, count <= remaining else { throw MessagePackError(.truncated, at: position) }
        let start = position
        position &+= count
        return span.extracting(start..<position)
    }

    /// Reads a map key and returns the bytes of its text (not checked to be UTF-8).
    ///
    /// Existing clients may send keys as `bin`; both forms are keys.
    @inlinable @_lifetime(copy self) @_lifetime(self: copy self)
    public mutating func readKey() throws(MessagePackError) -> RawSpan {
        let start = position
        switch try readHead() {
        case .string(let count), .bytes(let count): return try readBytes(count)
        default: throw MessagePackError(.keyNotString, at: start)
        }
    }

    // MARK: Typed reads

    /// Reads the head of a map and returns its number of pairs.
    @inlinable @_lifetime(self: copy self)
    public mutating func readMapHead() throws(MessagePackError) -> Int {
        let start = position
        let head = try readHead()
        guard case .map(let count) = head else { throw unexpected(head, expected: "document", at: start) }
        return count
    }

    /// Reads the head of an array and returns its number of elements.
    @inlinable @_lifetime(self: copy self)
    public mutating func readArrayHead() throws(MessagePackError) -> Int {
        let start = position
        let head = try readHead()
        guard case .array(let count) = head else { throw unexpected(head, expected: "array", at: start) }
        return count
    }

    /// Reads a string and checks its UTF-8.
    @_lifetime(self: copy self)
    public mutating func readString() throws(MessagePackError) -> String {
        let start = position
        let head = try readHead()
        guard case .string(let count) = head else { throw unexpected(head, expected: "string", at: start) }
        return try readText(count, at: start)
    }

    @usableFromInline func unexpected(_ head: Head, expected: String, at offset: Int) -> MessagePackError {
        MessagePackError(.unexpectedKind(expected: expected, found: head.kindName), at: offset)
    }

    @_lifetime(self: copy self)
    mutating func readText(_ count: Int, at start: Int) throws(MessagePackError) -> String {
        try readBytes(count).text(at: start)
    }
}
