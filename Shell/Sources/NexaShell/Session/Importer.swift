import NexaClient
import NexaValue
import Synchronization

/// Inserts the documents of an NDJSON stream: lines are encoded and sent in batches, while the next ones are read.
///
/// Memory holds the batches on their way and a few pieces of input, however long the stream is. Only what the server
/// acknowledged is counted. An import that stops at the first error has one batch on its way at a time, so that every
/// line before the one at fault is stored and none behind it; one that goes on has several.
struct Importer {
    /// One line and its document.
    struct Item: Sendable {
        /// `nil` when the line is no document.
        var document: EncodedDocument?
        var line: Int
        /// The text as it was read; kept only when rejected lines are written to a file.
        var text: [UInt8]
    }

    /// What became of a batch.
    struct BatchResult: Sendable {
        var written = 0
        var rejected: [(item: Item, reason: String)] = []
        /// Nothing more should be sent.
        var fatal: Stop?
    }

    /// Why an import ended early, and what is known of the lines around it.
    struct Stop: Sendable {
        var error: ShellError
        /// The first line that was not acknowledged; `nil` when it is not about one.
        var line: Int?
        /// The last line that may have been stored all the same, after a lost reply.
        var lastUnknownLine: Int?
    }

    /// What became of the import.
    struct Report: Sendable {
        var written = 0
        var rejected = 0
        /// Documents taken from the input, those passed over by `--skip` included.
        var taken = 0
        var wasStopped = false
        var stop: Stop?
    }

    static let batchDocuments = 1000
    static let batchBytes = 512 << 10
    static let mostBatchesInFlight = 2
    var batchesInFlight: Int { arguments.onError == .stop ? 1 : Self.mostBatchesInFlight }
    static let maximumLineBytes = 64 << 20

    let arguments: ImportArguments
    let input: ByteInput
    let collection: NexaCollection<Document>
    let progress: Progress
    let rejects: RejectFile?

    /// Runs to the end of the input, to the first error that stops it, or until Ctrl-C.
    func run(_ interruption: Interruption) async throws(ShellError) -> Report {
        let reader = try ChunkReader(input)
        defer { reader.stop() }
        let stopped = StopFlag()
        let result = await interruption.handled(by: {
            stopped.set()
            reader.stop()
        }) {
            await withTaskGroup(of: BatchResult.self, returning: Report.self) { group in
                var run = Run(importer: self)
                await run.readAll(reader, &group, stopped)
                while let result = await group.next() { run.take(result) }
                run.report.wasStopped = stopped.isSet
                if run.report.stop == nil { run.report.stop = run.inputFault }
                return run.report
            }
        }
        try rejects?.finish()
        return result
    }

    /// Ctrl-C was pressed.
    private final class StopFlag: Sendable {
        private let flag = Mutex(false)
        var isSet: Bool { flag.withLock { $0 } }
        func set() { flag.withLock { $0 = true } }
    }

    /// The moving parts of one run.
    private struct Run {
        let importer: Importer
        var report = Report()
        /// Why reading ended early. What came before it is still sent.
        var inputFault: Stop?
        private var batch: [Item] = []
        private var batchSize = 0
        private var inFlight = 0

        init(importer: Importer) { self.importer = importer }

        mutating func readAll(
            _ reader: ChunkReader, _ group: inout TaskGroup<BatchResult>, _ stopped: StopFlag
        ) async {
            var splitter = LineSplitter(maximumBytes: Importer.maximumLineBytes)
            do throws(LineSplitter.TooLong) {
                reading: while !isFinished(stopped) {
                    switch await reader.next() {
                    case .bytes(let bytes):
                        importer.progress.read(bytes.count)
                        splitter.append(bytes)
                        while !isFinished(stopped), let line = try splitter.next() { await add(line, &group) }
                    case .end:
                        if let line = try splitter.last() { await add(line, &group) }
                        break reading
                    case .failure(let error):
                        inputFault = Stop(error: error)
                        break reading
                    case .stopped: break reading
                    }
                }
            } catch {
                inputFault = Stop(
                    error: ShellError("line \(error.number) is longer than \(Importer.maximumLineBytes >> 20) MiB"),
                    line: error.number)
            }
            if !batch.isEmpty, !stopped.isSet, !Task.isCancelled { await send(&group) }
        }

