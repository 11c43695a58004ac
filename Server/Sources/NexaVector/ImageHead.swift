import CNexaVector

/// The first bytes of an image: what it holds. Numbers have their lowest byte first.
struct ImageHead {
    var dimensions: UInt32
    var connections: UInt32
    var efConstruction: UInt32
    var metric: UInt8
    var encoding: UInt8
    var tag: UInt64
    var levels: UInt64
    var rows: UInt32
    var ids: UInt32
    /// `UInt32.max` for none.
    var entry: UInt32
    var entryLevel: UInt32
    /// The length of the file.
    var size: UInt64

    var bytes: [UInt8] {
        var bytes = ImageFrame.magic
        func add<Number: FixedWidthInteger>(_ number: Number) {
            for shift in 0..<MemoryLayout<Number>.size {
                bytes.append(UInt8(truncatingIfNeeded: number >> Number(8 * shift)))
            }
        }
        add(ImageFrame.version)
        add(dimensions)
        add(connections)
        add(efConstruction)
        add(UInt32(metric) | UInt32(encoding) << 8)
        add(tag)
        add(levels)
        add(rows)
        add(ids)
        add(entry)
        add(entryLevel)
        add(size)
        bytes.append(contentsOf: repeatElement(0, count: ImageFrame.headBytes - 4 - bytes.count))
        add(nexa_crc32c(0, bytes, bytes.count))
        return bytes
    }

    init(_ configuration: VectorIndex.Configuration, _ space: nexa_space) {
        dimensions = UInt32(configuration.dimensions)
        connections = UInt32(configuration.maxConnections)
        efConstruction = UInt32(configuration.efConstruction)
        metric = space.metric
        encoding = space.encoding
        (tag, levels, rows, ids, entry, entryLevel, size) = (0, 0, 0, 0, .max, 0, 0)
    }

    init(_ bytes: [UInt8], path: String) throws(VectorError) {
        guard bytes.count == ImageFrame.headBytes, bytes.starts(with: ImageFrame.magic) else {
            throw .damaged(path, "it does not begin as an image does")
        }
        var position = ImageFrame.magic.count
        func take<Number: FixedWidthInteger>(_: Number.Type) -> Number {
            defer { position += MemoryLayout<Number>.size }
            return (0..<MemoryLayout<Number>.size).reduce(0) { number, index in
                number | Number(truncatingIfNeeded: bytes[position + index]) << Number(8 * index)
            }
        }
        let version = take(UInt32.self)
        guard version <= ImageFrame.version else {
            throw VectorError(
                .formatTooNew, "The vector index image \(path) has format \(version)",
                advice: "Use a newer server, or remove the image: the index is then built from the stored vectors")
        }
        dimensions = take(UInt32.self)
        connections = take(UInt32.self)
        efConstruction = take(UInt32.self)
        let kinds = take(UInt32.self)
        (metric, encoding) = (UInt8(truncatingIfNeeded: kinds), UInt8(truncatingIfNeeded: kinds >> 8))
        tag = take(UInt64.self)
        levels = take(UInt64.self)
        rows = take(UInt32.self)
        ids = take(UInt32.self)
        entry = take(UInt32.self)
        entryLevel = take(UInt32.self)
        size = take(UInt64.self)
        let covered = ImageFrame.headBytes - 4
        position = covered
        guard take(UInt32.self) == nexa_crc32c(0, bytes, covered) else {
            throw .damaged(path, "the checksum of its head does not match")
        }
    }
}
