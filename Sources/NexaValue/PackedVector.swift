/// A list of 32-bit floats as one MessagePack extension: little-endian floats side by side, 4 bytes for each in place of
/// the 5 that they take in an array, or 9 as doubles.
///
/// The form is one of the wire only. A server that granted `packed-vectors` takes it anywhere in a request for the array
/// of the same floats, which is what it stores and returns.
public enum PackedVector {
    /// The extension type.
    public static let type: Int8 = 0x56

    /// The extension value of a vector.
    public static func pack(_ vector: [Float]) -> ExtendedValue {
        let bytes = [UInt8](unsafeUninitializedCapacity: 4 * vector.count) { buffer, count in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            for (position, component) in vector.enumerated() {
                raw.storeBytes(of: component.bitPattern.littleEndian, toByteOffset: 4 * position, as: UInt32.self)
            }
            count = 4 * vector.count
        }
        return ExtendedValue(type: type, bytes: bytes)
    }

    /// The floats of packed bytes; `nil` when their number is no multiple of four.
    public static func unpack(_ bytes: RawSpan) -> [Float]? {
        guard bytes.byteCount % 4 == 0 else { return nil }
        return bytes.withUnsafeBytes { raw in
            (0..<raw.count / 4).map {
                Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        }
    }
}

extension MessagePackWriter {
    /// Writes a vector: packed when the writer packs vectors and it has components, else as an array of floats.
    mutating func write(vector: [Float]) {
        guard packsVectors, !vector.isEmpty else { return write(floats: vector.span) }
        hasPackedVectors = true
        write(PackedVector.pack(vector))
    }

    private mutating func write(floats: Span<Float>) {
        writeArrayHead(count: floats.count)
        need(5 * floats.count)
        var end = base + count
        for position in floats.indices {
            end.storeBytes(of: 0xCA, as: UInt8.self)
            end.storeBytes(of: floats[position].bitPattern.bigEndian, toByteOffset: 1, as: UInt32.self)
            end += 5
        }
        count += 5 * floats.count
    }

    /// Writes the array of floats that packed bytes stand for; bytes behind the last whole float are left out.
    public mutating func write(unpacking bytes: RawSpan) {
        let length = bytes.byteCount / 4
        writeArrayHead(count: length)
        need(5 * length)
        var end = base + count
        bytes.withUnsafeBytes { raw in
            for position in 0..<length {
                let bits = raw.loadUnaligned(fromByteOffset: 4 * position, as: UInt32.self)
                end.storeBytes(of: 0xCA, as: UInt8.self)
                end.storeBytes(of: UInt32(littleEndian: bits).bigEndian, toByteOffset: 1, as: UInt32.self)
                end += 5
            }
        }
        count += 5 * length
    }
}

extension MessagePackReader {
    /// Moves behind the next value, and tells whether an extension of a type is in it.
    @_lifetime(self: copy self)
    public mutating func skip(noting sought: Int8) throws(MessagePackError) -> Bool {
        var isFound = false
        var values = 1  // as in `skip`
        while values > 0 {
            values &-= 1
            switch try readHead() {
            case .null, .bool, .int, .uint, .double: break
            case .string(let count), .bytes(let count): position &+= count
            case .extended(let type, let count):
                position &+= count
                if type == sought { isFound = true }
            case .array(let count): values &+= count &- passFloats(count)
            case .map(let count): values &+= count &* 2
            }
        }
        return isFound
    }
}
