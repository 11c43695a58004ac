import Glibc
import NexaClient
import NexaSCRAM

/// `export --all DIR` and `import DIR`.
extension Session {
    func exportDatabase(_ given: ExportArguments) async throws(ShellError) {
        let database = database()
        let names = try await call { () async throws(NexaError) in try await database.collectionNames() }
        let folder = try ExportFolder(given.target)
        var manifest = ExportManifest(database: location.database, entries: [])
        let progress = Progress(console, totalBytes: nil)
        defer { progress.finish() }
        var count = 0
        for (index, name) in names.enumerated() {
            let fileName = ExportManifest.fileName(of: name, index + 1, packed: given.packs)
            let file = try ExportFile(folder.place(fileName))
            let digest = DigestSink(to: file.sink)
            let packer = given.packs ? GzipSink(to: digest) : nil
            let writer = ExportWriter(.ndjson, to: packer ?? digest)
            try await stream(database.collection(name).find(), to: writer, progress)
            try writer.finish()
            try attempt { () throws(OutputError) in try packer?.finish() }
            try file.complete()
            let (bytes, sum) = digest.result
            manifest.entries.append(
                .init(collection: name, file: fileName, documents: writer.count, bytes: bytes, sha256: sum))
            count += writer.count
        }
        let file = try ExportFile(folder.place(ExportManifest.fileName))
        try attempt { () throws(OutputError) in try file.sink.write(manifest.text) }
        try file.complete()
        try folder.complete()
        progress.finish()
        try show { (console) throws(OutputError) in
            try console.success(
                "Exported \(count) document(s) of \(names.count) collection(s) to \(given.target) "
                    + "in \(Amount.seconds(progress.elapsed))")
        }
    }

    /// Whether something is a folder.
    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    func importFolder(_ given: ImportArguments, _ interruption: Interruption) async throws(ShellError) {
        guard given.format == nil, given.skip == 0, given.limit == nil, given.types.isEmpty else {
            throw ShellError("\(given.source) is a folder: --format, --skip, --limit and --types are for single files")
        }
        let manifestName = "\(given.source)/\(ExportManifest.fileName)"
        var manifest = try ExportManifest(try Self.wholeFile(manifestName), name: manifestName)
        if let collection = given.collection {
            manifest.entries.removeAll { $0.collection != collection }
            guard !manifest.entries.isEmpty else {
                throw ShellError("\(given.source) has no collection '\(collection)'")
            }
        }
        if transaction != nil, let empty = manifest.entries.first(where: { $0.documents == 0 }) {
            throw .noCollectionInTransaction("The empty '\(empty.collection)'")
        }
        // Nothing is written before every file is known to be what was exported.
        for entry in manifest.entries { try await Self.verify(entry, in: given.source) }
        var rejected = 0
        for entry in manifest.entries {
            var one = given
            one.source = "\(given.source)/\(entry.file)"
            one.collection = entry.collection
            one.format = .ndjson
            if case .file(let path) = given.onError {
                let name = ExportManifest.fileName(of: entry.collection, 0, packed: false)
                one.onError = manifest.entries.count > 1 ? .file("\(path).\(name)") : .file(path)
            }
            // A collection without documents is there again as well.
            one.creates = given.creates || entry.documents == 0
            let report = try await importFile(one, interruption)
            rejected += report.rejected
            guard report.written + report.rejected == entry.documents else {
                throw ShellError(
                    "\(one.source) has \(report.written + report.rejected) documents, its manifest says "
                        + "\(entry.documents)")
            }
        }
        if rejected > 0 { throw ShellError("\(rejected) document(s) were rejected", exit: .partial) }
    }

    private static func wholeFile(_ path: String) throws(ShellError) -> [UInt8] {
        let input = try ByteInput(path: path, signals: -1)
        var bytes: [UInt8] = []
        while true {
            switch input.readMore(stop: -1) {
            case .bytes(let more): bytes += more
            case .failure(let error): throw error
            case .end, .stopped: return bytes
            }
            guard bytes.count <= ExportManifest.maximumBytes else {
                throw ShellError("\(path) is longer than \(ExportManifest.maximumBytes >> 20) MiB")
            }
        }
    }

    /// - Throws: when a file is not what was exported.
    private nonisolated static func verify(
        _ entry: ExportManifest.Entry, in folder: String
    ) async throws(ShellError) {
        let input = try ByteInput(path: "\(folder)/\(entry.file)", signals: -1)
        var digest = SHA256.Stream()
        var count = 0
        reading: while true {
            if Task.isCancelled { throw ShellError("Cancelled", exit: .interrupted) }
            switch input.readMore(stop: -1, capacity: 256 << 10) {
            case .bytes(let more):
                digest.update(more)
                count += more.count
            case .failure(let error): throw error
            case .end, .stopped: break reading
            }
        }
        guard count == entry.bytes, DigestSink.text(digest.digest()) == entry.sha256.lowercased() else {
            throw ShellError(
                "\(folder)/\(entry.file) is not what was exported: its size or checksum differs. Nothing was imported")
        }
    }
}
