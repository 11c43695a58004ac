import CRocksDB
import Glibc

extension Store {
    /// How many removed keys are passed over before the answer is that nobody knows.
    private static let mostRemovedKeys: UInt64 = 256

    /// Whether none of some keys is there, by one walk along what lies between them; for less than looking up each of them
    /// where little lies there, as between keys that are made in their order.
    ///
    /// - Parameter keys: each above the one before.
    /// - Returns: false when one is there, or when finding out would take long: because much lies between them, or was
    ///   removed there.
    public func containsNone(_ family: ColumnFamily, of keys: [[UInt8]]) throws(StorageError) -> Bool {
        guard database.enter() else { throw .closed }
        defer { database.leave() }
        return try database.containsNone(family, keys, mostRemoved: Self.mostRemovedKeys)
    }
}

extension RocksDatabase {
    /// Keys that are passed over one by one before the next one is looked for in the tables.
    private static var nearKeys: Int { 8 }

    fileprivate func containsNone(
        _ family: ColumnFamily, _ keys: [[UInt8]], mostRemoved: UInt64
    ) throws(StorageError) -> Bool {
        guard let first = keys.first, let last = keys.last else { return true }
        var answer = false
        var failure: UnsafeMutablePointer<CChar>?
        (last + [0]).withUnsafeBytes { upper in
            let options: OpaquePointer = rocksdb_readoptions_create()
            defer { rocksdb_readoptions_destroy(options) }
            rocksdb_readoptions_set_iterate_upper_bound(options, upper.characters, upper.count)
            rocksdb_readoptions_set_max_skippable_internal_keys(options, mostRemoved)
            let iterator: OpaquePointer = rocksdb_create_iterator_cf(db, options, handle(family))
            defer { rocksdb_iter_destroy(iterator) }
            first.withUnsafeBytes { rocksdb_iter_seek(iterator, $0.characters, $0.count) }
            answer = Self.meetsNone(of: keys, iterator)
            rocksdb_iter_get_error(iterator, &failure)
        }
        guard let failure else { return answer }
        // What RocksDB says when it has passed over so many keys.
        if String(cString: failure).hasPrefix("Result incomplete") {
            rocksdb_free(failure)
            return false
        }
        throw .rocks(failure, doing: "read the tables")
    }

    /// Walks from the first key to the end; gives up when it has to jump too often.
    private static func meetsNone(of keys: [[UInt8]], _ iterator: OpaquePointer) -> Bool {
        var next = 0
        var near = 0
        var jumps = 0
        while rocksdb_iter_valid(iterator) != 0 {
            var length = 0
            let start = rocksdb_iter_key(iterator, &length)
            let found = UnsafeRawBufferPointer(start: start, count: length)
            var order = keys[next].withUnsafeBytes { compare($0, found) }
            if order < 0 { near = 0 }
            while order < 0 {
                next += 1
                if next == keys.count { return true }
                order = keys[next].withUnsafeBytes { compare($0, found) }
            }
            if order == 0 { return false }
            near += 1
            if near <= nearKeys {
                rocksdb_iter_next(iterator)
                continue
            }
            near = 0
            jumps += 1
            if jumps > 4 + next / 16 { return false }
            keys[next].withUnsafeBytes { rocksdb_iter_seek(iterator, $0.characters, $0.count) }
        }
        return true
    }

    private static func compare(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Int {
        if let left = one.baseAddress, let right = other.baseAddress {
            let order = memcmp(left, right, min(one.count, other.count))
            if order != 0 { return Int(order) }
        }
        return one.count - other.count
    }
}
