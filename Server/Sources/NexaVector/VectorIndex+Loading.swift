import CNexaVector
import NexaStorage

extension VectorIndex {
    /// Reads an image back. Whatever the file holds, this ends with an index that works or with an error.
    ///
    /// - Parameter configuration: what the index is to be; `efConstruction` may differ from the image's.
    /// - Returns: the index, and the tag that `save` was given.
    public static func load(from path: String, expecting configuration: Configuration) throws(VectorError)
        -> (index: VectorIndex, tag: UInt64)
    {
        try configuration.validate()
        let reader = try ImageReader(path)
        let head = try ImageHead(reader.head, path: path)
        let rows = RowStore(configuration)
        let expected = ImageHead(configuration, rows.space.pointee)
        guard
            (head.dimensions, head.connections, head.metric, head.encoding)
                == (expected.dimensions, expected.connections, expected.metric, expected.encoding)
        else {
            throw VectorError(
                .otherConfiguration, "The vector index image \(path) is one of an index that is configured otherwise",
                advice: "Remove it; the index is then built from the stored vectors")
        }
        guard head.size == UInt64(reader.size) else { throw .damaged(path, "its length is not the one it had") }
        // The shortest row has no id and no links: so there is no more memory taken than the file has rows for.
        guard UInt64(head.rows) * UInt64(12 + rows.vectorBytes) <= head.size, head.rows < RowStore.slotLimit else {
            throw .damaged(path, "it is too short for \(head.rows) rows")
        }
        let index = VectorIndex(rows, IndexState(rows, seed: head.levels))
        let result = index.state.withLock { state in
            Result { () throws(VectorError) in
                var loader = ImageLoader(rows: rows, reader: reader, head: head)
                try loader.load(&state)
            }
        }
        try result.get()
        return (index, head.tag)
    }
}

/// Takes the rows of an image into an empty index.
private struct ImageLoader {
    let rows: RowStore
    let reader: ImageReader
    let head: ImageHead
    var levels = 0

    mutating func load(_ state: inout IndexState) throws(VectorError) {
        for number in 0..<head.rows { try loadRow(number, &state) }
        guard reader.isAtEnd else { throw damaged("there is something behind the last row") }
        guard state.ids.count == Int(head.ids) else { throw damaged("it has \(state.ids.count) ids") }
        var hasLinked = false
        for number in 0..<head.rows where rows[number].state & RowState.linked != 0 {
            hasLinked = true
            for level in 0...UInt32(rows[number].pointee.level) { try check(rows[number], level) }
        }
        guard hasLinked else { return }
        guard head.entry < head.rows, rows[head.entry].state & RowState.linked != 0,
            UInt32(rows[head.entry].pointee.level) == head.entryLevel
        else { throw damaged("the walk has nowhere to begin") }
        state.entry = (head.entry, Int(head.entryLevel))
    }

    private func damaged(_ what: String) -> VectorError { .damaged(reader.path, what) }

    private mutating func loadRow(_ number: UInt32, _ state: inout IndexState) throws(VectorError) {
        let kind = try reader.take(UInt8.self)
        let level = Int(try reader.take(UInt8.self))
        let idCount = Int(try reader.take(UInt16.self))
        let factor = Float(bitPattern: try reader.take(UInt32.self))
        let norm = Float(bitPattern: try reader.take(UInt32.self))
        let isAlive = kind == RowState.waiting || kind == RowState.linked
        guard isAlive || kind == RowState.linked | RowState.dead else { throw damaged("row \(number) is of no kind") }
        guard isAlive ? 1...IDArena.limit ~= idCount : idCount == 0 else {
            throw damaged("the id of row \(number) has \(idCount) bytes")
        }
        // Levels are rare: an image in which they are not would take more memory than it accounts for.
        levels += level
        guard level <= 30, levels <= 2 * Int(head.rows) + 1000 else {
            throw damaged("row \(number) has level \(level)")
        }
        guard try state.takeRow(level: level) == number else { throw damaged("its rows are out of order") }
        let row = rows[number]
        row.pointee.factor = factor
        row.pointee.norm = norm
        try reader.take(nexa_vector_of(rows.space, row), rows.vectorBytes)
        rows.clearPadding(of: row)
        guard rows.isFinite(row) else {
            throw damaged("the vector of row \(number) is not finite")
        }
        if isAlive { try loadID(row, number, count: idCount, &state) }
        if kind & RowState.linked != 0 {
            for level in 0...UInt32(level) { try loadLinks(nexa_list_of(rows.space, row, level), number) }
        }
        nexa_set_state(row, kind)
        switch kind {
        case RowState.waiting:
            state.waiting.append(number)
            state.waitingCount += 1
        case RowState.linked: break
        default: state.dead.append(number)
        }
    }

    private func loadID(_ row: Row, _ number: UInt32, count: Int, _ state: inout IndexState) throws(VectorError) {
        var failure: VectorError?
        var id = [UInt8](repeating: 0, count: count)
        try reader.take(&id, count)
        id.withUnsafeBufferPointer { id in
            let hash = state.hash(id)
            guard state.slot(id, hash: hash) == nil else {
                failure = damaged("the id of row \(number) is there twice")
                return
            }
            guard let copy = state.arena.copy(id) else {
                failure = .outOfMemory
                return
            }
            row.pointee.id = copy
            state.ids.insert(hash, slot: number)
        }
        if let failure { throw failure }
    }

    private func loadLinks(_ list: nexa_list, _ number: UInt32) throws(VectorError) {
        let count = UInt32(try reader.take(UInt16.self))
        guard count <= list.capacity else { throw damaged("row \(number) has \(count) links") }
        for index in 0..<count {
            let link = try reader.take(UInt32.self)
            guard link < head.rows else { throw damaged("row \(number) is linked to row \(link)") }
            nexa_set_link(list, index, link)
        }
        nexa_list_set_count(list, count)
    }

    /// Walks rely on it that a row which is linked to on a level is there on that level.
    private func check(_ row: Row, _ level: UInt32) throws(VectorError) {
        let list = nexa_list_of(rows.space, row, level)
        for index in 0..<nexa_list_count(list) {
            let other = rows[nexa_link(list, index)]
            guard other.state & RowState.linked != 0, UInt32(other.pointee.level) >= level else {
                throw damaged("a link leads to a row that is not on its level")
            }
        }
    }
}
