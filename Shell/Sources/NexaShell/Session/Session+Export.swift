import NexaClient
import NexaValue

/// `export`.
extension Session {
    func exportDocuments(
        _ arguments: ArgumentReader, _ command: CommandSpecification, _ interruption: Interruption
    ) async throws(ShellError) {
        let given = try parse { () throws(CommandFault) in try ExportArguments(arguments) }
        let source: NexaCollection<Document>
        if let name = given.collection {
            source = client.database(location.database).collection(name)
        } else {
            source = try collection()
        }
        var query = source.find(Filter(given.filter))
        if let limit = given.limit { query = query.limit(limit) }
        let progress = Progress(console, totalBytes: nil)
        defer { progress.finish() }
        if given.target == "-" {
            let count = try await write(query, to: console.output, progress)
            progress.finish()
            guard !console.presentation.talksOnOutput else { return }
            return try tell(count, source.name, progress)
        }
        let file = try ExportFile(given.target)
        let count = try await write(query, to: file.sink, progress)
        try file.complete()
        progress.finish()
        try tell(count, "\(source.name) to \(given.target)", progress)
    }

    private func tell(_ count: Int, _ what: String, _ progress: Progress) throws(ShellError) {
        let rate = Amount.short(Double(count) / max(progress.elapsed, 0.001))
        try show { (console) throws(OutputError) in
            try console.success(
                "Exported \(count) document(s) from \(what) in \(Amount.seconds(progress.elapsed)), \(rate)/s")
        }
    }

    /// Writes documents as they come, one per line; memory holds one page of them.
    private func write(
        _ query: NexaQuery<Document>, to sink: any ByteSink, _ progress: Progress
    ) async throws(ShellError) -> Int {
        var iterator = query.makeAsyncIterator()
        var buffer: [UInt8] = []
        var count = 0
        var told = 0
        let options = JSON.EncodingOptions(nonFiniteNumbers: .extendedForm)
        while let document = try await call({ () async throws(NexaError) in try await iterator.next() }) {
            do throws(JSONEncodingError) {
                try JSON.append(document, to: &buffer, options)
            } catch {
                throw ShellError(error.description)
            }
            buffer.append(0x0A)
            count += 1
            guard buffer.count >= 64 << 10 else { continue }
            if Task.isCancelled { throw ShellError("Cancelled", exit: .interrupted) }
            try attempt { () throws(OutputError) in try sink.write(buffer) }
            progress.read(buffer.count)
            progress.acknowledged(count - told)
            told = count
            buffer.removeAll(keepingCapacity: true)
        }
        try attempt { () throws(OutputError) in
            try sink.write(buffer)
            try sink.flush()
        }
        return count
    }
}
