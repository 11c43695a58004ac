import NexaQuery
import NexaValue

/// The vector that a document has at a path, as an index stores it: 32-bit floats, little-endian, side by side.
enum StoredVector {
    /// Packs the list of numbers at a path.
    ///
    /// - Returns: `nil` when there is nothing at the path, or something that is no list.
    /// - Throws: `.badRequest` for a list of another length, or with something other than finite numbers in it.
    static func packed(
        _ document: RawSpan, at reader: FieldPathReader, path: String, dimensions: Int
    ) throws(EngineError) -> [UInt8]? {
        guard let range = reader.range(in: document) else { return nil }
        var list = MessagePackReader(document, at: range.lowerBound)
        guard case .array(let count)? = try? list.readHead() else { return nil }
        guard count == dimensions else {
            let owner = path == VectorOptions.defaultPath ? "collection" : "field '\(path)'"
            throw EngineError(
                .badRequest, "Vector dimension mismatch: \(owner) expects \(dimensions) dimensions, got \(count)")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * count)
        for position in 0..<count {
            guard let number = number(&list), number.isFinite else {
                throw EngineError(
                    .badRequest, "The vector in '\(path)' must consist of finite numbers; element \(position) is none")
            }
            withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    /// The length of the list of numbers under `vector`; `nil` when there is no such list.
    static func length(in document: RawSpan) -> Int? {
        guard let range = defaultReader.range(in: document) else { return nil }
        var list = MessagePackReader(document, at: range.lowerBound)
        guard case .array(let count)? = try? list.readHead(),
            (1...EngineLimits.maximumVectorDimensions).contains(count)
        else { return nil }
        for _ in 0..<count where number(&list)?.isFinite != true { return nil }
        return count
    }

    /// The length of the list at a path; 0 when there is none.
    static func count(_ document: RawSpan, _ reader: FieldPathReader) -> Int {
        guard let range = reader.range(in: document) else { return 0 }
        var list = MessagePackReader(document, at: range.lowerBound)
        guard case .array(let count)? = try? list.readHead() else { return 0 }
        return count
    }

    private static let defaultReader = FieldPathReader(VectorOptions.defaultPath)

    private static func number(_ list: inout MessagePackReader) -> Float? {
        switch try? list.readHead() {
        case .double(let number)?: Float(number)
        case .int(let number)?: Float(number)
        case .uint(let number)?: Float(number)
        default: nil
        }
    }

    /// The floats of a packed vector.
    static func floats(_ packed: RawSpan) -> [Float] {
        packed.withUnsafeBytes { bytes in
            (0..<bytes.count / 4).map {
                Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
            }
        }
    }
}
