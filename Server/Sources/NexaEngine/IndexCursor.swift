import NexaQuery
import NexaStorage
import NexaValue

/// Walks the entries of one scan after the other, in a snapshot.
final class IndexCursor {
    /// Where a walk stands, for going on later.
    struct Position {
        var scan: Int
        /// The stored key of the entry, with the `_id`.
        var key: [UInt8]
    }

    let scans: [IndexScan]
    private let snapshot: Snapshot
    private var iterator: StoreIterator?
    private(set) var scan = 0
    private var range = 0
    private var isInRange = false
    /// Set until the first entry behind the place at which an earlier walk ended.
    private var resume: Position?
    /// The key of the document that the entry at hand belongs to.
    private(set) var documentKey: [UInt8]
    /// How much of the key of the entry at hand is before the `_id`.
    private(set) var valueLength = 0
    private var remembered: Set<[UInt8]> = []
    private var rememberedBytes = 0
    private static let smallDocument = 256
    private static let maximumRememberedBytes = 8 << 20
    /// How many entries were met.
    private(set) var keysExamined = 0

    init(_ scans: [IndexScan], collection: UInt32, _ snapshot: Snapshot, after: Position? = nil) {
        self.scans = scans
        self.snapshot = snapshot
        documentKey = DocumentKey.prefix(collection)
        guard let after, after.scan < scans.count else { return }
        resume = after
        scan = after.scan
    }

    /// Moves to the next entry; false at the end.
    func advance() throws(EngineError) -> Bool {
        do throws(StorageError) {
            while scan < scans.count {
                if try advance(in: scans[scan]) { return true }
                scan += 1
                range = 0
                isInRange = false
                iterator = nil
                resume = nil
            }
            return false
        } catch {
            throw EngineError(error)
        }
    }

    /// Counts up to `limit` further entries that need not be read; fewer at the end.
    func count(upTo limit: Int) throws(EngineError) -> Int {
        var found = 0
        while scan < scans.count, scans[scan].ranges.count == 1, resume == nil, found < limit {
            let range = scans[scan].ranges[0]
            do throws(StorageError) {
                if iterator == nil {
                    iterator = try snapshot.makeIterator(.indexes, lower: range.lower, upper: range.upper)
                }
                // Taken out while it is used, so that nobody else can move it.
                guard var iterator = iterator.take() else { break }
                while found < limit, try iterator.advance() { found += 1 }
                self.iterator = consume iterator
            } catch {
                throw EngineError(error)
            }
            if found < limit {
                scan += 1
                iterator = nil
            }
        }
        keysExamined += found
        while found < limit, try advance() { found += 1 }
        return found
    }

    /// Looks up the entries of single values in a unique index one by one.
    private func lookUp(in current: IndexScan) throws(StorageError) -> Bool {
        while range < current.ranges.count {
            let key =
                current.isReverse
                ? current.ranges[current.ranges.count - 1 - range].lower : current.ranges[range].lower
            range += 1
            if let resume, current.isReverse ? !key.precedes(resume.key) : !resume.key.precedes(key) { continue }
            var isFound = false
            try snapshot.get(.indexes, key.span.bytes) { value in
                isFound = current.index.read(key: key.span.bytes, value: value, to: &documentKey) != nil
            }
            guard isFound else { continue }
            keysExamined += 1
            entryKey = key
            valueLength = key.count
            return true
        }
        return false
    }

    private func advance(in current: IndexScan) throws(StorageError) -> Bool {
        if current.isPoint, current.index.definition.isUnique { return try lookUp(in: current) }
        guard let first = current.ranges.first, let last = current.ranges.last else { return false }
        // Taken out while it is used, so that nobody else can move it.
        if iterator == nil {
            iterator = try snapshot.makeIterator(.indexes, lower: first.lower, upper: last.upper)
        }
        guard var iterator = iterator.take() else { return false }
        let isFound = try advance(&iterator, current)
        self.iterator = consume iterator
        return isFound
    }

