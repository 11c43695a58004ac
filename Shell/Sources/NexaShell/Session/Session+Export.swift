import NexaClient
import NexaValue

/// `export`.
extension Session {
    func exportDocuments(
        _ arguments: ArgumentReader, _ command: CommandSpecification, _ interruption: Interruption
    ) async throws(ShellError) {
        let given = try parse { () throws(CommandFault) in try ExportArguments(arguments) }
        if given.isWhole { return try await exportDatabase(given) }
        let source: NexaCollection<Document>
        if let name = given.collection {
            source = database().collection(name)
        } else {
            source = try collection()
        }
        let format = given.format ?? DataFormat(fileName: given.target) ?? .ndjson
        let progress = Progress(console, totalBytes: nil)
        defer { progress.finish() }
        if given.target == "-" {
            let writer = try await export(given, source, format, to: console.output, progress)
            progress.finish()
            if !console.presentation.talksOnOutput { try tell(writer, source.name, progress) }
            if let complaint = writer.complaint { throw complaint }
            return
        }
        let file = try ExportFile(given.target, isAtomic: given.isAtomic)
        let writer = try await export(given, source, format, to: file.sink, progress)
        try file.complete()
        progress.finish()
        try tell(writer, "\(source.name) to \(given.target)", progress)
        if let complaint = writer.complaint { throw complaint }
    }

    private func tell(_ writer: ExportWriter, _ what: String, _ progress: Progress) throws(ShellError) {
        let rate = Amount.short(Double(writer.count) / max(progress.elapsed, 0.001))
        try show { (console) throws(OutputError) in
            try console.success(
                "Exported \(writer.count) document(s) from \(what) in \(Amount.seconds(progress.elapsed)), \(rate)/s")
        }
    }

    /// Writes the documents that were asked for, packed if that was.
    private func export(
        _ given: ExportArguments, _ source: NexaCollection<Document>, _ format: DataFormat, to sink: any ByteSink,
        _ progress: Progress
    ) async throws(ShellError) -> ExportWriter {
        let packer = given.packs ? GzipSink(to: sink) : nil
        let writer = ExportWriter(
            format, fields: given.fields, extraColumn: given.extraColumn, collection: source.name, to: packer ?? sink)
        do throws(ShellError) {
            try await stream(given.query(source), to: writer, progress)
        } catch {
            // What reads standard output gets an array that is closed; the exit code tells that it is not all.
            if given.target == "-", format == .json { try? writer.finish() }
            throw error
        }
        try writer.finish()
        try attempt { () throws(OutputError) in
            try packer?.finish()
            try sink.flush()
        }
        return writer
    }

    /// Writes the documents of a query. While one page is written the next one is on its way.
    func stream(
        _ query: NexaQuery<Document>, to writer: ExportWriter, _ progress: Progress
    ) async throws(ShellError) {
        var page = try taken(await Self.fetch(query, after: nil))
        while true {
            let current = page
            guard !current.isLast else { return try write(current, writer, progress) }
            async let next = Self.fetch(query, after: current)
            try write(current, writer, progress)
            page = try taken(await next)
        }
    }

    private func taken(_ page: Result<EncodedPage, NexaError>) throws(ShellError) -> EncodedPage {
        switch page {
        case .success(let page): return page
        case .failure(let error):
            noteTransaction(error)
            throw ShellError(error)
        }
    }

    private func write(_ page: EncodedPage, _ writer: ExportWriter, _ progress: Progress) throws(ShellError) {
        if Task.isCancelled { throw ShellError("Cancelled", exit: .interrupted) }
        let before = (writer.byteCount, writer.count)
        try writer.write(page)
        progress.read(writer.byteCount - before.0)
        progress.acknowledged(writer.count - before.1)
    }

    private nonisolated static func fetch(
        _ query: NexaQuery<Document>, after page: EncodedPage?
    ) async -> Result<EncodedPage, NexaError> {
        do throws(NexaError) {
            return .success(try await query.page(after: page))
        } catch {
            return .failure(error)
        }
    }
}
