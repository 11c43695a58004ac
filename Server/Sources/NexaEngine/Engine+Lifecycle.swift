import NexaQuery
import NexaStorage
import NexaValue

/// What a backup is.
public struct BackupDescription: Sendable, Hashable {
    /// The last commit in it.
    public var sequence: UInt64
    /// The number of files.
    public var fileCount: Int
    /// The size of all files together; those of tables may be shared with the data directory.
    public var byteCount: Int
    /// Seconds since 1970.
    public var createdAt: Int

    init(_ manifest: BackupManifest) {
        sequence = manifest.sequence
        fileCount = manifest.files.count
        byteCount = manifest.byteCount
        createdAt = manifest.createdAt
    }
}

/// Backup, restore, check and compaction. All of them block, for as long as the data is large.
extension Engine {
    /// Called now and then with what is done and what there is to do; `total` is 0 where nobody knows.
    public typealias Progress = (_ done: Int, _ total: Int) -> Void

    /// Makes a backup of everything, users included, while reads and writes go on.
    ///
    /// - Parameter directory: empty, or not there yet. In the same file system, tables are shared as hard links.
    /// - Throws: `.badRequest` when the directory is not empty, `.storage`.
    public func backUp(to directory: String, progress: Progress = { _, _ in }) throws(EngineError) -> BackupDescription
    {
        try translating { () throws(StorageError) in
            BackupDescription(try store.backUp(to: directory, progress: progress))
        }
    }

    /// Makes a data directory of a backup, with every file compared with its checksum.
    ///
    /// - Parameter directory: empty, or not there yet.
    /// - Throws: `.badRequest` when the directory is not empty or `backup` is none, `.storage` for a damaged backup,
    ///   naming the file; what was written until then is removed.
    public static func restore(
        _ backup: String, to directory: String, progress: Progress = { _, _ in }
    ) throws(EngineError) -> BackupDescription {
        try translating { () throws(StorageError) in
            BackupDescription(try BackupFiles.restore(backup, to: directory, progress: progress))
        }
    }

    /// Compares all files of a backup with their checksums.
    ///
    /// - Throws: as `restore`.
    public static func verify(
        backup: String, progress: Progress = { _, _ in }
    ) throws(EngineError) -> BackupDescription {
        try translating { () throws(StorageError) in
            BackupDescription(try BackupFiles.verify(backup, progress: progress))
        }
    }

    /// Rewrites the tables without what was deleted or overwritten; reads and writes go on meanwhile.
    ///
    /// - Returns: the bytes of the tables before and after.
    public func compact() throws(EngineError) -> (before: Int, after: Int) {
        try translating { () throws(StorageError) in try store.compact() }
    }

    /// What `check` found.
    public struct CheckReport: Sendable, Hashable {
        /// Documents that were read.
        public var documents = 0
        /// Collections there are.
        public var collections = 0
        /// Indexes that were compared with the documents.
        public var indexes = 0
        /// Commits in the log that were read.
        public var commits = 0
        /// What is wrong, in words; at most a hundred findings.
        public var findings: [String] = []

        fileprivate mutating func add(_ finding: String) {
            if findings.count < 100 { findings.append(finding) }
        }
    }

    /// Compares everything that is stored with everything else, as of one moment.
    ///
    /// Documents parse, lie under their `_id` and in a collection that there is; every index has the entries of
    /// the documents and no others; the log can be read.
    /// - Throws: `.storage` when the tables themselves cannot be read.
    public func check(progress: Progress = { _, _ in }) throws(EngineError) -> CheckReport {
        var report = CheckReport()
        let collections = catalog.collections
        report.collections = collections.count
        try translating { () throws(StorageError) in
            try checkDocuments(
                Dictionary(collections.map { ($0.number, $0) }, uniquingKeysWith: { one, _ in one }), &report, progress)
            try checkEntries(collections, &report)
        }
        for collection in collections.sorted(by: { ($0.database, $0.name) < ($1.database, $1.name) }) {
            report.indexes += collection.queryIndexes.count { $0.state == .ready }
            for finding in try checkIndexes(database: collection.database, collection: collection.name) {
                report.add("\(collection.database)/\(collection.name): \(finding)")
            }
        }
        try translating { () throws(StorageError) in try checkLog(&report) }
        return report
    }

    private func checkDocuments(
        _ collections: [UInt32: Collection], _ report: inout CheckReport, _ progress: Progress
    ) throws(StorageError) {
        let total = Int(clamping: store.estimatedKeyCount(.documents))
        var iterator = try store.makeIterator(.documents)
        while try iterator.advance() {
            report.documents += 1
            if report.documents & 0xFFF == 0 { progress(report.documents, max(total, report.documents)) }
            let key = iterator.key.withUnsafeBytes { Array($0) }
            guard let id = key.withUnsafeBytes({ DocumentKey.id(in: $0) }) else {
                report.add("A document has a key of an unknown form: \(key.prefix(40))")
                continue
            }
            let number = key[..<DocumentKey.prefixLength].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            guard let collection = collections[number] else {
                report.add("Document '\(id.idText)' is in collection number \(number), which does not exist")
                continue
            }
            let place = "\(collection.database)/\(collection.name): document '\(id.idText)'"
            do throws(MessagePackError) {
                // Decoding looks at every byte of it, also at what is never asked for.
                let document = try MessagePack.decodeDocument(iterator.value)
                if document["_id"] != id { report.add("\(place) says that its _id is another one") }
            } catch {
                report.add("\(place) cannot be read: \(error)")
            }
        }
        progress(report.documents, report.documents)
    }

    /// Finds index entries that belong to no index.
    private func checkEntries(_ collections: [Collection], _ report: inout CheckReport) throws(StorageError) {
        let known = Set(collections.flatMap(\.queryIndexes).map(\.prefix))
        var iterator = try store.makeIterator(.indexes)
        var isThere = try iterator.advance()
        while isThere {
            let prefix = iterator.key.withUnsafeBytes { Array($0.prefix(4)) }
            let number = prefix.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            if !known.contains(prefix) {
                report.add("There are entries of index number \(number), which does not exist")
            }
            guard number < .max else { return }
            let next = DocumentKey.prefix(number + 1)
            isThere = try iterator.seek(to: next.span.bytes)
        }
    }

    private func checkLog(_ report: inout CheckReport) throws(StorageError) {
        let cursor = store.makeCommitCursor(from: store.firstLoggedSequence)
        do throws(StorageError) {
            while try cursor.advance(upTo: store.commitSequence) {
                report.commits += 1
                while let operation = try cursor.nextOperation() {
                    if case .note(let bytes) = operation, ChangeNote(bytes) == nil {
                        report.add("Commit \(cursor.sequence) in the log has a note of an unknown form")
                    }
                }
            }
        } catch {
            // Somebody may have removed old log meanwhile, on a server that is in use.
            if error.code == .historyLost { return }
            report.add("The commit log cannot be read behind commit \(cursor.sequence): \(error.message)")
        }
    }
}
