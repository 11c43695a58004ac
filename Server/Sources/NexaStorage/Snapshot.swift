import CRocksDB
import Synchronization

/// The state of a store at one moment. Keeps the tables open while it lives.
///
/// `@unchecked Sendable`: the pointers never change, and RocksDB lets any thread read under a snapshot.
public final class Snapshot: @unchecked Sendable {
    let database: RocksDatabase
    private let snapshot: OpaquePointer?
    let readOptions: OpaquePointer
    /// A commit that the snapshot has, with all before it; it may also have later ones.
    public let sequence: UInt64
    /// What the tables held when the snapshot was taken, as long as their generation has not changed.
    let cache: ValueCache
    private let generation: UInt64
    /// How many values the snapshot may still put into the cache: one long walk must not take all of it.
    private let offers = Atomic<Int>(10_000)

    init?(_ database: RocksDatabase, _ cache: ValueCache, sequence: UInt64) {
        self.sequence = sequence
        self.cache = cache
        // Odd when it is taken in the middle of a change; then the cache is of no use.
        generation = cache.isEnabled ? cache.generation.load(ordering: .acquiring) : 1
        guard database.enter() else { return nil }
        self.database = database
        snapshot = rocksdb_create_snapshot(database.db)
        readOptions = rocksdb_readoptions_create()
        rocksdb_readoptions_set_snapshot(readOptions, snapshot)
    }

    deinit {
        rocksdb_readoptions_destroy(readOptions)
        rocksdb_release_snapshot(database.db, snapshot)
        database.leave()
    }

    /// Looks up a key and runs `body` on its value in place; `nil` when the key is absent.
    public func get<Result>(
        _ family: ColumnFamily, _ key: RawSpan, _ body: (RawSpan) -> Result
    ) throws(StorageError) -> Result? {
        guard family == Store.cachedFamily, isCurrent else {
            return try database.get(family, key, options: readOptions, body)
        }
        switch key.withUnsafeBytes({ key in cache.read(key) { (value) -> Result? in isCurrent ? body(value) : nil } }) {
        case .hit(let result?): return result
        case .hit(nil): break
        case .miss(let ticket):
            guard mayOffer else { break }
            return try database.get(family, key, options: readOptions) { value in
                key.withUnsafeBytes { key in value.withUnsafeBytes { cache.offer(key, $0, ticket) } }
                return body(value)
            }
        }
        return try database.get(family, key, options: readOptions, body)
    }

    /// Whether a value that was just read may go into the cache; counts it.
    var mayOffer: Bool { offers.wrappingSubtract(1, ordering: .relaxed).newValue > 0 && isCurrent }

    /// Whether nothing was committed since the snapshot was taken.
    var isCurrent: Bool {
        generation & 1 == 0 && cache.generation.load(ordering: .acquiring) == generation
    }

    /// Walks the keys `lower ..< upper` in order; a missing bound is open.
    public func makeIterator(
        _ family: ColumnFamily, lower: [UInt8]? = nil, upper: [UInt8]? = nil
    ) throws(StorageError) -> StoreIterator {
        try StoreIterator(self, database, snapshot, family, lower: lower, upper: upper)
    }
}

/// A position in the ordered keys of a family.
///
/// ```swift
/// var iterator = try store.makeIterator(.documents, lower: [1], upper: [2])
/// while try iterator.advance() { use(iterator.key, iterator.value) }
/// ```
/// `@unchecked Sendable`: it has one owner, who may hand it to another thread, and nothing in RocksDB ties
/// an iterator to a thread.
public struct StoreIterator: ~Copyable, @unchecked Sendable {
    private let source: Snapshot
    private let iterator: OpaquePointer
    private let readOptions: OpaquePointer
    /// RocksDB keeps pointing at the bounds.
    private let bounds: UnsafeMutableRawBufferPointer
    private var isStarted = false
    private var isValid = false

