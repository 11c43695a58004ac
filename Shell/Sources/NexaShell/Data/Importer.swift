import NexaClient
import NexaValue
import Synchronization

/// Imports a stream of records: batches are cut, parsed and sent by tasks of their own, several at a time.
///
/// Memory holds the batches on their way and a few pieces of input, however long the stream is. Only what the server
/// acknowledged is counted. An import that stops at the first error parses batches ahead and sends them one by one, so that
/// every record before the one at fault is stored and none behind it; one that goes on sends several at a time.
struct Importer: Sendable {
    /// What became of a batch.
    struct BatchResult: Sendable {
        var bytes = 0
        var written = 0
        var rejected: [Rejected] = []
        /// Nothing more should be sent.
        var fatal: Stop?
        /// The batch before it was not stored.
        var isUntried = false
    }

    /// A record that was left out.
    struct Rejected: Sendable {
        /// The text as it was read.
        var text: [UInt8]
        var reason: String
    }

    /// Why an import ended early, and what is known of the records around it.
    struct Stop: Sendable {
        var error: ShellError
        /// The line of the first record that was not acknowledged; `nil` when it is not about one.
        var line: Int?
        /// The line of the last record that may have been stored all the same, after a lost reply.
        var lastUnknownLine: Int?
        /// What the server or the client said, when it was one of them.
        var cause: NexaError?
    }

    /// What became of the import.
    struct Report: Sendable {
        var written = 0
        var rejected = 0
        var wasStopped = false
        var stop: Stop?
    }

    /// Above this size of the batches on their way no further one is begun.
    private static let mostBytesInFlight = 8 << 20

