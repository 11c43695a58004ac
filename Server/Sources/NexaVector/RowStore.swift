import CNexaVector
import Glibc

typealias Row = UnsafeMutablePointer<nexa_row>

/// What a row is, in its `state`: changed by one thread at a time (under the index's lock), read by any.
enum RowState {
    /// Not in use; never reached.
    static let free: UInt8 = 0
    /// Scanned by searches, not in the graph yet.
    static let waiting: UInt8 = 1
    /// In the graph.
    static let linked: UInt8 = 2
    /// Added to either of the two: walked through, but no result.
    static let dead: UInt8 = 0x80
    /// Added to a dead row whose links are being taken out.
    static let leaving: UInt8 = 0x40

    static func isAlive(_ state: UInt8) -> Bool { state != free && state & dead == 0 }
}

extension UnsafeMutablePointer where Pointee == nexa_row {
    var state: UInt8 { nexa_state(self) }
    var isAlive: Bool { RowState.isAlive(nexa_state(self)) }
    /// The bytes of the id, without the length before them.
    var idBytes: UnsafeBufferPointer<UInt8> {
        guard let id = pointee.id else { return UnsafeBufferPointer(start: nil, count: 0) }
        let count = Int(UnsafeRawPointer(id).loadUnaligned(as: UInt16.self))
        return UnsafeBufferPointer(start: id + 2, count: count)
    }
}

/// The rows: each holds one vector and its links, in blocks that never move.
///
/// `@unchecked Sendable`: the directory of blocks and what several threads change in a row is atomic; the rest of a row
/// is written while nobody else can reach it.
final class RowStore: @unchecked Sendable {
    let space: UnsafeMutablePointer<nexa_space>
    let configuration: VectorIndex.Configuration
    /// The bytes of a query with its padding; queries are floats, or signed bytes for rows of bytes.
    let queryBytes: Int
    static let slotLimit = UInt32(1) << 31 - 1 << 6

    init(_ configuration: VectorIndex.Configuration) {
        self.configuration = configuration
        space = .allocate(capacity: 1)
        space.initialize(to: nexa_space())
        let width =
            switch configuration.quantization {
            case .none: 4
            case .float16: 2
            case .int8: 1
            }
        space.pointee.padded = (configuration.dimensions * width + 63) / 64 * 64
        let links = 2 * configuration.maxConnections * MemoryLayout<UInt32>.size
        space.pointee.vector = (MemoryLayout<nexa_row>.size + links + 63) / 64 * 64
        space.pointee.stride = space.pointee.vector + space.pointee.padded
        space.pointee.dimensions = UInt32(configuration.dimensions)
        space.pointee.connections = UInt32(configuration.maxConnections)
        space.pointee.encoding =
            switch configuration.quantization {
            case .none: 0
            case .float16: 1
            case .int8: 2
            }
        space.pointee.metric =
            switch configuration.metric {
            case .cosine: 0
            case .dot: 1
            case .l2: 2
            }
        queryBytes = space.pointee.padded * (configuration.quantization == .float16 ? 2 : 1)
    }

    /// The rows' upper links are freed by the index, which knows how many rows there are.
    deinit {
        nexa_free_blocks(space)
        space.deallocate()
    }

    @inline(__always)
    subscript(_ slot: UInt32) -> Row { nexa_row_at(space, slot) }

    /// Makes sure that there is memory for a slot, the one after the last; `false` when there is none.
    func grow(to slot: UInt32) -> Bool {
        var place: UInt32 = 0
        let block = nexa_block_of(slot, &place)
        if nexa_has_block(space, block) { return true }
        guard let memory = nexa_allocate_block(Int(nexa_block_rows(block)) * space.pointee.stride) else { return false }
        nexa_set_block(space, block, memory)
        return true
    }

