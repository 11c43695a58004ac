import CRocksDB
import Glibc
import Synchronization

/// Owns the RocksDB handles and decides when they may go.
///
/// Debian's RocksDB checks its assertions: closing it under a live iterator or snapshot aborts the
/// process. So every user of the handles holds a *use*: `close` only marks the database closed, new uses
/// are refused from then on, and whoever gives back the last use destroys the handles.
///
/// `@unchecked Sendable`: the pointers are set once in `init` and destroyed once by the last use;
/// RocksDB itself is thread-safe for the calls made through them.
final class RocksDatabase: @unchecked Sendable {
    let db: OpaquePointer
    let readOptions: OpaquePointer
    private let writeOptions: OpaquePointer
    private let options: OpaquePointer
    private let blockCache: OpaquePointer
    private let handles: [OpaquePointer]
    /// Handles by the raw value of `ColumnFamily`.
    private let families: [OpaquePointer?]
    /// By the raw value of `ColumnFamily`: the last commit that the family held when it was opened.
    private var tableSequences: [UInt64]
    /// Held until the handles are gone.
    private let lock: DirectoryLock

    /// The number of uses, with the top bit set once closed.
    private let uses = Atomic<UInt64>(0)
    private static let closed: UInt64 = 1 << 63

    /// Opens the tables at `path`. An existing data directory must have them already (`creating` false):
    /// RocksDB would otherwise start afresh over the files of one whose entry file got lost.
    init(path: String, creating: Bool, options settings: StoreOptions, lock: DirectoryLock) throws(StorageError) {
        self.lock = lock
        blockCache = rocksdb_cache_create_lru(settings.blockCacheBytes)
        options = Self.makeOptions(settings, creating: creating, blockCache: blockCache)
        var names = Self.existingFamilies(path: path, options: options)
        for family in ColumnFamily.allCases where !names.contains(family.name) { names.append(family.name) }
        do {
            (db, handles) = try Self.open(path: path, options: options, names: names)
        } catch {
            rocksdb_options_destroy(options)
            rocksdb_cache_destroy(blockCache)
            throw error
        }
        var families = [OpaquePointer?](repeating: nil, count: 256)
        for family in ColumnFamily.allCases {
            if let index = names.firstIndex(of: family.name) { families[Int(family.rawValue)] = handles[index] }
        }
        self.families = families
        readOptions = rocksdb_readoptions_create()
        writeOptions = rocksdb_writeoptions_create()
        // The store's own commit log comes first; see CommitLog.
        rocksdb_writeoptions_disable_WAL(writeOptions, 1)
        tableSequences = [UInt64](repeating: 0, count: 256)
        // From here on everything is set, so that an error goes through `deinit`.
        for (number, handle) in families.enumerated() {
            if let handle { tableSequences[number] = try Self.lastSequence(db, handle) }
        }
    }

    deinit { close() }

    // MARK: Lifetime

    /// Takes a use; false when the database is closed.
    func enter() -> Bool {
        if uses.wrappingAdd(1, ordering: .acquiringAndReleasing).oldValue & Self.closed == 0 { return true }
        leave()
        return false
    }

    /// Gives a use back.
    func leave() {
        let left = uses.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue
        if left == Self.closed { destroyOnce() }
    }

    /// Refuses new uses and destroys the handles, now or when the last use ends.
    func close() {
        // The closer's own use keeps the count from reaching zero twice.
        _ = uses.wrappingAdd(1, ordering: .acquiringAndReleasing)
        _ = uses.bitwiseOr(Self.closed, ordering: .acquiringAndReleasing)
        leave()
    }

    private let destroyed = Atomic<Bool>(false)

    private func destroyOnce() {
        guard !destroyed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        for handle in handles { rocksdb_column_family_handle_destroy(handle) }
        rocksdb_close(db)
        rocksdb_readoptions_destroy(readOptions)
        rocksdb_writeoptions_destroy(writeOptions)
        rocksdb_options_destroy(options)
        rocksdb_cache_destroy(blockCache)
        lock.release()
    }

    /// The last commit that any family held when it was opened.
    var lastSequence: UInt64 { tableSequences.max() ?? 0 }

    // MARK: Operations (the caller holds a use)

    func handle(_ family: ColumnFamily) -> OpaquePointer? { families[Int(family.rawValue)] }

