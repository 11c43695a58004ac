import CRocksDB

extension Store {
    /// How many removed keys are passed over before the answer is that nobody knows.
    private static let mostRemovedKeys: UInt64 = 256

    /// Whether there is no key from `first` through `last`, for the price of one look-up or two.
    ///
    /// False says that there is one, or that finding out would take long because much was removed there.
    public func isEmpty(
        _ family: ColumnFamily, from first: [UInt8], through last: [UInt8]
    ) throws(StorageError) -> Bool {
        guard database.enter() else { throw .closed }
        defer { database.leave() }
        return try database.isEmpty(family, first, below: last + [0], mostRemoved: Self.mostRemovedKeys)
    }
}

extension RocksDatabase {
    fileprivate func isEmpty(
        _ family: ColumnFamily, _ lower: [UInt8], below upper: [UInt8], mostRemoved: UInt64
    ) throws(StorageError) -> Bool {
        var isFound = false
        var failure: UnsafeMutablePointer<CChar>?
        upper.withUnsafeBytes { upper in
            let options: OpaquePointer = rocksdb_readoptions_create()
            defer { rocksdb_readoptions_destroy(options) }
            rocksdb_readoptions_set_iterate_upper_bound(options, upper.characters, upper.count)
            rocksdb_readoptions_set_max_skippable_internal_keys(options, mostRemoved)
            let iterator = rocksdb_create_iterator_cf(db, options, handle(family))
            defer { rocksdb_iter_destroy(iterator) }
            lower.withUnsafeBytes { rocksdb_iter_seek(iterator, $0.characters, $0.count) }
            isFound = rocksdb_iter_valid(iterator) != 0
            if !isFound { rocksdb_iter_get_error(iterator, &failure) }
        }
        guard let failure else { return !isFound }
        // What RocksDB says when it has passed over so many keys.
        if String(cString: failure).hasPrefix("Result incomplete") {
            rocksdb_free(failure)
            return false
        }
        throw .rocks(failure, doing: "read the tables")
    }
}