    init(
        _ source: Snapshot, _ database: RocksDatabase, _ snapshot: OpaquePointer?, _ family: ColumnFamily,
        lower: [UInt8]?, upper: [UInt8]?
    ) throws(StorageError) {
        self.source = source
        readOptions = rocksdb_readoptions_create()
        rocksdb_readoptions_set_snapshot(readOptions, snapshot)
        // The empty key is the store's own.
        let lower = lower ?? [0]
        let lowerCount = lower.count
        bounds = .allocate(byteCount: lowerCount + (upper?.count ?? 0) + 1, alignment: 1)
        bounds.copyBytes(from: lower)
        UnsafeMutableRawBufferPointer(rebasing: bounds[lowerCount...]).copyBytes(from: upper ?? [])
        let base = UnsafeRawBufferPointer(bounds).characters
        rocksdb_readoptions_set_iterate_lower_bound(readOptions, base, lowerCount)
        if let upper, let base {
            rocksdb_readoptions_set_iterate_upper_bound(readOptions, base + lowerCount, upper.count)
        }
        guard let handle = database.handle(family),
            let made = rocksdb_create_iterator_cf(database.db, readOptions, handle)
        else {
            rocksdb_readoptions_destroy(readOptions)
            bounds.deallocate()
            throw StorageError(.engineFailure, "RocksDB made no iterator", advice: "Restart the server")
        }
        iterator = made
    }

    deinit {
        rocksdb_iter_destroy(iterator)
        rocksdb_readoptions_destroy(readOptions)
        bounds.deallocate()
    }

    /// Moves to the next key, at first to the lowest; false behind the last one.
    public mutating func advance() throws(StorageError) -> Bool {
        if !isStarted {
            isStarted = true
            rocksdb_iter_seek_to_first(iterator)
        } else if isValid {
            rocksdb_iter_next(iterator)
        }
        return try settle()
    }

    /// Moves to the first key that is not below `key`; false when there is none.
    public mutating func seek(to key: RawSpan) throws(StorageError) -> Bool {
        isStarted = true
        key.withUnsafeBytes { rocksdb_iter_seek(iterator, $0.characters, $0.count) }
        return try settle()
    }

    /// Moves to the previous key, at first to the highest; false before the first one.
    public mutating func retreat() throws(StorageError) -> Bool {
        if !isStarted {
            isStarted = true
            rocksdb_iter_seek_to_last(iterator)
        } else if isValid {
            rocksdb_iter_prev(iterator)
        }
        return try settle()
    }

    /// Moves to the last key below `key`; false when there is none.
    public mutating func seek(below key: RawSpan) throws(StorageError) -> Bool {
        isStarted = true
        key.withUnsafeBytes { rocksdb_iter_seek_for_prev(iterator, $0.characters, $0.count) }
        guard try settle() else { return false }
        let isEqual = self.key.withUnsafeBytes { one in key.withUnsafeBytes { one.elementsEqual($0) } }
        return isEqual ? try retreat() : true
    }

    private mutating func settle() throws(StorageError) -> Bool {
        isValid = rocksdb_iter_valid(iterator) != 0
        guard !isValid else { return true }
        var failure: UnsafeMutablePointer<CChar>?
        rocksdb_iter_get_error(iterator, &failure)
        if let failure { throw .rocks(failure, doing: "read the tables") }
        return false
    }

    /// The key at the position; empty when there is none.
    public var key: RawSpan {
        @_lifetime(borrow self)
        get {
            var count = 0
            let start = isValid ? rocksdb_iter_key(iterator, &count) : nil
            return unsafe _overrideLifetime(
                RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: start, count: count)), borrowing: self)
        }
    }

    /// The value at the position; empty when there is none.
    public var value: RawSpan {
        @_lifetime(borrow self)
        get {
            var count = 0
            let start = isValid ? rocksdb_iter_value(iterator, &count) : nil
            return unsafe _overrideLifetime(
                RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: start, count: count)), borrowing: self)
        }
    }
}

extension RocksDatabase {
    /// A point look-up without a copy: the value is pinned while `body` runs. The caller holds a use.
    func get<Result>(
        _ family: ColumnFamily, _ key: RawSpan, options: OpaquePointer, _ body: (RawSpan) -> Result
    ) throws(StorageError) -> Result? {
        var failure: UnsafeMutablePointer<CChar>?
        let pinned = key.withUnsafeBytes {
            rocksdb_get_pinned_cf(db, options, handle(family), $0.characters, $0.count, &failure)
        }
        if let failure { throw .rocks(failure, doing: "read a key") }
        guard let pinned else { return nil }
        defer { rocksdb_pinnableslice_destroy(pinned) }
        var count = 0
        let start = rocksdb_pinnableslice_value(pinned, &count)
        return body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: start, count: count)))
    }
}
