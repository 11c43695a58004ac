/// Cuts a stream of bytes into batches of records.
///
/// Memory holds the batch that is being filled and the pieces that came last.
struct RecordReader {
    /// Some records with their bytes.
    struct Batch: Sendable {
        var bytes: [UInt8]
        /// The records, by their places in `bytes`.
        var records: [Record]
    }

    /// How large a batch becomes.
    struct Limits: Sendable, Equatable {
        var documents = 1000
        var bytes = 4 << 20
        /// A longer record ends the reading.
        var recordBytes = 64 << 20
    }

    private var scanner: any RecordScanner
    private let limits: Limits
    private let what: String
    private var buffer: [UInt8] = []
    private var batchStart = 0
    private var records: [Record] = []
    private var isAtStart = true
    /// How many records are passed over before the first one that counts.
    private var toSkip: Int
    /// How many records are still taken.
    private var toTake: Int
    /// The first record, which names the columns, goes here.
    private(set) var header: Batch?
    private var wantsHeader: Bool

    init(_ format: DataFormat, _ limits: Limits, skip: Int = 0, limit: Int? = nil) {
        switch format {
        case .ndjson: scanner = LineScanner(ignoresBlanks: true)
        case .tsv: scanner = LineScanner(ignoresBlanks: false)
        case .json, .ejson: scanner = ElementScanner()
        case .csv: scanner = RowScanner()
        case .toon: scanner = TOONScanner()
        }
        what = format == .csv || format == .tsv ? "row" : format == .ndjson ? "line" : "document"
        wantsHeader = format == .csv || format == .tsv
        self.limits = limits
        toSkip = skip
        toTake = limit ?? .max
    }

    /// Whether no more records are wanted.
    var isFinished: Bool { toTake == 0 }

    /// Adds bytes behind those that are left.
    mutating func append(_ bytes: [UInt8]) {
        if batchStart > 0 {
            scanner.forget(batchStart, of: buffer)
            buffer.removeFirst(batchStart)
            for index in records.indices { records[index].range = records[index].range.moved(by: -batchStart) }
            batchStart = 0
        }
        if buffer.isEmpty { buffer = bytes } else { buffer += bytes }
    }

    /// The next full batch, or `nil` when more bytes are needed; at the end, the last one.
    mutating func next(isAtEnd: Bool) throws(ScanFault) -> Batch? {
        if isAtStart, !passMark(isAtEnd: isAtEnd) { return nil }
        while toTake > 0 {
            guard let record = try scanner.next(buffer, isAtEnd: isAtEnd) else { break }
            if header == nil, let (text, line) = scanner.header {
                header = Batch(bytes: text, records: [Record(range: text.indices, line: line)])
            }
            if record.range.count > limits.recordBytes { throw tooLong(record.line, record.column) }
            if wantsHeader {
                wantsHeader = false
                header = Batch(bytes: Array(buffer[record.range]), records: [record])
                batchStart = scanner.start
                continue
            }
            if toSkip > 0 {
                toSkip -= 1
                batchStart = scanner.start
                continue
            }
            records.append(record)
            toTake -= 1
            if records.count >= limits.documents || scanner.start - batchStart >= limits.bytes { return cut() }
        }
        if scanner.position - scanner.start > limits.recordBytes { throw tooLong(nil, nil) }
        // The blanks before a record need not be kept.
        if records.isEmpty { batchStart = scanner.start }
        return (isAtEnd || toTake == 0) && !records.isEmpty ? cut() : nil
    }

    /// The records that are whole, after a fault or a stop.
    mutating func rest() -> Batch? { records.isEmpty ? nil : cut() }

    private mutating func cut() -> Batch {
        let end = records.last?.range.upperBound ?? batchStart
        let start = records.first?.range.lowerBound ?? batchStart
        let batch = Batch(
            bytes: Array(buffer[start..<end]),
            records: records.map { record in
                var record = record
                record.range = record.range.moved(by: -start)
                return record
            })
        batchStart = scanner.start
        records.removeAll(keepingCapacity: true)
        return batch
    }

    /// Passes over a byte order mark; returns false when more bytes are needed to see whether there is one.
    private mutating func passMark(isAtEnd: Bool) -> Bool {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        if !isAtEnd, buffer.count < 3, mark.starts(with: buffer) { return false }
        isAtStart = false
        if buffer.starts(with: mark) { buffer.removeFirst(3) }
        return true
    }

    private func tooLong(_ line: Int?, _ column: Int?) -> ScanFault {
        ScanFault(
            message: "the \(what) is longer than \(limits.recordBytes >> 20) MiB", line: line ?? scanner.line,
            column: column)
    }
}

extension Range<Int> {
    func moved(by offset: Int) -> Range<Int> { lowerBound + offset..<upperBound + offset }
}
