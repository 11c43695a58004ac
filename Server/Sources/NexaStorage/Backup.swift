import CRocksDB
import Glibc

/// Backups: hard links or copies of the tables, and a copy of the commit log, as of one moment.
///
/// Tables and log need not be of the same commit: like after a crash, the log goes on where the tables end, and
/// the first start behind a restore brings them together.
extension Store {
    /// Called with the bytes that are done and, where it is known, the bytes that there are.
    public typealias Progress = (_ done: Int, _ total: Int) -> Void

    /// Makes a backup while the store is in use. Writers wait for two flushes of the log, no longer.
    ///
    /// Tables that lie in the same file system are hard links, and take no room as long as the store needs the same
    /// files.
    /// - Parameter target: a directory that is empty or not there yet.
    /// - Throws: `.notEmpty`, `.diskFull`, `.inputOutput`; what was written until then is removed.
    public func backUp(
        to target: String, progress: Progress = { _, _ in }
    ) throws(StorageError) -> BackupManifest {
        try BackupFiles.prepare(target)
        do throws(StorageError) {
            guard database.enter() else { throw .closed }
            defer { database.leave() }
            // No log that follows the tables may go until it is copied.
            log.hold()
            defer { log.release() }
            let first = try maintenance.exclusively { () throws(StorageError) in
                try log.synchronize()
                return log.lastSequence
            }
            try database.makeCheckpoint(at: target + "/tables")
            let (files, sequence) = try maintenance.exclusively { () throws(StorageError) in
                try log.synchronize()
                return (try log.openFiles(), log.lastSequence)
            }
            try File.createDirectory(target + "/log")
            for file in files {
                try BackupFiles.copy(file.file, byteCount: file.byteCount, to: target + "/log/" + file.name)
            }
            try File.replace(target + "/FORMAT", with: FormatVersion.text)
            try Checkpoint(sequence: first, salt: log.salt).write(directory: target)
            return try BackupFiles.seal(target, sequence: sequence, progress: progress)
        } catch {
            BackupFiles.remove(target)
            throw error
        }
    }

    /// Rewrites all tables, without what was deleted or overwritten. Reads and writes go on meanwhile.
    ///
    /// - Returns: the bytes of the tables before and after.
    public func compact() throws(StorageError) -> (before: Int, after: Int) {
        guard database.enter() else { throw .closed }
        defer { database.leave() }
        try maintenance.checkpoint()
        let before = database.tableBytes
        database.compact()
        return (before, database.tableBytes)
    }

    /// The first commit that is still in the log.
    public var firstLoggedSequence: UInt64 { log.firstSequence }
}

/// Restoring, and the files of backups.
public enum BackupFiles {
    /// Makes a data directory of a backup. Every file is compared with its checksum on the way.
    ///
    /// - Parameter target: a directory that is empty or not there yet.
    /// - Throws: `.notABackup`, `.notEmpty`, `.corrupted` with the file concerned, `.diskFull`; what was written until
    ///   then is removed.
    public static func restore(
        _ backup: String, to target: String, progress: Store.Progress = { _, _ in }
    ) throws(StorageError) -> BackupManifest {
        let manifest = try BackupManifest(directory: backup)
        try prepare(target)
        do throws(StorageError) {
            let lock = try DirectoryLock(directory: target)
            defer { lock.release() }
            try File.createDirectory(target + "/tables")
            try File.createDirectory(target + "/log")
            var done = 0
            // The format comes last: without it nobody takes the directory for a whole one.
            for entry in manifest.files.filter({ $0.path != "FORMAT" }) + manifest.files.filter({ $0.path == "FORMAT" })
            {
                try check(entry, in: backup, copyingTo: target + "/" + entry.path) { bytes in
                    done += bytes
                    progress(done, manifest.byteCount)
                }
            }
            for folder in [target + "/tables", target + "/log", target] { try File.synchronizeDirectory(folder) }
            return manifest
        } catch {
            remove(target)
            throw error
        }
    }

    /// Compares all files of a backup with their checksums.
    ///
    /// - Throws: `.notABackup`, `.corrupted` with the file concerned, `.inputOutput`.
    public static func verify(
        _ backup: String, progress: Store.Progress = { _, _ in }
    ) throws(StorageError) -> BackupManifest {
        let manifest = try BackupManifest(directory: backup)
        var done = 0
        for entry in manifest.files {
            try check(entry, in: backup, copyingTo: nil) { bytes in
                done += bytes
                progress(done, manifest.byteCount)
            }
        }
        return manifest
    }

    // MARK: Parts

    private static let chunkBytes = 1 << 20

    /// Makes a directory that has to be empty.
    static func prepare(_ target: String) throws(StorageError) {
        try File.createDirectory(target)
        let others = try File.list(target).filter { $0 != "lost+found" }
        guard others.isEmpty else {
            throw StorageError(
                .notEmpty, "\(target) is not empty: it holds \(others[0])",
                advice: "Choose an empty directory, or one that is not there yet")
        }
    }

    static func copy(_ source: File, byteCount: Int, to target: String) throws(StorageError) {
        let copy = try File(target, flags: O_WRONLY | O_CREAT | O_EXCL)
        try forEachChunk(of: source, byteCount: byteCount) { (bytes, offset) throws(StorageError) in
            try copy.write(bytes, at: offset)
        }
        try copy.synchronize()
    }

