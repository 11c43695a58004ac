import NexaValue

/// Why bytes are no BSON document.
struct BSONError: Error {
    /// What is wrong, and where.
    var message: String
}

/// Turns one BSON document (https://bsonspec.org/spec.html) into MessagePack.
///
/// | BSON | here |
/// |---|---|
/// | double, string, document, array, boolean, null, int32, int64 | the same |
/// | ObjectId | its 24 hexadecimal digits, as text |
/// | date | a point in time; timestamp: one whose nanoseconds are the ordinal, so that the order stays |
/// | binary | bytes; a UUID (subtype 4) its usual text |
/// | Decimal128 | its text, such as `"12.50"`: nothing is rounded |
/// | regular expression | `"/pattern/options"` |
/// | JavaScript code, symbol | its text; code with scope: `{$code, $scope}` |
/// | DBPointer | `{$ref, $id}` |
/// | undefined | null |
/// | MinKey, MaxKey | `"MinKey"`, `"MaxKey"` |
///
/// Text that is not UTF-8 is repaired with U+FFFD.
struct BSONTranscoder: ~Copyable, ~Escapable {
    /// How deep documents nest at most; MongoDB allows 100.
    private static var maximumDepth: Int { 128 }

    private let bytes: RawSpan
    private var position = 0

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { self.bytes = bytes }

    /// Appends the document, which has to fill the bytes.
    @_lifetime(self: copy self)
    mutating func run(into writer: inout MessagePackWriter) throws(BSONError) {
        try container(isArray: false, depth: 0, end: bytes.byteCount, into: &writer)
        guard position == bytes.byteCount else { throw fault("there are bytes behind the document") }
    }

    private func fault(_ what: String) -> BSONError { BSONError(message: "\(what), at byte \(position)") }

    // MARK: Containers

    @_lifetime(self: copy self)
    private mutating func container(
        isArray: Bool, depth: Int, end outer: Int, into writer: inout MessagePackWriter
    ) throws(BSONError) {
        guard depth < Self.maximumDepth else { throw fault("it nests more than \(Self.maximumDepth) levels deep") }
        let start = position
        let size = Int(try int32())
        guard size >= 5, size <= outer - start else { throw fault("a document of \(size) bytes does not fit") }
        let end = start + size - 1
        guard byte(at: end) == 0 else { throw fault("a document does not end in a zero byte") }
        let count = try countElements(until: end)
        if isArray { writer.writeArrayHead(count: count) } else { writer.writeMapHead(count: count) }
        while position < end {
            let type = try uint8()
            let name = try cString(until: end)
            if !isArray { Self.write(bytes.extracting(name), to: &writer) }
            try value(type, depth: depth, end: end, into: &writer)
        }
        guard position == end else { throw fault("an element goes beyond its document") }
        position = end + 1
    }

    /// How many elements there are up to `end`; the position stays.
    @_lifetime(self: copy self)
    private mutating func countElements(until end: Int) throws(BSONError) -> Int {
        let start = position
        var count = 0
        while position < end {
            let type = try uint8()
            _ = try cString(until: end)
            try skip(type, until: end)
            guard position <= end else { throw fault("an element goes beyond its document") }
            count += 1
        }
        position = start
        return count
    }

    @_lifetime(self: copy self)
    private mutating func skip(_ type: UInt8, until end: Int) throws(BSONError) {
        let size: Int
        switch type {
        case 0x06, 0x0A, 0x7F, 0xFF: size = 0
        case 0x08: size = 1
        case 0x10: size = 4
        case 0x01, 0x09, 0x11, 0x12: size = 8
        case 0x07: size = 12
        case 0x13: size = 16
        case 0x02, 0x0D, 0x0E: size = 4 + Int(try length(minimum: 1))
        case 0x0C: size = 4 + Int(try length(minimum: 1)) + 12
        case 0x05: size = 5 + Int(try length(minimum: 0))
        case 0x03, 0x04, 0x0F: size = Int(try length(minimum: 5))
        case 0x0B:
            _ = try cString(until: end)
            _ = try cString(until: end)
            size = 0
        default: throw fault("there is no type \(type)")
        }
        guard size <= end - position else { throw fault("a value goes beyond its document") }
        position += size
    }