    let arguments: ImportArguments
    let input: ByteInput
    let collection: NexaCollection<Document>
    let progress: Progress
    let rejects: RejectFile?
    /// Whether all of it becomes visible with the commit only.
    var isInTransaction = false
    var batchesInFlight: Int { arguments.onError == .stop ? 1 : arguments.jobs }

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
                var run = Run(importer: self, stopped: stopped)
                await run.readAll(reader, &group)
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
        private let flag = Atomic(false)
        var isSet: Bool { flag.load(ordering: .relaxed) }
        func set() { flag.store(true, ordering: .relaxed) }
    }

    // MARK: The whole

    /// The moving parts of one run.
    private struct Run {
        let importer: Importer
        let stopped: StopFlag
        var report = Report()
        /// Why reading ended early. What came before it is still sent.
        var inputFault: Stop?
        private var format: DataFormat?
        private var records: RecordReader?
        private var parser: RecordParser?
        private var gunzip: Gunzip?
        private var head: [UInt8] = []
        private var inFlight = 0
        private var bytesInFlight = 0
        /// Opened when the batch before has been stored.
        private var gate = Gate(isOpen: true)

        init(importer: Importer, stopped: StopFlag) {
            self.importer = importer
            self.stopped = stopped
            format = importer.arguments.format
        }

        mutating func readAll(_ reader: ChunkReader, _ group: inout TaskGroup<BatchResult>) async {
            do throws(ScanFault) {
                reading: while !isFinished {
                    switch await reader.next() {
                    case .bytes(let bytes):
                        importer.progress.read(bytes.count)
                        try await takePacked(bytes, &group)
                    case .end:
                        try gunzip?.finish()
                        try await finish(&group)
                        break reading
                    case .failure(let error):
                        inputFault = Stop(error: error)
                        break reading
                    case .stopped: return
                    }
                }
            } catch {
                if let rest = records?.rest(), !isFinished, (try? prepareParser()) == true {
                    await start(rest, &group)
                }
                inputFault = importer.stop(error)
            }
        }

        private var isFinished: Bool {
            report.stop != nil || inputFault != nil || stopped.isSet || Task.isCancelled || records?.isFinished == true
        }

        /// Unpacks what needs it.
        private mutating func takePacked(
            _ bytes: [UInt8], _ group: inout TaskGroup<BatchResult>
        ) async throws(ScanFault) {
            if records == nil, gunzip == nil {
                head += bytes
                guard head.count >= Gunzip.magic.count else { return }
                let bytes = head
                head = []
                guard bytes.starts(with: Gunzip.magic) else { return try await take(bytes, &group) }
                gunzip = Gunzip()
                return try await takePacked(bytes, &group)
            }
            guard let gunzip else { return try await take(bytes, &group) }
            var offset = 0
            while !isFinished, let piece = try gunzip.next(bytes, &offset) { try await take(piece, &group) }
        }

        private mutating func take(
            _ bytes: [UInt8], _ group: inout TaskGroup<BatchResult>
        ) async throws(ScanFault) {
            if records == nil {
                head += bytes
                guard try choose(isAtEnd: false) else { return }
            } else {
                records?.append(bytes)
            }
            try await startBatches(isAtEnd: false, &group)
        }

        private mutating func finish(_ group: inout TaskGroup<BatchResult>) async throws(ScanFault) {
            if records == nil, try !choose(isAtEnd: true) { return }
            try await startBatches(isAtEnd: true, &group)
        }

        /// Makes the reader as soon as the format is known; returns whether it is.
        private mutating func choose(isAtEnd: Bool) throws(ScanFault) -> Bool {
            if format == nil { format = try FormatGuess.format(importer.input.name, head, isAtEnd: isAtEnd) }
            guard let format else { return false }
            let arguments = importer.arguments
            var reader = RecordReader(
                format, .init(documents: arguments.batchDocuments), skip: arguments.skip, limit: arguments.limit)
            reader.append(head)
            head = []
            records = reader
            return true
        }

        private mutating func startBatches(
            isAtEnd: Bool, _ group: inout TaskGroup<BatchResult>
        ) async throws(ScanFault) {
            while report.stop == nil, !stopped.isSet, !Task.isCancelled,
                let batch = try records?.next(isAtEnd: isAtEnd)
            {
                guard try prepareParser() else { return }
                await start(batch, &group)
            }
            if isAtEnd { _ = try prepareParser() }
        }

        /// Makes the parser; one for rows needs the header.
        private mutating func prepareParser() throws(ScanFault) -> Bool {
            guard parser == nil, let format else { return true }
            let (parser, header) = try importer.parser(format, records?.header)
            self.parser = parser
            if let header {
                do throws(ShellError) {
                    try importer.rejects?.begin(header)
                } catch {
                    report.stop = Stop(error: error)
                    return false
                }
            }
            return true
        }

        private mutating func start(_ batch: RecordReader.Batch, _ group: inout TaskGroup<BatchResult>) async {
            guard let parser else { return }
            let size = batch.bytes.count
            while inFlight >= importer.arguments.jobs
                || (inFlight > 0 && bytesInFlight + size > Importer.mostBytesInFlight),
                let result = await group.next()
            {
                take(result)
            }
            guard report.stop == nil, !stopped.isSet else { return }
            inFlight += 1
            bytesInFlight += size
            let (importer, before, after) = (importer, gate, Gate())
            if importer.arguments.onError == .stop { gate = after }
            group.addTask {
                let result = await BatchImport(importer, batch, parser).run(behind: before)
                after.open(result.fatal == nil && !result.isUntried)
                return result
            }
        }

        mutating func take(_ result: BatchResult) {
            inFlight -= 1
            bytesInFlight -= result.bytes
            report.written += result.written
            importer.progress.acknowledged(result.written)
            for rejected in result.rejected { reject(rejected) }
            if let fatal = result.fatal, report.stop == nil { report.stop = fatal }
        }

        private mutating func reject(_ record: Rejected) {
            report.rejected += 1
            do throws(ShellError) {
                try importer.rejects?.add(record.text, record.reason)
            } catch {
                if report.stop == nil { report.stop = Stop(error: error) }
            }
        }
    }

    private func parser(
        _ format: DataFormat, _ header: RecordReader.Batch?
    ) throws(ScanFault) -> (RecordParser, header: [UInt8]?) {
        let shaping = DocumentShaping(idField: arguments.idField, vectorField: arguments.vectorField)
        let isInsert = arguments.mode == .insert
        guard arguments.types.isEmpty || format == .csv || format == .tsv else {
            throw ScanFault(message: "--types is for csv and tsv; in \(format.rawValue) values say what they are")
        }
        switch format {
        case .toon:
            let records = TOONRecords(header: header?.bytes)
            return (RecordParser(syntax: .toon(records), shaping: shaping, isInsert: isInsert), header?.bytes)
        case .ndjson, .json, .ejson:
            let options = JSON.Options(readsExtendedForms: true)
            return (RecordParser(syntax: .json(options), shaping: shaping, isInsert: isInsert), nil)
        case .csv, .tsv:
            guard let header, let record = header.records.first else {
                throw ScanFault(message: "the line with the names of the columns is missing")
            }
            do throws(RecordParser.Fault) {
                let cells = try DelimitedParser(
                    format == .csv ? .csv : .tsv, header: header.bytes[...], types: arguments.types)
                return (RecordParser(syntax: .cells(cells), shaping: shaping, isInsert: isInsert), header.bytes)
            } catch {
                throw ScanFault(message: error.message, line: record.line)
            }
        }
    }

    private func stop(_ fault: ScanFault) -> Stop {
        guard let line = fault.line else { return Stop(error: ShellError("\(fault.message)\(place)")) }
        let column = fault.column.map { " column \($0)" } ?? ""
        return Stop(error: ShellError("\(fault.message) at line \(line)\(column)\(place)"), line: line)
    }

    /// ` of FILE`.
    var place: String { input.descriptor == 0 ? "" : " of \(input.name)" }
}