    /// Computes the checksums of what was written, brings it onto the device, and writes the manifest.
    static func seal(
        _ target: String, sequence: UInt64, progress: Store.Progress
    ) throws(StorageError) -> BackupManifest {
        var paths = ["FORMAT", "CHECKPOINT"]
        for folder in ["tables", "log"] {
            // RocksDB's own log says what happened to the original.
            let names = try File.list(target + "/" + folder).filter { !$0.hasPrefix("LOG") }
            paths += names.map { folder + "/" + $0 }
        }
        let files = try paths.map { (path) throws(StorageError) in
            (path, try File(target + "/" + path, flags: O_RDONLY))
        }
        var total = 0
        for (_, file) in files { total += try file.size() }
        var entries: [BackupManifest.Entry] = []
        var done = 0
        for (path, file) in files {
            let size = try file.size()
            var checksum: UInt32 = 0
            try forEachChunk(of: file, byteCount: size) { (bytes, _) throws(StorageError) in
                checksum = CRC32C.checksum(bytes, continuing: checksum)
                done += bytes.count
                progress(done, total)
            }
            try file.synchronize()
            entries.append(BackupManifest.Entry(path: path, size: size, checksum: checksum))
        }
        for folder in [target + "/tables", target + "/log", target] { try File.synchronizeDirectory(folder) }
        let manifest = BackupManifest(sequence: sequence, files: entries)
        try manifest.write(directory: target)
        return manifest
    }

    private static func check(
        _ entry: BackupManifest.Entry, in backup: String, copyingTo target: String?, progress: (Int) -> Void
    ) throws(StorageError) {
        let path = backup + "/" + entry.path
        func damaged(_ what: String) -> StorageError {
            StorageError(.corrupted, "The backup is damaged: \(path) \(what)", advice: "Use another backup")
        }
        guard access(path, F_OK) == 0 else { throw damaged("is missing") }
        let source = try File(path, flags: O_RDONLY)
        let size = try source.size()
        guard size == entry.size else { throw damaged("has \(size) bytes instead of \(entry.size)") }
        var copy: File?
        if let target { copy = try File(target, flags: O_WRONLY | O_CREAT | O_EXCL) }
        var checksum: UInt32 = 0
        try forEachChunk(of: source, byteCount: size) { (bytes, offset) throws(StorageError) in
            checksum = CRC32C.checksum(bytes, continuing: checksum)
            try copy?.write(bytes, at: offset)
            progress(bytes.count)
        }
        guard checksum == entry.checksum else { throw damaged("does not match its checksum") }
        try copy?.synchronize()
    }

    private static func forEachChunk(
        of file: File, byteCount: Int, _ body: (UnsafeRawBufferPointer, Int) throws(StorageError) -> Void
    ) throws(StorageError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 4096)
        defer { buffer.deallocate() }
        var offset = 0
        while offset < byteCount {
            let wanted = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(chunkBytes, byteCount - offset)])
            let count = try file.read(into: wanted, at: offset)
            guard count > 0 else {
                throw StorageError(
                    .inputOutput, "\(file.path) ends at byte \(offset) instead of \(byteCount)",
                    advice: "Check the device and the kernel log")
            }
            try body(UnsafeRawBufferPointer(rebasing: wanted[..<count]), offset)
            offset += count
        }
    }

    /// Removes what a failed call left: only what backups consist of.
    static func remove(_ target: String) {
        for folder in ["tables", "log", "tables.tmp"] {
            for name in (try? File.list(target + "/" + folder)) ?? [] { unlink(target + "/" + folder + "/" + name) }
            rmdir(target + "/" + folder)
        }
        for name in ["FORMAT", "CHECKPOINT", "LOCK", BackupManifest.name, BackupManifest.name + ".new"] {
            unlink(target + "/" + name)
        }
    }
}

extension RocksDatabase {
    /// Makes another database of the files of this one, with everything that was applied.
    func makeCheckpoint(at path: String) throws(StorageError) {
        var failure: UnsafeMutablePointer<CChar>?
        let checkpoint = rocksdb_checkpoint_object_create(db, &failure)
        defer { if let checkpoint { rocksdb_checkpoint_object_destroy(checkpoint) } }
        if failure == nil { rocksdb_checkpoint_create(checkpoint, path, 0, &failure) }
        if let failure { throw .rocks(failure, doing: "copy the tables") }
    }

    /// Rewrites all files of all families, down to the last level.
    func compact() {
        let options = rocksdb_compactoptions_create()
        defer { rocksdb_compactoptions_destroy(options) }
        // 2 is kForce: the last level, too.
        rocksdb_compactoptions_set_bottommost_level_compaction(options, 2)
        for family in ColumnFamily.allCases {
            rocksdb_compact_range_cf_opt(db, handle(family), options, nil, 0, nil, 0)
        }
    }

    /// The size of the files that are in use.
    var tableBytes: Int {
        ColumnFamily.allCases.reduce(0) { $0 + Int(clamping: property("rocksdb.live-sst-files-size", of: $1) ?? 0) }
    }
}
