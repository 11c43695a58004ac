import CRocksDB

extension Snapshot {
    /// What is known of a key without the tables.
    private enum Known {
        /// So many bytes of the copied ones.
        case value(byteCount: Int)
        /// To be looked up, and then to be offered to the cache if there is a ticket.
        case missing(ValueCache.Ticket?)
    }

    /// Looks up several keys at once, which is cheaper than one after the other, and runs `body` on each value that is
    /// there, in the order of the keys, with the number of its key; until it returns false.
    ///
    /// - Returns: how many keys the cache did not have.
    @discardableResult
    public func get(
        _ family: ColumnFamily, _ keys: KeyList, _ body: (_ number: Int, _ value: RawSpan) -> Bool
    ) throws(StorageError) -> Int {
        var copies: [UInt8] = []
        var known: [Known] = []
        let isCached = family == Store.cachedFamily && lookUp(keys, &known, &copies)
        if !isCached { known = [Known](repeating: .missing(nil), count: keys.count) }
        var missing: [Int] = []
        for number in known.indices { if case .missing = known[number] { missing.append(number) } }
        let values = copies.span.bytes
        let found = try PinnedValues(database, family, keys, missing, readOptions)
        var position = 0
        var next = 0
        for number in known.indices {
            switch known[number] {
            case .value(let byteCount):
                let start = position
                position += byteCount
                if !body(number, values.extracting(start..<position)) { return missing.count }
            case .missing(let ticket):
                let isWanted = try found.value(next) { value in
                    if let ticket, mayOffer {
                        keys[number].withUnsafeBytes { key in
                            value.withUnsafeBytes { cache.offer(key, $0, ticket) }
                        }
                    }
                    return body(number, value)
                }
                next += 1
                if isWanted == false { return missing.count }
            }
        }
        return missing.count
    }

    /// Copies what the cache has of the keys; false when that is of another moment.
    private func lookUp(_ keys: KeyList, _ known: inout [Known], _ copies: inout [UInt8]) -> Bool {
        guard isCurrent else { return false }
        known.reserveCapacity(keys.count)
        // Growing it later would be under the lock of the cache.
        copies.reserveCapacity(keys.count * 256)
        var start = 0
        cache.find(keys) {
            copies.append(contentsOf: $0)
        } then: { ticket in
            known.append(ticket.map { .missing($0) } ?? .value(byteCount: copies.count - start))
            start = copies.count
        }
        if isCurrent { return true }
        copies = []
        return false
    }
}

/// Values that are pinned where they lie, until this goes.
private struct PinnedValues: ~Copyable {
    private let values: UnsafeMutableBufferPointer<OpaquePointer?>
    private let failures: UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>

    /// - Parameter wanted: the numbers of the keys.
    init(
        _ database: RocksDatabase, _ family: ColumnFamily, _ keys: KeyList, _ wanted: [Int],
        _ options: OpaquePointer
    ) throws(StorageError) {
        values = .allocate(capacity: wanted.count)
        values.initialize(repeating: nil)
        failures = .allocate(capacity: wanted.count)
        failures.initialize(repeating: nil)
        guard !wanted.isEmpty else { return }
        let ranges = wanted.map { keys.range($0) }
        let lengths = ranges.map(\.count)
        keys.bytes.withUnsafeBytes { all in
            let pointers = ranges.map { UnsafeRawBufferPointer(rebasing: all[$0]).characters }
            rocksdb_batched_multi_get_cf(
                database.db, options, database.handle(family), wanted.count, pointers, lengths, values.baseAddress,
                failures.baseAddress, false)
        }
    }

    deinit {
        for value in values { if let value { rocksdb_pinnableslice_destroy(value) } }
        for failure in failures { if let failure { rocksdb_free(failure) } }
        values.deallocate()
        failures.deallocate()
    }

    /// Runs `body` on a value; `nil` when it is not there.
    func value<Result>(_ number: Int, _ body: (RawSpan) -> Result) throws(StorageError) -> Result? {
        if let failure = failures[number] {
            failures[number] = nil
            throw .rocks(failure, doing: "read a key")
        }
        guard let value = values[number] else { return nil }
        var count = 0
        let start = rocksdb_pinnableslice_value(value, &count)
        return body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: start, count: count)))
    }
}