    /// Makes a row that was never used, or not since it was freed, one without links.
    func prepare(_ row: Row, level: Int, isFresh: Bool) -> Bool {
        nexa_prepare_row(row, UInt8(level), isFresh)
        guard level > 0 else { return true }
        let size = level * (configuration.maxConnections + 1)
        guard let lists = malloc(size * MemoryLayout<UInt32>.size)?.assumingMemoryBound(to: UInt32.self) else {
            return false
        }
        lists.initialize(repeating: 0, count: size)
        row.pointee.upper = lists
        return true
    }

    /// The bytes that the lists of the upper levels take.
    func upperBytes(level: Int) -> Int { level == 0 ? 0 : level * (configuration.maxConnections + 1) * 4 + 16 }

    /// Writes a vector into a row that nobody else reaches yet.
    ///
    /// - Parameter squares: its squared length.
    func store(_ vector: UnsafePointer<Float>, squares: Double, into row: Row) {
        let length = squares.squareRoot()
        row.pointee.norm = Float(length)
        nexa_store_row(space, row, vector, scale(length))
    }

    /// Makes a query of a vector; `buffer` has `queryBytes`, aligned to 64.
    func query(_ vector: UnsafePointer<Float>, squares: Double, buffer: UnsafeMutableRawPointer)
        -> nexa_query
    {
        var query = nexa_query()
        nexa_store_query(space, &query, buffer, vector, scale(squares.squareRoot()))
        return query
    }

    private func scale(_ length: Double) -> Double {
        guard configuration.metric == .cosine else { return 1 }
        return length > 0 ? 1 / length : 0
    }

    /// The vector in a row, as it was given to within rounding.
    func vector(_ row: Row) -> [Float] {
        let count = configuration.dimensions
        let scale = configuration.metric == .cosine ? row.pointee.norm : 1
        return [Float](unsafeUninitializedCapacity: count) { buffer, filled in
            if let start = buffer.baseAddress { nexa_load_row(space, row, start) }
            filled = count
            if scale != 1 { for index in 0..<count { buffer[index] *= scale } }
        }
    }

    // MARK: Images

    /// The bytes of a vector as it is stored, without padding.
    var vectorBytes: Int {
        switch configuration.quantization {
        case .none: configuration.dimensions * 4
        case .float16: configuration.dimensions * 2
        case .int8: configuration.dimensions
        }
    }

    /// Fills what follows a vector that was copied into a row.
    func clearPadding(of row: Row) {
        // A byte of 128 is a component of 0.
        let zero: Int32 = configuration.quantization == .int8 ? 0x80 : 0
        memset(nexa_vector_of(space, row) + vectorBytes, zero, space.pointee.padded - vectorBytes)
    }

    /// Whether no distance to the vector in a row can be anything but a number.
    func isFinite(_ row: Row) -> Bool {
        let norm = row.pointee.norm
        guard row.pointee.factor.isFinite, norm >= 0, norm < 0x1p126 else { return false }
        guard configuration.quantization != .int8 else {
            return abs(Double(row.pointee.factor)) * 127 * Double(configuration.dimensions).squareRoot() < 0x1p63
        }
        return withUnsafeTemporaryAllocation(of: Float.self, capacity: configuration.dimensions) { vector in
            guard let start = vector.baseAddress else { return false }
            nexa_load_row(space, row, start)
            return nexa_squared_length(start, vector.count) < 0x1p126
        }
    }

    /// Whether two rows have the same vector.
    @inline(__always)
    func areEqual(_ row: UnsafePointer<nexa_row>?, _ other: UnsafePointer<nexa_row>?) -> Bool {
        guard let row, let other else { return false }
        return row.pointee.factor == other.pointee.factor
            && memcmp(nexa_vector_of(space, row), nexa_vector_of(space, other), vectorBytes) == 0
    }

    @inline(__always)
    func areEqual(_ row: Row, _ other: Row) -> Bool { areEqual(UnsafePointer(row), UnsafePointer(other)) }

    @inline(__always)
    func areEqual(_ row: Row, _ other: UnsafePointer<nexa_row>?) -> Bool { areEqual(UnsafePointer(row), other) }

    /// What a kernel's number means to the caller.
    func distance(_ raw: Float) -> Float { configuration.metric == .cosine ? 1 + raw : raw }
}