    /// Applies batches in log form, of consecutive sequences, as one atomic change in memory.
    ///
    /// Every family that they touch also records the last sequence under the empty key (which no user of the
    /// store can see), so that each knows on its own how far its files are: RocksDB flushes one at a time.
    /// - Parameter skippingKnown: whether to leave out what a family holds already; for recovery.
    func apply(
        _ batches: [UnsafeRawBufferPointer], lastSequence: UInt64, skippingKnown: Bool = false
    ) throws(StorageError) {
        let merged = rocksdb_writebatch_create()
        defer { rocksdb_writebatch_destroy(merged) }
        var touched: Set<UInt8> = []
        var sequence = lastSequence - UInt64(batches.count)
        for batch in batches {
            sequence += 1
            var reader = BatchReader(batch)
            while let operation = reader.next() {
                guard let family = operation.family else { continue }
                if skippingKnown, sequence <= tableSequences[Int(family)] { continue }
                if touched.insert(family).inserted {
                    withUnsafeBytes(of: lastSequence.bigEndian) {
                        rocksdb_writebatch_put_cf(merged, families[Int(family)], "", 0, $0.characters, $0.count)
                    }
                }
                try add(operation, to: merged)
            }
            guard !reader.isDamaged else {
                throw StorageError(
                    .corrupted, "A batch in the commit log has an undefined form",
                    advice: "Report this as a bug, with the log of the server")
            }
        }
        var failure: UnsafeMutablePointer<CChar>?
        rocksdb_write(db, writeOptions, merged, &failure)
        if let failure { throw .rocks(failure, doing: "apply a commit") }
    }

    private static func lastSequence(_ db: OpaquePointer, _ family: OpaquePointer?) throws(StorageError) -> UInt64 {
        let options = rocksdb_readoptions_create()
        defer { rocksdb_readoptions_destroy(options) }
        var failure: UnsafeMutablePointer<CChar>?
        let pinned = rocksdb_get_pinned_cf(db, options, family, "", 0, &failure)
        if let failure { throw .rocks(failure, doing: "read the commit sequence of a table") }
        guard let pinned else { return 0 }
        defer { rocksdb_pinnableslice_destroy(pinned) }
        var count = 0
        let bytes = UnsafeRawBufferPointer(start: rocksdb_pinnableslice_value(pinned, &count), count: count)
        return count == 8 ? UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)) : 0
    }

    private func add(_ operation: BatchOperation, to merged: OpaquePointer?) throws(StorageError) {
        switch operation {
        case .put(let family, let key, let value):
            rocksdb_writebatch_put_cf(
                merged, try known(family), key.characters, key.count, value.characters, value.count)
        case .note: break
        case .delete(let family, let key):
            rocksdb_writebatch_delete_cf(merged, try known(family), key.characters, key.count)
        case .deleteRange(let family, let lower, let upper):
            rocksdb_writebatch_delete_range_cf(
                merged, try known(family), lower.characters, lower.count, upper.characters, upper.count)
        }
    }

    private func known(_ family: UInt8) throws(StorageError) -> OpaquePointer {
        if let handle = families[Int(family)] { return handle }
        throw StorageError(
            .formatTooNew, "The commit log writes to column family \(family), which this server does not know",
            advice: "Start a server of the version that wrote the directory, or a newer one")
    }

    /// Begins to write everything that is in memory now to files. Quick, unless flushes are far behind.
    func beginFlush() throws(StorageError) {
        let flushOptions = rocksdb_flushoptions_create()
        defer { rocksdb_flushoptions_destroy(flushOptions) }
        rocksdb_flushoptions_set_wait(flushOptions, 0)
        for family in ColumnFamily.allCases {
            var failure: UnsafeMutablePointer<CChar>?
            rocksdb_flush_cf(db, flushOptions, handle(family), &failure)
            if let failure { throw .rocks(failure, doing: "flush the tables") }
        }
    }

    /// Waits until what `beginFlush` began is in files.
    func finishFlush() throws(StorageError) {
        for family in ColumnFamily.allCases {
            var rounds = 0
            while (property("rocksdb.num-immutable-mem-table", of: family) ?? 0) > 0 {
                rounds += 1
                if rounds % 50 == 0 { try checkWritable() }
                usleep(2000)
            }
        }
    }

    /// Throws what stopped RocksDB's background work, if something did: it then refuses even an empty write.
    private func checkWritable() throws(StorageError) {
        let empty = rocksdb_writebatch_create()
        defer { rocksdb_writebatch_destroy(empty) }
        var failure: UnsafeMutablePointer<CChar>?
        rocksdb_write(db, writeOptions, empty, &failure)
        if let failure { throw .rocks(failure, doing: "write the tables") }
    }

    /// Adds a family that this version does not know. For tests.
    func addFamily(_ name: String) {
        var failure: UnsafeMutablePointer<CChar>?
        let handle = rocksdb_create_column_family(db, options, name, &failure)
        if let failure { rocksdb_free(failure) }
        if let handle { rocksdb_column_family_handle_destroy(handle) }
    }

    /// The bytes of a range in the files, by RocksDB's estimate.
    func approximateSize(_ family: ColumnFamily, lower: [UInt8], upper: [UInt8]) -> Int {
        var size: UInt64 = 0
        var failure: UnsafeMutablePointer<CChar>?
        lower.withUnsafeBytes { lower in
            upper.withUnsafeBytes { upper in
                var start = lower.characters
                var end = upper.characters
                var startLength = lower.count
                var endLength = upper.count
                rocksdb_approximate_sizes_cf(
                    db, handle(family), 1, &start, &startLength, &end, &endLength, &size, &failure)
            }
        }
        if let failure { rocksdb_free(failure) }
        return Int(clamping: size)
    }

    /// An integer property of RocksDB, such as `rocksdb.estimate-num-keys`.
    func property(_ name: String, of family: ColumnFamily) -> UInt64? {
        var value: UInt64 = 0
        return rocksdb_property_int_cf(db, handle(family), name, &value) == 0 ? value : nil
    }
}

