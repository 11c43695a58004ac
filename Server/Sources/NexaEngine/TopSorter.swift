import NexaQuery

/// Sorts documents, keeping only as many as can be in the result.
///
/// Without a bound everything is kept and sorted at the end, in a file if it outgrows the memory. With one, a heap
/// holds the best documents seen so far, the worst of them on top. Equal documents stay in the order in which they came.
final class TopSorter {
    private struct Entry {
        var key: [UInt8]
        var number: UInt64
        var document: [UInt8]

        static func precedes(_ left: Entry, _ right: Entry) -> Bool {
            let order = left.key.order(to: right.key)
            return order == 0 ? left.number < right.number : order < 0
        }

        var cost: Int { key.count + document.count + 96 }

        /// The key and, behind it, what puts equal documents in order: no key is the beginning of another.
        var numberedKey: [UInt8] { key + withUnsafeBytes(of: number.bigEndian) { Array($0) } }
    }

    private let order: SortOrder
    private let bound: Int?
    /// Bytes that are kept in memory.
    let maximumBytes: Int
    private var entries: [Entry] = []
    /// The first of the entries, as soon as there are as many as can be.
    private var worstKey: [UInt8] = []
    private var worstNumber: UInt64 = 0
    private var bytes = 0
    private var seen: UInt64 = 0
    /// The key of the document at hand. One thread at a time has the sorter, and nobody asks for the key while it is made:
    /// the check at run time would cost a tenth of a scan.
    @exclusivity(unchecked) private var scratch: [UInt8] = []
    /// Takes everything, without a bound or when the bound is too large for the memory.
    private var spilling: SpillingSorter?
    private let directory: String
    private var position = 0

    /// - Parameter keeping: how many documents can be in the result, with whether the number overflowed; `nil` for all.
    init(_ order: SortOrder, keeping: (partialValue: Int, overflow: Bool)?, maximumBytes: Int, directory: String) {
        self.order = order
        self.directory = directory
        bound = keeping.flatMap { $0.overflow ? nil : $0.partialValue }
        self.maximumBytes = maximumBytes
    }

    /// A part of the work, for another thread; to be merged.
    private init(partOf sorter: TopSorter, _ order: SortOrder, maximumBytes: Int) {
        self.order = order
        directory = sorter.directory
        bound = sorter.bound
        self.maximumBytes = maximumBytes
    }

    /// Whether only some are kept, so that two threads can share the work and put together what they kept.
    var isBounded: Bool { bound != nil && spilling == nil }

    /// Another sorter with the same bound.
    ///
    /// - Parameter order: the same, compiled once more.
    func makePart(_ order: SortOrder, maximumBytes: Int) -> TopSorter {
        TopSorter(partOf: self, order, maximumBytes: maximumBytes)
    }

    /// Whether it keeps more than it should, for a part: it must not go on in a file of its own.
    var isOverfull: Bool { bytes > maximumBytes }

    /// Adds a document; `copy` makes the bytes that are kept of it, if they are.
    ///
    /// - Parameters:
    ///   - number: its place among equal documents; as they come, without one.
    ///   - isPart: keeps all in memory, and leaves it to the caller to look at `isOverfull`.
    func add(
        _ document: RawSpan, number: UInt64? = nil, isPart: Bool = false, copy: (RawSpan) throws(EngineError) -> [UInt8]
    ) throws(EngineError) {
        scratch.removeAll(keepingCapacity: true)
        do throws(QueryError) { try order.appendKey(of: document, to: &scratch) } catch { throw EngineError(error) }
        seen += 1
        let number = number ?? seen
        // Most documents of a large collection end here.
        if entries.count == bound, bound != 0 {
            let order = scratch.order(to: worstKey)
            if order > 0 || order == 0 && number > worstNumber { return }
        }
        try insert(Entry(key: Array(scratch), number: number, document: []), isPart: isPart) { () throws(EngineError) in
            try copy(document)
        }
    }

    /// Takes what a part kept.
    func merge(_ part: TopSorter) throws(EngineError) {
        for entry in part.entries {
            try insert(entry, isPart: false) { () throws(EngineError) in entry.document }
        }
        seen += part.seen
        part.entries = []
    }

    private func insert(
        _ new: Entry, isPart: Bool, _ copy: () throws(EngineError) -> [UInt8]
    ) throws(EngineError) {
        var entry = new
        if let spilling { return try spilling.add(entry.numberedKey, try copy()) }
        if let bound, entries.count == bound, let worst = entries.first {
            guard Entry.precedes(entry, worst) else { return }
            entry.document = try copy()
            bytes += entry.cost - worst.cost
            entries[0] = entry
            siftDown()
        } else {
            entry.document = try copy()
            bytes += entry.cost
            entries.append(entry)
            if bound != nil { siftUp() }
        }
        if entries.count == bound, let worst = entries.first {
            worstKey = worst.key
            worstNumber = worst.number
        }
        guard bytes > maximumBytes, !isPart else { return }
        // From here on everything is kept, in a file: the bound was no help.
        let spilling = SpillingSorter(maximumBytes: maximumBytes, directory: directory)
        for entry in entries { try spilling.add(entry.numberedKey, entry.document) }
        entries = []
        self.spilling = spilling
    }

    /// Everything was added; the first `count` documents are passed over.
    func finish(skipping count: Int) throws(EngineError) {
        guard let spilling else {
            entries.sort(by: Entry.precedes)
            position = count
            return
        }
        try spilling.finish()
        for _ in 0..<count {
            if try spilling.next() == nil { return }
        }
    }

    /// The next document in order; `nil` at the end. With a bound that went to a file, there are more than wanted.
    func next() throws(EngineError) -> [UInt8]? {
        if let spilling { return try spilling.next() }
        guard position < entries.count else { return nil }
        defer { position += 1 }
        return entries[position].document
    }

    // The first entry is the one that comes last.
    private func siftUp() {
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard Entry.precedes(entries[parent], entries[child]) else { return }
            entries.swapAt(parent, child)
            child = parent
        }
    }

    private func siftDown() {
        var parent = 0
        while true {
            var last = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && Entry.precedes(entries[last], entries[child]) {
                last = child
            }
            if last == parent { return }
            entries.swapAt(parent, last)
            parent = last
        }
    }
}
