import NexaQuery
import NexaStorage
import NexaValue

/// The entries of some documents for an index that is not unique, in one piece of memory, to be sorted and written as a
/// table.
struct IndexRun: Sendable {
    private struct Entry {
        /// The first bytes behind the number of the index, which most comparisons end with.
        var beginning: UInt64
        var start: UInt32
        /// Keys are shorter: 32 fields of 1024 bytes and an `_id`.
        var count: UInt16
        /// How many of the bytes are the `_id`.
        var idCount: UInt16
    }

    /// About the least that an entry takes.
    static let leastBytes = 40

    private let index: Index
    private var bytes: [UInt8] = []
    private var entries: [Entry] = []
    /// Documents that were looked at.
    private(set) var scanned = 0

    init(_ index: Index) { self.index = index }

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }
    /// The bytes of the entries, with what is kept beside them.
    var byteCount: Int { bytes.count + entries.count * MemoryLayout<Entry>.stride }

    /// Adds the entries of a document.
    mutating func add(_ document: RawSpan, key documentKey: RawSpan) throws(EngineError) {
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

    private mutating func append(_ start: Int, idCount: Int) {
        let count = bytes.count - start
        let beginning = bytes.withUnsafeBytes { bytes -> UInt64 in
            let first = start + DocumentKey.prefixLength
            let length = bytes.count - first
            if length >= 8 { return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: first, as: UInt64.self)) }
            var word: UInt64 = 0
            for offset in 0..<length { word = word << 8 | UInt64(bytes[first + offset]) }
            return word << UInt64(8 * (8 - length))
        }
        entries.append(
            Entry(
                beginning: beginning, start: UInt32(truncatingIfNeeded: start),
                count: UInt16(truncatingIfNeeded: count), idCount: UInt16(truncatingIfNeeded: idCount)))
    }

    // MARK: Sorting

    /// Below this many entries, comparing is faster than counting.
    private static let entriesOfRadixSort = 1000

    /// Sorts the entries by their bytes: by the eight at their beginning, a byte at a time from the last to the first
    /// (LSD radix sort), then those that begin alike by comparing the rest.
    mutating func sort() {
        let bytes = bytes
        bytes.withUnsafeBytes { bytes in
            guard entries.count >= Self.entriesOfRadixSort else {
                entries.sort { Self.precedes($0, bytes, $1, bytes) }
                return
            }
            sortByBeginning()
            entries.withUnsafeMutableBufferPointer { entries in
                var first = 0
                while first < entries.count {
                    var end = first + 1
                    while end < entries.count, entries[end].beginning == entries[first].beginning { end += 1 }
                    if end - first > 1 { entries[first..<end].sort { Self.precedes($0, bytes, $1, bytes) } }
                    first = end
                }
            }
        }
    }

    private mutating func sortByBeginning() {
        var counts = [Int](repeating: 0, count: 8 * 256)
        for entry in entries {
            for place in 0..<8 { counts[place << 8 + Int(entry.beginning >> (8 * UInt64(place)) & 255)] += 1 }
        }
        var other = entries
        for place in 0..<8 {
            let range = (place << 8)..<((place + 1) << 8)
            // A byte that is the same everywhere orders nothing.
            if counts[range].contains(entries.count) { continue }
            var sum = 0
            for slot in range {
                let count = counts[slot]
                counts[slot] = sum
                sum += count
            }
            let shift = 8 * UInt64(place)
            entries.withUnsafeBufferPointer { source in
                other.withUnsafeMutableBufferPointer { target in
                    counts.withUnsafeMutableBufferPointer { counts in
                        for entry in source {
                            let slot = place << 8 + Int(entry.beginning >> shift & 255)
                            target[counts[slot]] = entry
                            counts[slot] += 1
                        }
                    }
                }
            }
            swap(&entries, &other)
        }
    }

    private static func precedes(
        _ left: Entry, _ leftBytes: UnsafeRawBufferPointer, _ right: Entry, _ rightBytes: UnsafeRawBufferPointer
    ) -> Bool {
        if left.beginning != right.beginning { return left.beginning < right.beginning }
        let (one, other) = (key(left, leftBytes), key(right, rightBytes))
        return unsafe RawSpan(_unsafeBytes: one).precedes(RawSpan(_unsafeBytes: other))
    }

    private static func key(_ entry: Entry, _ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[Int(entry.start)..<(Int(entry.start) + Int(entry.count))])
    }

    // MARK: Writing

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
    static func write(_ runs: [IndexRun], _ ranges: [Range<Int>], to table: SortedTable) throws(StorageError) {
        guard runs.count == 2 else {
            for (run, range) in zip(runs, ranges) {
                try run.reading(range) { (cursor) throws(StorageError) in
                    while !cursor.isAtEnd { try cursor.write(to: table) }
                }
            }
            return
        }
        try runs[0].reading(ranges[0]) { (one) throws(StorageError) in
            try runs[1].reading(ranges[1]) { (other) throws(StorageError) in
                while !one.isAtEnd, !other.isAtEnd {
                    if precedes(one.entry, one.bytes, other.entry, other.bytes) {
                        try one.write(to: table)
                    } else {
                        try other.write(to: table)
                    }
                }
                while !one.isAtEnd { try one.write(to: table) }
                while !other.isAtEnd { try other.write(to: table) }
            }
        }
    }

    /// A place in a run that is being written.
    private struct Cursor {
        let entries: UnsafeBufferPointer<Entry>
        let bytes: UnsafeRawBufferPointer
        var position: Int
        let end: Int

        /// So far ahead their bytes are fetched.
        private static let distance = 12

        init(_ entries: UnsafeBufferPointer<Entry>, _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
            self.entries = entries
            self.bytes = bytes
            position = range.lowerBound
            end = range.upperBound
        }

        var isAtEnd: Bool { position == end }
        var entry: Entry { entries[position] }

        mutating func write(to table: SortedTable) throws(StorageError) {
            let later = position + Self.distance
            if later < end { SortedTable.prefetch(IndexRun.key(entries[later], bytes)) }
            let entry = entry
            let length: [2 of UInt8] = [
                UInt8(truncatingIfNeeded: entry.idCount >> 8), UInt8(truncatingIfNeeded: entry.idCount)
            ]
            try table.put(key: unsafe RawSpan(_unsafeBytes: IndexRun.key(entry, bytes)), value: length.span.bytes)
            position += 1
        }
    }

    private func reading(
        _ range: Range<Int>, _ body: (inout Cursor) throws(StorageError) -> Void
    ) throws(StorageError) {
        try entries.withUnsafeBufferPointer { (entries) throws(StorageError) in
            try bytes.withUnsafeBufferPointer { (bytes) throws(StorageError) in
                var cursor = Cursor(entries, UnsafeRawBufferPointer(bytes), range)
                try body(&cursor)
            }
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
        let id = key.extracting(DocumentKey.prefixLength...)
        id.withUnsafeBytes { bytes.append(contentsOf: $0) }
        return true
    }
}
