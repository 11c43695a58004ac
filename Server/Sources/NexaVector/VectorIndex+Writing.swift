import CNexaVector
import NexaStorage

extension VectorIndex {
    /// Throws what `put` would throw about the vector, and nothing when it is fine.
    public func validate(_ vector: Span<Float>) throws(VectorError) { _ = try squaredLength(vector) }

    /// The squared length of a vector that is as long as it has to be, and finite.
    ///
    /// With it below 2¹²⁶ no distance overflows: a dot product is at most the product of the lengths.
    func squaredLength(_ vector: Span<Float>) throws(VectorError) -> Double {
        guard vector.count == configuration.dimensions else {
            throw VectorError(
                .wrongDimensions, "The vector has \(vector.count) dimensions, the index \(configuration.dimensions)",
                advice: "Give a vector with \(configuration.dimensions) components")
        }
        let (squares, largest) = vector.withUnsafeBufferPointer { vector in
            (nexa_squared_length(vector.baseAddress, vector.count), nexa_largest(vector.baseAddress, vector.count))
        }
        guard squares.isFinite else {
            let index = vector.indices.first { !vector[$0].isFinite } ?? 0
            throw VectorError(
                .notFinite, "Component \(index) of the vector is \(vector[index])", advice: "Give finite numbers")
        }
        guard squares < 0x1p126 else {
            throw VectorError(
                .notFinite, "The vector's length is \(squares.squareRoot()), and distances to it may be infinite",
                advice: "Scale vectors to lengths below 9e18")
        }
        if configuration.quantization == .float16, configuration.metric != .cosine, largest > 65504 {
            throw VectorError(
                .notFinite, "A component is \(largest), which half precision cannot hold",
                advice: "Scale vectors to components of at most 65504, or use another quantisation")
        }
        return squares
    }

    /// Makes the vector of `id` this one: visible to searches at once, scanned exactly until it is linked. An older
    /// vector of the same id is replaced.
    public func put(_ vector: Span<Float>, id: Span<UInt8>) throws(VectorError) {
        let squares = try squaredLength(vector)
        guard 1...IDArena.limit ~= id.count else {
            throw VectorError(
                .invalidID, "The id has \(id.count) bytes", advice: "Give one with 1 to \(IDArena.limit) bytes")
        }
        let result = vector.withUnsafeBufferPointer { vector in
            id.withUnsafeBufferPointer { id in
                Result { () throws(VectorError) in try put(vector, squares: squares, id: id) }
            }
        }
        try result.get()
    }

    /// Makes the vector of `id` this one.
    public func put(_ vector: [Float], id: [UInt8]) throws(VectorError) { try put(vector.span, id: id.span) }

    /// Makes the vector of `id` this one.
    public func put(_ vector: UnsafeBufferPointer<Float>, id: [UInt8]) throws(VectorError) {
        try put(Span(_unsafeElements: vector), id: id.span)
    }

    private func put(_ vector: UnsafeBufferPointer<Float>, squares: Double, id: UnsafeBufferPointer<UInt8>)
        throws(VectorError)
    {
        guard let start = vector.baseAddress else { return }
        let slot = try state.withLock { (state) throws(VectorError) in
            let level = state.levels.next()
            return try state.takeRow(level: level)
        }
        let row = rows[slot]
        rows.store(start, squares: squares, into: row)
        let isStored = state.withLock { state in
            guard let copy = state.arena.copy(id) else {
                state.freeRow(slot)
                return false
            }
            row.pointee.id = copy
            let hash = state.hash(id)
            if let old = state.slot(id, hash: hash) {
                state.kill(old)
                state.ids.replace(hash, old: old, with: slot)
            } else {
                state.ids.insert(hash, slot: slot)
            }
            nexa_set_state(row, RowState.waiting)
            state.saving?.born.append(slot)
            state.waiting.append(slot)
            state.waitingCount += 1
            return true
        }
        if !isStored { throw .outOfMemory }
    }

    /// Takes the vector of `id` out; no search that begins afterwards finds it.
    ///
    /// - Returns: whether there was one.
    @discardableResult
    public func remove(_ id: Span<UInt8>) -> Bool {
        id.withUnsafeBufferPointer { id in
            state.withLock { state in
                let hash = state.hash(id)
                guard let slot = state.slot(id, hash: hash) else { return false }
                state.ids.remove(hash, slot: slot)
                state.kill(slot)
                return true
            }
        }
    }

    /// Takes the vector of `id` out; no search that begins afterwards finds it.
    @discardableResult
    public func remove(_ id: [UInt8]) -> Bool { remove(id.span) }
}
