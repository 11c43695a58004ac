import NexaStorage

/// Small options, so that tests touch file changes and checkpoints.
var smallOptions: StoreOptions {
    var options = StoreOptions()
    options.blockCacheBytes = 8 << 20
    options.valueCacheBytes = 1 << 20
    options.writeBufferBytes = 4 << 20
    return options
}

extension Store {
    func value(_ key: [UInt8], in family: ColumnFamily = .documents) throws(StorageError) -> [UInt8]? {
        try get(family, key.span.bytes) { value in value.withUnsafeBytes { Array($0) } }
    }

    func put(_ key: [UInt8], _ value: [UInt8], durability: Durability = .sync) throws(StorageError) {
        var batch = WriteBatch()
        batch.put(.documents, key: key, value: value)
        try write(batch, durability: durability)
    }

    /// Every key and value of a family.
    func contents(_ family: ColumnFamily = .documents) throws(StorageError) -> [[UInt8]: [UInt8]] {
        var iterator = try makeIterator(family)
        var all: [[UInt8]: [UInt8]] = [:]
        while try iterator.advance() {
            let key = iterator.key.withUnsafeBytes { Array($0) }
            all[key] = iterator.value.withUnsafeBytes { Array($0) }
        }
        return all
    }
}