        private func isFinished(_ stopped: StopFlag) -> Bool {
            report.stop != nil || inputFault != nil || stopped.isSet || Task.isCancelled
                || (importer.arguments.limit.map { report.taken - importer.arguments.skip >= $0 } ?? false)
        }

        private mutating func add(_ line: LineSplitter.Line, _ group: inout TaskGroup<BatchResult>) async {
            var bytes = line.bytes
            if line.number == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
            guard !bytes.allSatisfy(NestingScan.isBlank) else { return }
            report.taken += 1
            guard report.taken > importer.arguments.skip else { return }
            do throws(JSONError) {
                let document = try EncodedDocument(
                    json: bytes.span.bytes, JSON.Options(isRelaxed: false, readsExtendedForms: true))
                batch.append(
                    Item(document: document, line: line.number, text: importer.rejects == nil ? [] : Array(bytes)))
                batchSize += document.bytes.count
            } catch {
                let text = String(decoding: bytes, as: UTF8.self)
                if importer.arguments.onError == .stop {
                    report.taken -= 1
                    inputFault = Stop(error: importer.fault(error, line: line.number, text), line: line.number)
                } else {
                    reject(
                        Item(line: line.number, text: Array(bytes)), importer.reason(error, line.number))
                }
                return
            }
            if batch.count >= Importer.batchDocuments || batchSize >= Importer.batchBytes { await send(&group) }
        }

        private mutating func send(_ group: inout TaskGroup<BatchResult>) async {
            while inFlight >= importer.batchesInFlight, let result = await group.next() { take(result) }
            guard report.stop == nil else { return }
            let (items, importer) = (batch, importer)
            batch = []
            batchSize = 0
            inFlight += 1
            group.addTask { await importer.insert(items) }
        }

        mutating func take(_ result: BatchResult) {
            inFlight = max(0, inFlight - 1)
            report.written += result.written
            importer.progress.acknowledged(result.written)
            for (item, reason) in result.rejected { reject(item, reason) }
            if let fatal = result.fatal, report.stop == nil { report.stop = fatal }
        }

        private mutating func reject(_ item: Item, _ reason: String) {
            report.rejected += 1
            do throws(ShellError) {
                try importer.rejects?.add(item.text, reason)
            } catch {
                report.stop = Stop(error: error)
            }
        }
    }

    // MARK: One batch

    /// The client finds the documents at fault in a batch that the server refused. Batches on their way at the same time
    /// may be stored in any order, so of two documents with one id in different batches either may be the duplicate.
    private func insert(_ items: [Item]) async -> BatchResult {
        var result = BatchResult()
        let outcomes: [Result<DocumentID, NexaError>]
        do throws(NexaError) {
            outcomes = try await collection.insert(
                encoded: items.compactMap(\.document), ordered: arguments.onError == .stop
            ).outcomes
        } catch {
            result.fatal = Stop(error: ShellError(error), line: items.first?.line)
            return result
        }
        for (item, outcome) in zip(items, outcomes) {
            guard case .failure(let error) = outcome else {
                result.written += 1
                continue
            }
            let reason = error.serverMessage ?? error.message
            if error.delivery != .answered || !Self.isAboutDocuments(error) {
                if result.fatal == nil { result.fatal = Stop(error: ShellError(error), line: item.line) }
                if error.delivery == .maybeExecuted { result.fatal?.lastUnknownLine = item.line }
            } else if arguments.onError == .stop {
                if result.fatal == nil {
                    result.fatal = Stop(error: ShellError("\(reason) at line \(item.line)\(place)"), line: item.line)
                }
            } else {
                result.rejected.append((item, "line \(item.line): \(reason)"))
            }
        }
        return result
    }

    /// Whether another document might fare better.
    private static func isAboutDocuments(_ error: NexaError) -> Bool {
        switch error.code {
        case .duplicateID, .invalidRequest, .server, .encoding, .frameTooLarge, .limitExceeded: true
        default: false
        }
    }

    private var place: String { input.descriptor == 0 ? "" : " of \(input.name)" }

    private func reason(_ error: JSONError, _ line: Int) -> String {
        "line \(line): \(error.message) at column \(error.column)"
    }

    private func fault(_ error: JSONError, line: Int, _ text: String) -> ShellError {
        var fault = ShellError("\(error.message) at line \(line) column \(error.column)\(place)")
        fault.pointer = TextPosition(of: error.offset, in: text).pointer(in: text)
        return fault
    }
}
