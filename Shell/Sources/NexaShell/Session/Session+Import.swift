import Glibc
import NexaClient

/// `import`.
extension Session {
    func importDocuments(
        _ arguments: ArgumentReader, _ command: CommandSpecification, _ interruption: Interruption
    ) async throws(ShellError) {
        let given = try parse { () throws(CommandFault) in try ImportArguments(arguments) }
        guard let given else { throw .plain("File required", hint: "Usage: \(command.usage)") }
        let target: NexaCollection<Document>
        if let name = given.collection {
            target = client.database(location.database).collection(name)
        } else {
            target = try collection()
        }
        let input = try input(given.source)
        let rejects: RejectFile?
        if case .file(let path) = given.onError { rejects = try RejectFile(path) } else { rejects = nil }
        let progress = Progress(console, totalBytes: Self.size(of: input))
        let importer = Importer(
            arguments: given, input: input, collection: target, progress: progress, rejects: rejects)
        let report: Importer.Report
        do throws(ShellError) {
            report = try await importer.run(interruption)
            progress.finish()
        } catch {
            progress.finish()
            throw error
        }
        try conclude(report, given, target.name, progress.elapsed)
    }

    private func conclude(
        _ report: Importer.Report, _ given: ImportArguments, _ name: String, _ elapsed: Double
    ) throws(ShellError) {
        if report.wasStopped {
            let done = report.written + report.rejected + given.skip
            throw ShellError(
                "Stopped: \(report.written) written; resume with: import \(given.source) \(name) --skip \(done)",
                exit: .interrupted)
        }
        if Task.isCancelled {
            throw ShellError(
                "Stopped: \(report.written) written; up to \(Importer.batchesInFlight) batches on their way are unknown",
                exit: .interrupted)
        }
        if var error = report.error {
            error.hint = "\(report.written) document(s) were written into \(name) before it stopped."
            throw error
        }
        let rate = Amount.short(Double(report.written) / max(elapsed, 0.001))
        try show { (console) throws(OutputError) in
            try console.success(
                "Imported \(report.written) document(s) into \(name) (\(report.rejected) rejected) "
                    + "in \(Amount.seconds(elapsed)), \(rate)/s")
        }
        if report.rejected > 0 {
            throw ShellError("\(report.rejected) document(s) were rejected", exit: .partial)
        }
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