/// Something that happens before something else may.
final class Gate: Sendable {
    private struct State {
        var isGood: Bool?
        var waiter: CheckedContinuation<Bool, Never>?
    }

    private let state: Mutex<State>

    init(isOpen: Bool = false) { state = Mutex(State(isGood: isOpen ? true : Bool?.none)) }

    /// Waits for `open`; returns what that was told. Only one may wait.
    func pass() async -> Bool {
        await withCheckedContinuation { continuation in
            let isGood = state.withLock { state -> Bool? in
                if state.isGood == nil { state.waiter = continuation }
                return state.isGood
            }
            if let isGood { continuation.resume(returning: isGood) }
        }
    }

    func open(_ isGood: Bool) {
        let waiter = state.withLock { state in
            state.isGood = isGood
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(returning: isGood)
    }
}

/// The format of a file, by its name and its first bytes.
enum FormatGuess {
    /// - Returns: `nil` when more bytes are needed.
    static func format(_ name: String, _ head: [UInt8], isAtEnd: Bool) throws(ScanFault) -> DataFormat? {
        if let format = DataFormat(fileName: name) { return format }
        let text = head.starts(with: [0xEF, 0xBB, 0xBF]) ? head.dropFirst(3) : head[...]
        guard let start = text.firstIndex(where: { !NestingScan.isBlank($0) && $0 != 0x0A }) else {
            return isAtEnd || head.count > 1 << 20 ? .ndjson : nil
        }
        if isTOON(text[start...]) { return .toon }
        switch text[start] {
        case 0x5B: return .json
        case 0x7B:
            // An object that goes on behind its first line is no line of NDJSON.
            guard let end = text[start...].firstIndex(of: 0x0A) else {
                return isAtEnd || head.count > 1 << 20 ? .ndjson : nil
            }
            let last = text[start..<end].last { !NestingScan.isBlank($0) && $0 != 0x0D }
            return last == 0x7D ? .ndjson : .json
        default:
            let line = text[start...].prefix { $0 != 0x0A }
            if line.contains(0x09) { return .tsv }
            if line.contains(0x2C) { return .csv }
            throw ScanFault(message: "the format cannot be told; say --format \(DataFormat.names) for the data")
        }
    }

    /// Whether a text begins as an envelope of NexaDB, or as a list or table of TOON.
    private static func isTOON(_ text: ArraySlice<UInt8>) -> Bool {
        let line = Array(text.prefix { $0 != 0x0A && $0 != 0x0D })
        if line.starts(with: "collection: ".utf8) { return true }
        let bracket = line.starts(with: "documents[".utf8) ? 9 : 0
        guard let count = TOONRecords.count(in: line, at: bracket) else { return false }
        return line[count.end...].contains(0x3A)
    }
}
