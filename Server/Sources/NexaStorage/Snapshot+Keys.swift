import CRocksDB

extension Snapshot {
    /// Looks up several keys at once, which is cheaper than one after the other, and runs `body` on each value that is
    /// there, in place and in the order of the keys, with the number of its key; until it returns false.
    public func get(
        _ family: ColumnFamily, _ keys: [[UInt8]], _ body: (_ number: Int, _ value: RawSpan) -> Bool
    ) throws(StorageError) {
        var known = family == Store.cachedFamily ? lookUpCached(keys) : nil
        let missing = keys.indices.filter { number in
            if case .hit? = known?[number] { return false }
            return true
        }
        let found = try PinnedValues(database, family, missing.map { keys[$0] }, readOptions)
        var next = 0
        for (number, key) in keys.enumerated() {
            switch known?[number] {
            case .hit(let hit)?:
                let bytes = hit.bytes.span.bytes
                if !body(number, bytes.extracting(hit.start..<bytes.byteCount)) { return }
                known?[number] = nil
            case .miss(let ticket)?:
                let isWanted = try found.value(next) { value in
                    if mayOffer {
                        key.withUnsafeBytes { key in value.withUnsafeBytes { cache.offer(key, $0, ticket) } }
                    }
                    return body(number, value)
                }
                next += 1
                if isWanted == false { return }
            case nil:
                let isWanted = try found.value(next) { body(number, $0) }
                next += 1
                if isWanted == false { return }
            }
        }
    }

    /// What the cache has of the keys; `nil` when it is of another moment.
    private func lookUpCached(_ keys: [[UInt8]]) -> [ValueCache.Lookup?]? {
        guard isCurrent else { return nil }
        let known = keys.map { key in key.withUnsafeBytes { Optional(cache.find($0)) } }
        return isCurrent ? known : nil
    }
}

/// Values that are pinned where they lie, until this goes.
private struct PinnedValues: ~Copyable {
    private let values: UnsafeMutableBufferPointer<OpaquePointer?>
    private let failures: UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>

    init(
        _ database: RocksDatabase, _ family: ColumnFamily, _ keys: [[UInt8]], _ options: OpaquePointer
    ) throws(StorageError) {
        values = .allocate(capacity: keys.count)
        values.initialize(repeating: nil)
        failures = .allocate(capacity: keys.count)
        failures.initialize(repeating: nil)
        guard !keys.isEmpty else { return }
        let lengths = keys.map(\.count)
        let bytes = keys.joined()
        let all = Array(bytes)
        all.withUnsafeBytes { all in
            var start = 0
            let pointers = lengths.map { length -> UnsafePointer<CChar>? in
                defer { start += length }
                return UnsafeRawBufferPointer(rebasing: all[start..<(start + length)]).characters
            }
            rocksdb_batched_multi_get_cf(
                database.db, options, database.handle(family), keys.count, pointers, lengths, values.baseAddress,
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
