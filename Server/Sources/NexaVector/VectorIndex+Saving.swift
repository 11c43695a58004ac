import CNexaVector
import Glibc
import NexaStorage

extension VectorIndex {
    /// Writes an image of the moment in which it begins: to `path` + ".part" first, flushed, then renamed, so that a
    /// crash leaves the old image or the new one.
    ///
    /// Searches, `put` and `remove` go on meanwhile. `link` waits until the rows have been handed to the operating
    /// system: the graph stands still, vectors and ids of rows never change, and what `put` and `remove` do to the
    /// others is noted down, so that it can be left out. No row is used again before the end.
    ///
    /// - Parameter tag: the caller's own number, given back by `load`.
    public func save(to path: String, tag: UInt64) throws(VectorError) {
        let part = path + ".part"
        let (writer, rowsHead) = try writeRows(to: part)
        var head = rowsHead
        head.tag = tag
        head.size = UInt64(ImageFrame.headBytes + writer.written)
        do throws(VectorError) {
            try writer.finish(head: head.bytes)
            guard rename(part, path) == 0 else { throw .system("rename", part) }
        } catch {
            unlink(part)
            throw error
        }
        try Self.flushFolder(of: path)
    }

    private func writeRows(to part: String) throws(VectorError) -> (ImageWriter, ImageHead) {
        state.wait(until: { $0.saving == nil }, deadline: { _ in nil }) { $0.saving = ChangesMeanwhile() }
        defer {
            state.withLock { $0.saving = nil }
            state.wakeAll()
        }
        var image = state.wait(until: { $0.linkers == 0 }, deadline: { _ in nil }) { state in
            state.saving = ChangesMeanwhile()
            return Image(state)
        }
        image.readStates()
        // Taken, and not copied: whoever is next to note something would copy it again.
        let changes = state.withLock { state in
            defer { state.saving = ChangesMeanwhile() }
            return state.saving
        }
        image.settle(changes ?? ChangesMeanwhile())
        let writer = try ImageWriter(part)
        do throws(VectorError) {
            try image.write(writer)
        } catch {
            unlink(part)
            throw error
        }
        return (writer, image.head)
    }

    private static func flushFolder(of path: String) throws(VectorError) {
        var folder = "."
        if let slash = path.lastIndex(of: "/") {
            folder = slash == path.startIndex ? "/" : String(path[..<slash])
        }
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("open", folder) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .system("flush", folder) }
    }

    /// The rows of a moment, numbered without gaps.
    private struct Image {
        static let none = UInt32.max
        let rows: RowStore
        var head: ImageHead
        private let bound: UInt32
        /// Rows that nothing leads to any more.
        private let retired: [(moment: Int, slots: [UInt32])]
        private let entry: (slot: UInt32, level: Int)?
        /// What each slot was: a state without passing marks, or `RowState.free` for what the image does not have.
        private var kinds: [UInt8] = []
        /// The number of each slot in the image.
        private var numbers: [UInt32] = []

        /// Takes what the lock guards, all of it at hand.
        init(_ state: borrowing IndexState) {
            rows = state.rows
            bound = state.bound
            retired = state.retired
            entry = state.entry
            head = ImageHead(rows.configuration, rows.space.pointee)
            head.levels = state.levels.state
            head.ids = UInt32(state.ids.count)
        }

        /// Looks at all rows, while others come and go.
        mutating func readStates() {
            kinds.reserveCapacity(Int(bound))
            for slot in 0..<bound { kinds.append(rows[slot].state & ~RowState.leaving) }
        }

        /// Undoes what others did to the rows that `readStates` may have seen, and numbers them.
        mutating func settle(_ changes: ChangesMeanwhile) {
            for slot in changes.killed where slot < bound { kinds[Int(slot)] &= ~RowState.dead }
            for slot in changes.born where slot < bound { kinds[Int(slot)] = RowState.free }
            for slot in retired.lazy.flatMap(\.slots) { kinds[Int(slot)] = RowState.free }
            numbers = Array(repeating: Self.none, count: Int(bound))
            for slot in 0..<Int(bound) {
                // Dead rows of the graph are kept: others may be reached through them only.
                guard RowState.isAlive(kinds[slot]) || kinds[slot] & RowState.linked != 0 else { continue }
                numbers[slot] = head.rows
                head.rows += 1
            }
            if let entry, numbers[Int(entry.slot)] != Self.none {
                head.entry = numbers[Int(entry.slot)]
                head.entryLevel = UInt32(entry.level)
            }
        }

        func write(_ writer: ImageWriter) throws(VectorError) {
            let vectorBytes = rows.vectorBytes
            var links: [UInt32] = []
            for slot in 0..<bound where numbers[Int(slot)] != Self.none {
                let row = rows[slot]
                let kind = kinds[Int(slot)]
                let id = RowState.isAlive(kind) ? row.idBytes : UnsafeBufferPointer(start: nil, count: 0)
                try writer.add(kind)
                try writer.add(row.pointee.level)
                try writer.add(UInt16(id.count))
                try writer.add(row.pointee.factor.bitPattern)
                try writer.add(row.pointee.norm.bitPattern)
                try writer.add(nexa_vector_of(rows.space, row), vectorBytes)
                if let start = id.baseAddress { try writer.add(start, id.count) }
                guard kind & RowState.linked != 0 else { continue }
                for level in 0...UInt32(row.pointee.level) {
                    let list = nexa_list_of(rows.space, row, level)
                    links.removeAll(keepingCapacity: true)
                    for index in 0..<nexa_list_count(list) {
                        let number = numbers[Int(nexa_link(list, index))]
                        if number != Self.none { links.append(number) }
                    }
                    try writer.add(UInt16(links.count))
                    for link in links { try writer.add(link) }
                }
            }
            try writer.flush()
        }
    }
}

/// What is put and removed while an image is written.
struct ChangesMeanwhile {
    /// Slots that hold a vector which was put meanwhile.
    var born: [UInt32] = []
    /// Slots whose vector was removed or replaced meanwhile; some of them may have been born meanwhile, too.
    var killed: [UInt32] = []
}
