import CRocksDB
import Glibc

/// A file of keys in order, made beside the tables and taken over whole by `Store.ingest`: no log, no sorting in memory,
/// no copy of what was written.
///
/// `@unchecked Sendable`: it has one owner at a time, who may hand it to another thread.
public final class SortedTable: @unchecked Sendable {
    /// Where it lies until it is taken over.
    public let path: String
    let family: ColumnFamily
    private let database: RocksDatabase
    private let writer: OpaquePointer
    private let options: OpaquePointer
    private let environment: OpaquePointer
    private(set) var isTaken = false

    init(_ database: RocksDatabase, _ family: ColumnFamily, path: String) throws(StorageError) {
        guard database.enter() else { throw .closed }
        self.database = database
        self.family = family
        self.path = path
        options = RocksDatabase.makeTableOptions()
        environment = rocksdb_envoptions_create()
        writer = rocksdb_sstfilewriter_create(environment, options)
        unlink(path)
        var failure: UnsafeMutablePointer<CChar>?
        rocksdb_sstfilewriter_open(writer, path, &failure)
        if let failure { throw .rocks(failure, doing: "make a table") }
    }

    deinit {
        rocksdb_sstfilewriter_destroy(writer)
        rocksdb_envoptions_destroy(environment)
        rocksdb_options_destroy(options)
        if !isTaken { unlink(path) }
        database.leave()
    }

    /// Adds a key, which has to be above the one before.
    public func put(key: RawSpan, value: RawSpan) throws(StorageError) {
        var failure: UnsafeMutablePointer<CChar>?
        key.withUnsafeBytes { key in
            value.withUnsafeBytes { value in
                rocksdb_sstfilewriter_put(
                    writer, key.characters, key.count, value.characters, value.count, &failure)
            }
        }
        if let failure { throw .rocks(failure, doing: "write a table") }
    }

    /// Begins to fetch the bytes of a key that is put soon from memory, without waiting for them: keys that were sorted lie
    /// anywhere.
    public static func prefetch(_ key: UnsafeRawBufferPointer) {
        guard let start = key.baseAddress, !key.isEmpty else { return }
        nexa_prefetch(start)
        nexa_prefetch(start + (key.count - 1))
    }

    /// Brings the file onto the device. It needs to have at least one key.
    public func finish() throws(StorageError) {
        var failure: UnsafeMutablePointer<CChar>?
        rocksdb_sstfilewriter_finish(writer, &failure)
        if let failure { throw .rocks(failure, doing: "write a table") }
    }

    fileprivate func take() { isTaken = true }
}

extension Store {
    /// Begins a file of keys of a family.
    ///
    /// - Parameter path: in the file system of the store; what is there is replaced.
    public func makeSortedTable(_ family: ColumnFamily, path: String) throws(StorageError) -> SortedTable {
        try SortedTable(database, family, path: path)
    }

    /// Takes over finished files, whose keys do not overlap, as one change that lasts: it is above everything that was
    /// committed until now, for readers to come.
    ///
    /// It does not go through the commit log. So the caller commits durably, before, whatever the files were made of
    /// and that they may be there, and what has become of their keys meanwhile, behind.
    public func ingest(_ tables: [SortedTable]) throws(StorageError) {
        guard let family = tables.first?.family else { return }
        guard database.enter() else { throw .closed }
        defer { database.leave() }
        try database.ingest(tables.map(\.path), into: family)
        for table in tables { table.take() }
    }
}

extension RocksDatabase {
    /// How files are written that are to be ingested: entries of indexes, mostly, which nobody looks up one by one. What
    /// they have in common with the one before is left out anyway; the next compaction compresses them as the others.
    static func makeTableOptions() -> OpaquePointer {
        let options: OpaquePointer = rocksdb_options_create()
        rocksdb_options_set_compression(options, Int32(rocksdb_no_compression))
        let table = rocksdb_block_based_options_create()
        rocksdb_block_based_options_set_block_size(table, 16 << 10)
        rocksdb_block_based_options_set_format_version(table, 5)
        rocksdb_options_set_block_based_table_factory(options, table)
        rocksdb_block_based_options_destroy(table)
        return options
    }

    /// Makes files part of a family; they leave their place. The caller holds a use.
    func ingest(_ paths: [String], into family: ColumnFamily) throws(StorageError) {
        let options = rocksdb_ingestexternalfileoptions_create()
        defer { rocksdb_ingestexternalfileoptions_destroy(options) }
        rocksdb_ingestexternalfileoptions_set_move_files(options, 1)
        let texts = paths.map { strdup($0) }
        defer { for text in texts { free(text) } }
        let names = texts.map { UnsafePointer<CChar>($0) }
        var failure: UnsafeMutablePointer<CChar>?
        rocksdb_ingest_external_file_cf(db, handle(family), names, names.count, options, &failure)
        if let failure { throw .rocks(failure, doing: "take over a table") }
    }
}
