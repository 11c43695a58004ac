import Glibc
import NexaClient

/// `import`.
extension Session {
    func importDocuments(
        _ arguments: ArgumentReader, _ command: CommandSpecification, _ interruption: Interruption
    ) async throws(ShellError) {
        let given = try parse { () throws(CommandFault) in try ImportArguments(arguments) }
        guard var given else { throw .plain("File required", hint: "Usage: \(command.usage)") }
        if transaction != nil {
            guard !given.creates else { throw .noCollectionInTransaction("import --create") }
            given.jobs = 1  // the calls of a transaction go over one connection
        }
        if given.source != "-", Self.isFolder(given.source) { return try await importFolder(given, interruption) }
        let report = try await importFile(given, interruption)
        if report.rejected > 0 {
            throw ShellError("\(report.rejected) document(s) were rejected", exit: .partial)
        }
    }

    /// Imports one file, and says how that went.
    func importFile(
        _ given: ImportArguments, _ interruption: Interruption
    ) async throws(ShellError) -> Importer.Report {
        let target: NexaCollection<Document>
        if let name = given.collection {
            target = database().collection(name)
        } else {
            target = try collection()
        }
        let input = try input(given.source)
        if given.creates, !given.isDryRun {
            let database = client.database(location.database)
            try await call { () async throws(NexaError) in try await database.createCollection(target.name) }
        }
        let rejects: RejectFile?
        if case .file(let path) = given.onError { rejects = try RejectFile(path) } else { rejects = nil }
        let progress = Progress(console, totalBytes: Self.size(of: input))
        let importer = Importer(
            arguments: given, input: input, collection: target, progress: progress, rejects: rejects,
            isInTransaction: transaction != nil)
        defer { progress.finish() }
        let report = try await importer.run(interruption)
        progress.finish()
        try conclude(report, importer, progress.elapsed)
        return report
    }

    private func conclude(
        _ report: Importer.Report, _ importer: Importer, _ elapsed: Double
    ) throws(ShellError) {
        let (given, name) = (importer.arguments, importer.collection.name)
        // The second Ctrl-C does not wait for batches on their way: what became of them nobody knows.
        if Task.isCancelled, report.stop != nil || !report.wasStopped {
            throw ShellError(
                "Stopped: \(report.written) written; up to \(importer.batchesInFlight) batch(es) on their way are unknown",
                exit: .interrupted)
        }
        if report.wasStopped {
            let done = report.written + report.rejected + given.skip
            throw ShellError(
                "Stopped: \(report.written) written; resume with: import \(given.source) \(name) --skip \(done)",
                exit: .interrupted)
        }
        if let stop = report.stop {
            var error = stop.error
            if let cause = stop.cause { noteTransaction(cause) }
            // What an error has undone cannot be gone on with.
            guard !transactionIsOver else { throw error }
            error.hint = Self.whatIsKnown(stop, report, given, name)
            throw error
        }
        let rate = Amount.short(Double(report.written) / max(elapsed, 0.001))
        try show { (console) throws(OutputError) in
            if given.isDryRun {
                return try console.success(
                    "Checked \(report.written) document(s) (\(report.rejected) rejected); nothing was written")
            }
            try console.success(
                "Imported \(report.written) document(s) into \(name) (\(report.rejected) rejected) "
                    + "in \(Amount.seconds(elapsed)), \(rate)/s")
        }
    }

    /// What is stored after an import that stopped by itself, and how to go on.
    private static func whatIsKnown(
        _ stop: Importer.Stop, _ report: Importer.Report, _ given: ImportArguments, _ name: String
    ) -> String {
        var text = "\(report.written) document(s) imported into \(name)"
        guard given.onError == .stop else { return text + " before it stopped." }
        if let line = stop.line { text += " before line \(line)" }
        text += "."
        if let line = stop.line, let last = stop.lastUnknownLine {
            text += " Whether lines \(line) to \(last) are is unknown."
        }
        let rest = given.limit.map { " --limit \(max(0, $0 - report.written))" } ?? ""
        return text + " Go on with: import \(given.source) \(name) --skip \(given.skip + report.written)\(rest)"
    }

    private func input(_ source: String) throws(ShellError) -> ByteInput {
        guard source == "-" else { return try ByteInput(path: source, signals: -1) }
        guard let input = settings.input else {
            throw ShellError("standard input is a terminal; give a file, or pipe the documents in")
        }
        return input
    }

    /// The bytes still to be read, of a regular file.
    private static func size(of input: ByteInput) -> Int? {
        var status = stat()
        guard fstat(input.descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return max(0, Int(status.st_size) - Int(lseek(input.descriptor, 0, SEEK_CUR)))
    }
}

extension ShellError {
    /// Collections are made outside of transactions only.
    static func noCollectionInTransaction(_ what: String) -> ShellError {
        .plain(
            "\(what) makes a collection, which cannot be part of a transaction",
            hint: "End it with 'commit' or 'rollback' first.")
    }
}
