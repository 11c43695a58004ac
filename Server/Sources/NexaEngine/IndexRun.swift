import NexaQuery
import NexaStorage
import NexaValue

/// The entries of some documents for an index that is not unique, in one piece of memory, to be sorted and written as a
/// table.
///
/// `@unchecked Sendable`: it has one owner at a time, who may hand it to another thread.
final class IndexRun: @unchecked Sendable {
    private struct Entry {
        /// The first bytes behind the number of the index, which most comparisons end with.
        var beginning: UInt64
        var start: Int
        var count: Int32
        /// How many of the bytes are the `_id`.
        var idCount: Int32
    }

    /// Entries are sorted when they have so many bytes, with what is kept beside them.
    static let maximumBytes = 32 << 20

    private let index: Index
    private var bytes: [UInt8] = []
    private var entries: [Entry] = []
    private var key: [UInt8] = []
    /// Documents that were looked at.
    private(set) var scanned = 0

    init(_ index: Index) { self.index = index }

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }
    var isFull: Bool { bytes.count + entries.count * MemoryLayout<Entry>.stride >= Self.maximumBytes }

    /// Adds the entries of a document.
    func add(_ document: RawSpan, key documentKey: RawSpan) throws(EngineError) {
        scanned += 1
        let start = bytes.count
        if try index.appendPlainEntry(of: document, key: documentKey, to: &bytes) {
            append(start, idCount: documentKey.byteCount - DocumentKey.prefixLength)
            return
        }
        let key = documentKey.withUnsafeBytes { Array($0) }
        for entry in try index.entries(of: document, key: key) {
            let start = bytes.count
            bytes += entry.key
            append(start, idCount: key.count - DocumentKey.prefixLength)
        }
    }

    private func append(_ start: Int, idCount: Int) {
        let count = bytes.count - start
        let beginning = bytes.withUnsafeBytes { bytes -> UInt64 in
            let first = start + DocumentKey.prefixLength
            let length = min(8, bytes.count - first)
            var word: UInt64 = 0
            for offset in 0..<length { word = word << 8 | UInt64(bytes[first + offset]) }
            return word << UInt64(8 * (8 - length))
        }
        entries.append(
            Entry(
                beginning: beginning, start: start, count: Int32(truncatingIfNeeded: count),
                idCount: Int32(truncatingIfNeeded: idCount)))
    }

    func sort() {
        let bytes = bytes
        bytes.withUnsafeBytes { bytes in
            entries.sort { Self.precedes($0, bytes, $1, bytes) }
        }
    }

    private static func precedes(
        _ left: Entry, _ leftBytes: UnsafeRawBufferPointer, _ right: Entry, _ rightBytes: UnsafeRawBufferPointer
    ) -> Bool {
        if left.beginning != right.beginning { return left.beginning < right.beginning }
        let one = UnsafeRawBufferPointer(rebasing: leftBytes[left.start..<(left.start + Int(left.count))])
        let two = UnsafeRawBufferPointer(rebasing: rightBytes[right.start..<(right.start + Int(right.count))])
        return unsafe RawSpan(_unsafeBytes: one).precedes(RawSpan(_unsafeBytes: two))
    }

    /// Cuts sorted runs at a key in the middle of the longest, into parts that do not overlap and are not empty.
    static func halves(_ runs: [IndexRun]) -> (low: [Range<Int>], high: [Range<Int>]) {
        guard let longest = runs.max(by: { $0.count < $1.count }), longest.count > 1 else {
            return (runs.map { 0..<$0.count }, runs.map { $0.count..<$0.count })
        }
        let middle = longest.entries[longest.count / 2]
        let cuts = runs.map { run in
            run.bytes.withUnsafeBytes { bytes in
                longest.bytes.withUnsafeBytes { others in
                    var low = 0
                    var high = run.entries.count
                    while low < high {
                        let probe = (low + high) / 2
                        if precedes(run.entries[probe], bytes, middle, others) { low = probe + 1 } else { high = probe }
                    }
                    return low
                }
            }
        }
        return (cuts.map { 0..<$0 }, zip(cuts, runs).map { $0..<$1.count })
    }

    /// Writes parts of sorted runs as one table. The runs have no entry in common, being of different documents.
    static func write(_ runs: [IndexRun], _ ranges: [Range<Int>], to table: SortedTable) throws(EngineError) {
        guard runs.count == 2 else {
            for (run, range) in zip(runs, ranges) {
                for position in range { try run.write(position, to: table) }
            }
            return
        }
        let (one, two) = (runs[0], runs[1])
        var (first, second) = (ranges[0].lowerBound, ranges[1].lowerBound)
        while first < ranges[0].upperBound, second < ranges[1].upperBound {
            let isFirst = one.bytes.withUnsafeBytes { bytes in
                two.bytes.withUnsafeBytes { others in
                    precedes(one.entries[first], bytes, two.entries[second], others)
                }
            }
            if isFirst {
                try one.write(first, to: table)
                first += 1
            } else {
                try two.write(second, to: table)
                second += 1
            }
        }
        for position in first..<ranges[0].upperBound { try one.write(position, to: table) }
        for position in second..<ranges[1].upperBound { try two.write(position, to: table) }
    }

    private func write(_ position: Int, to table: SortedTable) throws(EngineError) {
        let entry = entries[position]
        let length: [2 of UInt8] = [
            UInt8(truncatingIfNeeded: entry.idCount >> 8), UInt8(truncatingIfNeeded: entry.idCount)
        ]
        let bytes = bytes
        let key = bytes.span.bytes.extracting(entry.start..<(entry.start + Int(entry.count)))
        do throws(StorageError) {
            try table.put(key: key, value: length.span.bytes)
        } catch {
            throw EngineError(error)
        }
    }
}

extension Index {
    /// Appends the only entry that a document has in an index that is not unique, as `entries` makes it; false, with
    /// nothing appended, where that is not known without looking closer.
    func appendPlainEntry(of document: RawSpan, key: RawSpan, to bytes: inout [UInt8]) throws(EngineError) -> Bool {
        guard hasPlainEntries else { return false }
        let start = bytes.count
        bytes.append(contentsOf: prefix)
        do throws(QueryError) {
            guard try pattern.appendPlainKey(of: document, to: &bytes) else {
                bytes.removeLast(bytes.count - start)
                return false
            }
        } catch {
            throw EngineError(error)
        }
        key.withUnsafeBytes { bytes.append(contentsOf: $0.dropFirst(DocumentKey.prefixLength)) }
        return true
    }
}