    /// The number at the position, which stays.
    private func length(minimum: Int32) throws(BSONError) -> Int32 {
        guard bytes.byteCount - position >= 4 else { throw fault("the end comes too early") }
        let length = Int32(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Int32.self))
        guard length >= minimum else { throw fault("a length is \(length)") }
        return length
    }

    // MARK: Values

    @_lifetime(self: copy self)
    private mutating func value(
        _ type: UInt8, depth: Int, end: Int, into writer: inout MessagePackWriter
    ) throws(BSONError) {
        switch type {
        case 0x01: writer.write(Double(bitPattern: try uint64()))
        case 0x02, 0x0D, 0x0E: Self.write(bytes.extracting(try text(until: end)), to: &writer)
        case 0x03: try container(isArray: false, depth: depth + 1, end: end, into: &writer)
        case 0x04: try container(isArray: true, depth: depth + 1, end: end, into: &writer)
        case 0x05: try binary(until: end, into: &writer)
        case 0x06, 0x0A: writer.writeNull()
        case 0x07: writer.write(try hexadecimal(12))
        case 0x08: writer.write(try uint8() != 0)
        case 0x09: writer.write(Timestamp(milliseconds: Int64(bitPattern: try uint64())))
        case 0x0B:
            let pattern = String(decodingUTF8: bytes.extracting(try cString(until: end)))
            let options = String(decodingUTF8: bytes.extracting(try cString(until: end)))
            writer.write("/\(pattern)/\(options)")
        case 0x0C:
            let collection = try text(until: end)
            writer.writeMapHead(count: 2)
            writer.write("$ref")
            Self.write(bytes.extracting(collection), to: &writer)
            writer.write("$id")
            writer.write(try hexadecimal(12))
        case 0x0F:
            let size = Int(try int32())
            guard size >= 4 + 4 + 1 + 5, size - 4 <= end - position else { throw fault("code does not fit") }
            let codeEnd = position + size - 4
            writer.writeMapHead(count: 2)
            writer.write("$code")
            Self.write(bytes.extracting(try text(until: codeEnd)), to: &writer)
            writer.write("$scope")
            try container(isArray: false, depth: depth + 1, end: codeEnd, into: &writer)
            guard position == codeEnd else { throw fault("code with scope has another length than it says") }
        case 0x10: writer.write(Int64(try int32()))
        case 0x11:
            let ordinal = UInt32(bitPattern: try int32())
            let seconds = UInt32(bitPattern: try int32())
            writer.write(Timestamp(seconds: Int64(seconds), nanoseconds: min(ordinal, 999_999_999)))
        case 0x12: writer.write(Int64(bitPattern: try uint64()))
        case 0x13:
            let low = try uint64()
            writer.write(Decimal128.text(high: try uint64(), low: low))
        case 0x7F: writer.write("MaxKey")
        case 0xFF: writer.write("MinKey")
        default: throw fault("there is no type \(type)")
        }
    }

    @_lifetime(self: copy self)
    private mutating func binary(until end: Int, into writer: inout MessagePackWriter) throws(BSONError) {
        var size = Int(try int32())
        let subtype = try uint8()
        guard size >= 0, size <= end - position else { throw fault("binary data does not fit") }
        // The old form has its length twice.
        if subtype == 2, size >= 4 {
            size -= 4
            guard Int(try int32()) == size else { throw fault("binary data has two lengths") }
        }
        if subtype == 4, size == 16 {
            let digits = Array(try hexadecimal(16))
            let groups = [digits[0..<8], digits[8..<12], digits[12..<16], digits[16..<20], digits[20..<32]]
            return writer.write(groups.map { String($0) }.joined(separator: "-"))
        }
        writer.writeBytesHead(byteCount: size)
        writer.writeRaw(bytes.extracting(position..<position + size))
        position += size
    }

    // MARK: Parts

    private static func write(_ text: RawSpan, to writer: inout MessagePackWriter) {
        writer.write(String(decodingUTF8: text))
    }

    private func byte(at offset: Int) -> UInt8 { bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self) }

    @_lifetime(self: copy self)
    private mutating func load<Number: FixedWidthInteger & BitwiseCopyable>(
        _: Number.Type
    ) throws(BSONError) -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.byteCount - position >= size else { throw fault("the end comes too early") }
        defer { position += size }
        return Number(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Number.self))
    }

    @_lifetime(self: copy self)
    private mutating func uint8() throws(BSONError) -> UInt8 { try load(UInt8.self) }
    @_lifetime(self: copy self)
    private mutating func int32() throws(BSONError) -> Int32 { try load(Int32.self) }
    @_lifetime(self: copy self)
    private mutating func uint64() throws(BSONError) -> UInt64 { try load(UInt64.self) }

    /// Where a text with its length in front and a zero byte behind lies.
    @_lifetime(self: copy self)
    private mutating func text(until end: Int) throws(BSONError) -> Range<Int> {
        let size = Int(try int32())
        guard size >= 1, size <= end - position, byte(at: position + size - 1) == 0 else {
            throw fault("a text does not fit")
        }
        defer { position += size }
        return position..<position + size - 1
    }

    /// Where a text up to a zero byte lies.
    @_lifetime(self: copy self)
    private mutating func cString(until end: Int) throws(BSONError) -> Range<Int> {
        let start = position
        while position < end {
            if byte(at: position) == 0 {
                position += 1
                return start..<position - 1
            }
            position += 1
        }
        throw fault("a name has no end")
    }

    @_lifetime(self: copy self)
    private mutating func hexadecimal(_ count: Int) throws(BSONError) -> String {
        guard bytes.byteCount - position >= count else { throw fault("the end comes too early") }
        defer { position += count }
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for offset in position..<position + count {
            text.append(digits[Int(byte(at: offset) >> 4)])
            text.append(digits[Int(byte(at: offset) & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension String {
    /// Text that is repaired where it is not UTF-8.
    fileprivate init(decodingUTF8 bytes: RawSpan) {
        self = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
}

/// Decimal floating point of 128 bits (IEEE 754-2008, binary integer significands), as BSON has it.
enum Decimal128 {
    private static let maximumCoefficient: UInt128 = 9_999_999_999_999_999_999_999_999_999_999_999

    /// The text of a number, in the form that MongoDB's tools write:
    /// https://github.com/mongodb/specifications/blob/master/source/bson-decimal128/decimal128.md.
    static func text(high: UInt64, low: UInt64) -> String {
        let sign = high >> 63 == 1 ? "-" : ""
        switch high >> 58 & 0x1F {
        case 0x1F: return "NaN"
        case 0x1E: return sign + "Infinity"
        default: break
        }
        // With these two bits the significand would be larger than 34 digits, which stands for zero.
        let isLarge = high >> 61 & 3 == 3
        let exponent = Int(isLarge ? high >> 47 & 0x3FFF : high >> 49 & 0x3FFF) - 6176
        var coefficient = UInt128(high & 0x1_FFFF_FFFF_FFFF) << 64 | UInt128(low)
        if isLarge || coefficient > maximumCoefficient { coefficient = 0 }
        let digits = String(coefficient)
        let adjusted = exponent + digits.utf8.count - 1
        guard exponent <= 0, adjusted >= -6 else {
            var text = sign + digits.prefix(1)
            if digits.utf8.count > 1 { text += "." + digits.dropFirst() }
            return text + "E" + (adjusted >= 0 ? "+" : "") + "\(adjusted)"
        }
        guard exponent < 0 else { return sign + digits }
        let point = digits.utf8.count + exponent
        if point > 0 { return sign + digits.prefix(point) + "." + digits.dropFirst(point) }
        return sign + "0." + String(repeating: "0", count: -point) + digits
    }
}

extension Timestamp {
    /// A point in time in milliseconds since 1970.
    init(milliseconds: Int64) {
        let seconds = milliseconds >= 0 ? milliseconds / 1000 : -((999 - milliseconds) / 1000)
        self.init(seconds: seconds, nanoseconds: UInt32(milliseconds - seconds * 1000) * 1_000_000)
    }
}