// MARK: - Opening

extension RocksDatabase {
    /// Settings of engine.md 2: large blocks with a hash index, bloom filters, fast compression above and
    /// dense compression at the bottom.
    private static func makeOptions(
        _ settings: StoreOptions, creating: Bool, blockCache: OpaquePointer
    ) -> OpaquePointer {
        let options: OpaquePointer = rocksdb_options_create()
        rocksdb_options_set_create_if_missing(options, creating ? 1 : 0)
        rocksdb_options_set_create_missing_column_families(options, 1)
        rocksdb_options_set_paranoid_checks(options, 1)
        rocksdb_options_set_write_buffer_size(options, settings.writeBufferBytes)
        rocksdb_options_set_max_background_jobs(options, Int32(settings.backgroundThreads))
        rocksdb_options_set_max_open_files(options, Int32(settings.maximumOpenFiles))
        rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1)
        rocksdb_options_set_compression(options, Int32(rocksdb_lz4_compression))
        rocksdb_options_set_bottommost_compression(options, Int32(rocksdb_zstd_compression))
        // Without RocksDB's own log, a crash must leave all families at the same commit.
        rocksdb_options_set_atomic_flush(options, 1)
        // A missing key is decided without walking the memtable.
        rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, 0.02)
        rocksdb_options_set_memtable_whole_key_filtering(options, 1)
        rocksdb_options_set_keep_log_file_num(options, 4)
        rocksdb_options_set_max_log_file_size(options, 4 << 20)
        let table = rocksdb_block_based_options_create()
        rocksdb_block_based_options_set_block_cache(table, blockCache)
        rocksdb_block_based_options_set_block_size(table, 16 << 10)
        rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10))
        rocksdb_block_based_options_set_data_block_index_type(
            table, Int32(rocksdb_block_based_table_data_block_index_type_binary_search_and_hash))
        rocksdb_block_based_options_set_data_block_hash_ratio(table, 0.75)
        rocksdb_block_based_options_set_format_version(table, 5)
        rocksdb_options_set_block_based_table_factory(options, table)
        rocksdb_block_based_options_destroy(table)
        return options
    }

    /// The families that the directory has already; those of a newer server are opened and left alone.
    private static func existingFamilies(path: String, options: OpaquePointer) -> [String] {
        var count = 0
        var failure: UnsafeMutablePointer<CChar>?
        let list = rocksdb_list_column_families(options, path, &count, &failure)
        guard failure == nil, let list else {
            // A directory without a database yet: there is only the family that RocksDB insists on.
            if let failure { rocksdb_free(failure) }
            if let list { rocksdb_list_column_families_destroy(list, 0) }
            return ["default"]
        }
        defer { rocksdb_list_column_families_destroy(list, count) }
        return (0..<count).compactMap { list[$0].map { String(cString: $0) } }
    }

    private static func open(
        path: String, options: OpaquePointer, names: [String]
    ) throws(StorageError) -> (OpaquePointer, [OpaquePointer]) {
        let texts = names.map { strdup($0) }
        defer { for text in texts { free(text) } }
        var cNames = texts.map { UnsafePointer<CChar>($0) }
        var cOptions = [OpaquePointer?](repeating: options, count: names.count)
        var handles = [OpaquePointer?](repeating: nil, count: names.count)
        var failure: UnsafeMutablePointer<CChar>?
        let db = rocksdb_open_column_families(
            options, path, Int32(names.count), &cNames, &cOptions, &handles, &failure)
        if let failure { throw .rocks(failure, doing: "open the tables in \(path)") }
        guard let db else {
            throw StorageError(.engineFailure, "RocksDB did not open \(path)", advice: "Look into \(path)/LOG")
        }
        return (db, handles.compactMap { $0 })
    }
}

extension StorageError {
    /// Takes over an error text of RocksDB.
    static func rocks(_ text: UnsafeMutablePointer<CChar>, doing what: String) -> StorageError {
        defer { rocksdb_free(text) }
        let reason = String(cString: text)
        let message = "Cannot \(what): \(reason)"
        if reason.hasPrefix("Corruption") {
            return StorageError(.corrupted, message, advice: "Restore the data directory from a backup")
        }
        if reason.contains("No space left") {
            return StorageError(.diskFull, message, advice: "Free space on the device and start the server again")
        }
        if reason.hasPrefix("IO error") {
            return StorageError(.inputOutput, message, advice: "Check the device and the kernel log")
        }
        return StorageError(.engineFailure, message, advice: "Look into the LOG file in the store directory")
    }
}

extension UnsafeRawBufferPointer {
    /// The bytes as RocksDB's C interface wants them.
    var characters: UnsafePointer<CChar>? { baseAddress?.assumingMemoryBound(to: CChar.self) }
}