    private func advance(_ iterator: inout StoreIterator, _ current: IndexScan) throws(StorageError) -> Bool {
        let ranges = current.ranges
        var isValid: Bool
        if let resume {
            let key = resume.key.span.bytes
            if current.isReverse {
                isValid = try iterator.seek(below: key)
            } else {
                isValid = try iterator.seek(to: key)
                if isValid, !key.precedes(iterator.key) { isValid = try iterator.advance() }
            }
            self.resume = nil
            isInRange = isValid
            if isValid { enterRange(of: iterator.key, current) }
        } else if isInRange {
            isValid = current.isReverse ? try iterator.retreat() : try iterator.advance()
        } else {
            isValid = current.isReverse ? try iterator.retreat() : try iterator.advance()
            isInRange = isValid
            range = current.isReverse ? ranges.count - 1 : 0
        }
        while isValid {
            // The entry is in the range at hand, in a later one, or between two.
            if current.isReverse {
                while range >= 0, iterator.key.precedes(ranges[range].lower) { range -= 1 }
                guard range >= 0 else { return false }
                if !iterator.key.precedes(ranges[range].upper) {
                    let upper = ranges[range].upper
                    isValid = try iterator.seek(below: upper.span.bytes)
                    continue
                }
            } else {
                while range < ranges.count, !iterator.key.precedes(ranges[range].upper) { range += 1 }
                guard range < ranges.count else { return false }
                if iterator.key.precedes(ranges[range].lower) {
                    let lower = ranges[range].lower
                    isValid = try iterator.seek(to: lower.span.bytes)
                    continue
                }
            }
            keysExamined += 1
            if let length = current.index.read(key: iterator.key, value: iterator.value, to: &documentKey) {
                valueLength = length
                entryKey.removeAll(keepingCapacity: true)
                iterator.key.withUnsafeBytes { entryKey.append(contentsOf: $0) }
                return true
            }
            isValid = current.isReverse ? try iterator.retreat() : try iterator.advance()
        }
        return false
    }

    /// The range to look at first when a walk goes on at a key.
    private func enterRange(of key: RawSpan, _ current: IndexScan) {
        range = current.isReverse ? current.ranges.count - 1 : 0
        guard current.ranges.count > 64 else { return }
        var low = 0
        var high = current.ranges.count
        while low < high {
            let middle = (low + high) / 2
            if key.precedes(current.ranges[middle].upper) { high = middle } else { low = middle + 1 }
        }
        range = min(low, current.ranges.count - 1)
    }

    /// The stored key of the entry at hand.
    private(set) var entryKey: [UInt8] = []

    /// Whether the document at hand was met before, and remembered; it need not be looked at again.
    var isRemembered: Bool { !remembered.isEmpty && remembered.contains(documentKey) }

    /// Notes that the document at hand was looked at, if it is so large that it may have many entries: looking at it at
    /// each of them would take time with the square of their number. There is room for a few megabytes of keys.
    func remember(_ document: RawSpan) {
        guard document.byteCount > Self.smallDocument, scans.count > 1 || scans[scan].mayRepeat,
            rememberedBytes < Self.maximumRememberedBytes
        else { return }
        if remembered.insert(documentKey).inserted { rememberedBytes += documentKey.count + 64 }
    }

    /// Whether the document at hand, which an entry led to, is to be taken: no other entry did or does so before.
    func isFirstMeeting(with document: RawSpan) throws(EngineError) -> Bool {
        // The cursor may be further on than the document.
        if meetsEachOnce { return true }
        for earlier in scans[..<scan] where try earlier.finds(document) { return false }
        guard scans[scan].mayRepeat else { return true }
        return try scans[scan].meetsFirst(Array(entryKey.prefix(valueLength)), of: document)
    }

    /// Whether no document is met twice, so that nothing needs to be known of those before.
    var meetsEachOnce: Bool { scans.count == 1 && !scans[0].mayRepeat }

    /// Where the walk stands.
    var position: Position { Position(scan: scan, key: entryKey) }
}
