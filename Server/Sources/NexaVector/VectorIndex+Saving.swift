import CNexaVector
import Glibc
import NexaStorage

extension VectorIndex {
    /// Writes one consistent image: to `path` + ".part" first, flushed, then renamed, so that a crash leaves the old
    /// image or the new one. Searches go on meanwhile; `put`, `remove` and `link` wait until the rows have been handed
    /// to the operating system, and go on while it flushes them.
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
        state.wait(until: { !$0.isSaving }, deadline: { _ in nil }) { $0.isSaving = true }
        defer {
            state.withLock { $0.isSaving = false }
            state.wakeAll()
        }
        let image = state.wait(until: { $0.writers == 0 }, deadline: { _ in nil }) { Image($0) }
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

    /// The rows of a moment in which nobody changes them, numbered without gaps.
    private struct Image {
        static let none = UInt32.max
        let rows: RowStore
        var head: ImageHead
        /// The number of each slot in the image.
        private var numbers: [UInt32]

        init(_ state: borrowing IndexState) {
            rows = state.rows
            head = ImageHead(rows.configuration, rows.space.pointee)
            head.levels = state.levels.state
            head.ids = UInt32(state.ids.count)
            numbers = Array(repeating: Self.none, count: Int(state.bound))
            let retired = Set(state.retired.flatMap(\.slots))
            for slot in 0..<state.bound {
                let row = rows[slot].state
                // Dead rows of the graph are kept: others may be reached through them only.
                guard RowState.isAlive(row) || row & RowState.linked != 0 && !retired.contains(slot) else { continue }
                numbers[Int(slot)] = head.rows
                head.rows += 1
            }
            if let entry = state.entry, numbers[Int(entry.slot)] != Self.none {
                head.entry = numbers[Int(entry.slot)]
                head.entryLevel = UInt32(entry.level)
            }
        }

        func write(_ writer: ImageWriter) throws(VectorError) {
            let vectorBytes = rows.vectorBytes
            var links: [UInt32] = []
            for slot in UInt32(0)..<UInt32(numbers.count) where numbers[Int(slot)] != Self.none {
                let row = rows[slot]
                let state = row.state & ~RowState.leaving
                let id = RowState.isAlive(state) ? row.idBytes : UnsafeBufferPointer(start: nil, count: 0)
                try writer.add(state)
                try writer.add(row.pointee.level)
                try writer.add(UInt16(id.count))
                try writer.add(row.pointee.factor.bitPattern)
                try writer.add(row.pointee.norm.bitPattern)
                try writer.add(nexa_vector_of(rows.space, row), vectorBytes)
                if let start = id.baseAddress { try writer.add(start, id.count) }
                guard state & RowState.linked != 0 else { continue }
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
